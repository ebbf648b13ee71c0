"""Checks of messages to sign: message types, and the lengths of digests.

Source: KMS API Reference, Sign.
"""

from typing import Final

from kagimori.rules.refusal import ValidationException
from kagimori_boundary.key_specs import ED25519PH_DIGEST_BYTES, EXTERNAL_MU_BYTES

_DIGEST_BYTES: Final = {"256": 32, "384": 48, "512": 64}


def check_message(algorithm: str, message_type: str, message: bytes) -> None:
    """Check that a message has a type and length that the algorithm can sign.

    Raises:
        ValidationException: a message type the algorithm does not have, or a digest of another
            length than its hash.
    """
    if message_type not in _types(algorithm):
        raise ValidationException(
            f"MessageType {message_type} is not supported for algorithm {algorithm}."
        )
    if message_type == "RAW":
        return
    expected = _expected_bytes(algorithm, message_type)
    if len(message) != expected:
        raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")


def _types(algorithm: str) -> tuple[str, ...]:
    if algorithm.startswith("ML_DSA"):
        return ("RAW", "EXTERNAL_MU")
    if algorithm == "ED25519_SHA_512":
        return ("RAW",)
    if algorithm == "ED25519_PH_SHA_512":
        return ("DIGEST",)
    return ("RAW", "DIGEST")


def _expected_bytes(algorithm: str, message_type: str) -> int:
    if message_type == "EXTERNAL_MU":
        return EXTERNAL_MU_BYTES
    if algorithm.startswith("ED25519"):
        return ED25519PH_DIGEST_BYTES
    return _DIGEST_BYTES[algorithm[-3:]]
