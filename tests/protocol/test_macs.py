"""GenerateMac and VerifyMac against the standard library. Reference: 3.5, 5.2."""

import hashlib
import hmac
import os

import pytest

import outside
from serving import refused

SPECS = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
EVERY = pytest.mark.parametrize("spec", SPECS)
MESSAGE = b"what is to be authenticated"


def algorithm_of(spec):
    return spec.replace("HMAC_", "HMAC_SHA_")


def new_key(kms, spec):
    made = kms.create_key(KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC")
    return made["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def keys(kms):
    return {spec: new_key(kms, spec) for spec in SPECS}


@EVERY
def test_mac_verifies_and_nothing_else_does(kms, keys, spec):
    key, algorithm = keys[spec], algorithm_of(spec)
    made = kms.generate_mac(KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm)
    made.pop("ResponseMetadata")
    mac = made.pop("Mac")
    assert made == {"KeyId": key, "MacAlgorithm": algorithm}
    assert len(mac) == SPECS[spec]
    given = {"KeyId": key, "MacAlgorithm": algorithm}
    verified = kms.verify_mac(Message=MESSAGE, Mac=mac, **given)
    verified.pop("ResponseMetadata")
    assert verified == {"KeyId": key, "MacAlgorithm": algorithm, "MacValid": True}
    wrong = (mac[:-1], mac + b"\0", mac[:16], b"x", bytes([mac[0] ^ 1]) + mac[1:])
    for other in wrong:
        with refused("KMSInvalidMacException", ""):
            kms.verify_mac(Message=MESSAGE, Mac=other, **given)
    with refused("KMSInvalidMacException", ""):
        kms.verify_mac(Message=MESSAGE + b"\0", Mac=mac, **given)


@EVERY
@pytest.mark.parametrize("length", ["spec", 128])
def test_mac_of_imported_material_is_hmac(kms, spec, length):
    material = os.urandom(SPECS[spec] if length == "spec" else length)
    key = outside.new_imported_key(kms, material, spec)
    expected = hmac.digest(material, MESSAGE, getattr(hashlib, f"sha{spec[5:]}"))
    given = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": algorithm_of(spec)}
    assert kms.generate_mac(**given)["Mac"] == expected
    assert kms.verify_mac(Mac=expected, **given)["MacValid"] is True


@EVERY
def test_mac_by_openssl(kms, spec):
    material = os.urandom(SPECS[spec])
    key = outside.new_imported_key(kms, material, spec)
    made = outside.openssl(
        "dgst", f"-sha{spec[5:]}", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}",
        "-binary", "in", **{"in": MESSAGE},
    )  # fmt: skip
    given = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": algorithm_of(spec)}
    assert kms.verify_mac(Mac=made, **given)["MacValid"] is True


@EVERY
def test_algorithms_of_other_specs(kms, keys, spec):
    for other in SPECS:
        if other == spec:
            continue
        algorithm = algorithm_of(other)
        text = f"Algorithm {algorithm} is incompatible with key spec {spec}."
        with refused("InvalidKeyUsageException", text):
            kms.generate_mac(KeyId=keys[spec], Message=b"m", MacAlgorithm=algorithm)
        with refused("InvalidKeyUsageException", text):
            kms.verify_mac(KeyId=keys[spec], Message=b"m", Mac=b"m", MacAlgorithm=algorithm)


def test_message_sizes(kms, keys):
    given = {"KeyId": keys["HMAC_256"], "MacAlgorithm": "HMAC_SHA_256"}
    for length in (1, 4096):
        mac = kms.generate_mac(Message=bytes(length), **given)["Mac"]
        assert kms.verify_mac(Message=bytes(length), Mac=mac, **given)["MacValid"]
    for length in (0, 4097):
        with refused("ValidationException"):
            kms.generate_mac(Message=bytes(length), **given)


def test_encryption_key_makes_no_mac(kms, key):
    text = f"{key} key usage is ENCRYPT_DECRYPT which is not valid for "
    with refused("InvalidKeyUsageException", text + "GenerateMac."):
        kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")
    with refused("InvalidKeyUsageException", text + "VerifyMac."):
        kms.verify_mac(KeyId=key, Message=b"m", Mac=b"m", MacAlgorithm="HMAC_SHA_256")


def test_mac_key_encrypts_and_signs_nothing(kms, keys):
    key = keys["HMAC_256"]
    text = f"{key} key usage is GENERATE_VERIFY_MAC which is not valid for "
    with refused("InvalidKeyUsageException", text + "Encrypt."):
        kms.encrypt(KeyId=key, Plaintext=b"p")
    with refused("InvalidKeyUsageException", text + "Sign."):
        kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")
    with refused("InvalidKeyUsageException", text + "GenerateDataKeyPair."):
        kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")


def test_material_ids_are_no_macs_and_not_shown(kms, keys):
    for key in keys.values():
        assert "CurrentKeyMaterialId" not in kms.describe_key(KeyId=key)["KeyMetadata"]
        with refused("UnsupportedOperationException", ""):
            kms.list_key_rotations(KeyId=key)


def test_two_keys_give_two_macs(kms, keys):
    other = new_key(kms, "HMAC_256")
    given = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    mac = kms.generate_mac(KeyId=keys["HMAC_256"], **given)["Mac"]
    assert mac != kms.generate_mac(KeyId=other, **given)["Mac"]
    with refused("KMSInvalidMacException", ""):
        kms.verify_mac(KeyId=other, Mac=mac, **given)
