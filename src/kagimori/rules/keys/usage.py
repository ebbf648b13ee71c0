"""Checks that a key's usage, spec and sizes fit an operation.

Source: KMS Developer Guide, "Key spec reference"; KMS API Reference, GenerateMac.
"""

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import refusal_of_origin
from kagimori.rules.refusal import InvalidKeyUsageException, ValidationException
from kagimori_boundary.key_specs import SPECS, KeyUsage


def check_usage(operation: str, kms_key: KmsKey, usage: KeyUsage) -> None:
    """Check that the key's usage is the one this operation needs.

    Raises:
        InvalidKeyUsageException: it is another.
    """
    if kms_key.key_usage != usage:
        name = operation.removesuffix("WithoutPlaintext")
        raise InvalidKeyUsageException(
            f"{kms_key.arn} key usage is {kms_key.key_usage} which is not valid for {name}."
        )


def check_own(kms_key: KmsKey) -> None:
    """Check that no custom key store holds the key.

    Raises:
        UnsupportedOperationException: one does.
    """
    if kms_key.custom_key_store_id is not None:
        raise refusal_of_origin(kms_key.arn, kms_key.origin)


def check_algorithm(kms_key: KmsKey, usage: KeyUsage, algorithm: str) -> None:
    """Check that the key's spec offers this algorithm.

    Raises:
        InvalidKeyUsageException: it does not.
    """
    if not SPECS[kms_key.key_spec].allows(usage, algorithm):
        raise InvalidKeyUsageException(
            f"Algorithm {algorithm} is incompatible with key spec {kms_key.key_spec}."
        )


def check_plaintext_size(kms_key: KmsKey, algorithm: str, plaintext_bytes: int) -> None:
    """Check that the plaintext fits the algorithm.

    Raises:
        ValidationException: too long for this key.
    """
    if plaintext_bytes > SPECS[kms_key.key_spec].plaintext_bytes_max[algorithm]:
        raise plaintext_too_long(kms_key, algorithm)


def plaintext_too_long(kms_key: KmsKey, algorithm: str) -> ValidationException:
    """Return the refusal of a plaintext that does not fit the algorithm."""
    most = SPECS[kms_key.key_spec].plaintext_bytes_max[algorithm]
    return ValidationException(
        f"Algorithm {algorithm} and key spec {kms_key.key_spec} cannot encrypt data larger "
        f"than {most} bytes."
    )
