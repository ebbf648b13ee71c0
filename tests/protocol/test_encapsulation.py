"""Encapsulate and Decapsulate against cryptography's ML-KEM. Reference: 3.7."""

import os

import pytest
from cryptography.hazmat.primitives import serialization

from serving import refused

CIPHERTEXT_BYTES = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}
EVERY = pytest.mark.parametrize("spec", CIPHERTEXT_BYTES)


@pytest.fixture(scope="module")
def keys(kms):
    return {
        spec: kms.create_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["Arn"]
        for spec in CIPHERTEXT_BYTES
    }


def decapsulate(kms, key, blob, **options):
    return kms.decapsulate(
        KeyId=key, SharedSecretCiphertextBlob=blob, EncapsulationAlgorithm="ML_KEM", **options
    )


@EVERY
def test_what_is_encapsulated_is_found_again(kms, keys, spec):
    answer = kms.encapsulate(KeyId=keys[spec], EncapsulationAlgorithm="ML_KEM")
    answer.pop("ResponseMetadata")
    secret, blob = answer.pop("SharedSecret"), answer.pop("SharedSecretCiphertextBlob")
    assert answer == {"KeyId": keys[spec], "EncapsulationAlgorithm": "ML_KEM"}
    assert (len(secret), len(blob)) == (32, CIPHERTEXT_BYTES[spec])
    found = decapsulate(kms, keys[spec], blob)
    found.pop("ResponseMetadata")
    expected = {"KeyId": keys[spec], "EncapsulationAlgorithm": "ML_KEM", "SharedSecret": secret}
    assert found == expected
    again = kms.encapsulate(KeyId=keys[spec], EncapsulationAlgorithm="ML_KEM")
    assert again["SharedSecret"] != secret


@EVERY
def test_anyone_encapsulates_with_the_public_key(kms, keys, spec):
    shown = kms.get_public_key(KeyId=keys[spec])
    assert shown["EncapsulationAlgorithms"] == ["ML_KEM"]
    assert "CustomerMasterKeySpec" not in shown
    secret, blob = serialization.load_der_public_key(shown["PublicKey"]).encapsulate()
    if len(blob) == 32:
        secret, blob = blob, secret
    assert decapsulate(kms, keys[spec], blob)["SharedSecret"] == secret


@EVERY
def test_wrong_ciphertext_of_the_right_length_gives_another_secret(kms, keys, spec):
    answer = kms.encapsulate(KeyId=keys[spec], EncapsulationAlgorithm="ML_KEM")
    blob = bytearray(answer["SharedSecretCiphertextBlob"])
    blob[100] ^= 1
    rejected = decapsulate(kms, keys[spec], bytes(blob))["SharedSecret"]
    assert len(rejected) == 32
    assert rejected != answer["SharedSecret"]
    assert decapsulate(kms, keys[spec], bytes(blob))["SharedSecret"] == rejected
    assert len(decapsulate(kms, keys[spec], os.urandom(len(blob)))["SharedSecret"]) == 32


@EVERY
@pytest.mark.parametrize("off_by", [-1, 1, -1087])
def test_ciphertext_of_another_length(kms, keys, spec, off_by):
    with refused("InvalidCiphertextException", ""):
        decapsulate(kms, keys[spec], bytes(CIPHERTEXT_BYTES[spec] + off_by))


def test_keys_of_another_usage(kms, key):
    text = f"{key} key usage is ENCRYPT_DECRYPT which is not valid for "
    with refused("InvalidKeyUsageException", text + "Encapsulate."):
        kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    with refused("InvalidKeyUsageException", text + "Decapsulate."):
        decapsulate(kms, key, bytes(1088))


def test_kem_key_is_for_nothing_else(kms, keys):
    key = keys["ML_KEM_768"]
    text = f"{key} key usage is ENCAPSULATE_DECAPSULATE which is not valid for "
    with refused("InvalidKeyUsageException", text + "Encrypt."):
        kms.encrypt(KeyId=key, Plaintext=b"p")
    with refused("InvalidKeyUsageException", text + "Verify."):
        kms.verify(KeyId=key, Message=b"m", Signature=b"s", SigningAlgorithm="ML_DSA_SHAKE_256")
    assert "CustomerMasterKeySpec" not in kms.describe_key(KeyId=key)["KeyMetadata"]


def test_kem_keys_are_not_imported(kms):
    with refused("ValidationException", "KeySpec ML_KEM_768 is not supported for Origin EXTERNAL"):
        kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE", Origin="EXTERNAL")


def test_smallest_size_is_not_offered(kms):
    with refused("UnsupportedOperationException"):
        kms.create_key(KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE")


def test_states(kms, keys):
    key = kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"][
        "Arn"
    ]
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    with refused("DisabledException", f"{key} is disabled."):
        decapsulate(kms, key, bytes(1088))
