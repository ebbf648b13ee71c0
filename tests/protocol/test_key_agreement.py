"""DeriveSharedSecret against cryptography and openssl. Reference: 3.6."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

import outside
from serving import refused

CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
}
SECRET_BYTES = {"ECC_NIST_P256": 32, "ECC_NIST_P384": 48, "ECC_NIST_P521": 66}
EVERY = pytest.mark.parametrize("spec", CURVES)


def spki(public_key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(serialization.Encoding.DER, form)


@pytest.fixture(scope="module")
def keys(kms):
    return {
        spec: kms.create_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["Arn"]
        for spec in CURVES
    }


def derive(kms, key, public_key, **options):
    return kms.derive_shared_secret(
        KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=public_key, **options
    )


@EVERY
def test_both_sides_find_the_same(kms, keys, spec):
    theirs = ec.generate_private_key(CURVES[spec]())
    answer = derive(kms, keys[spec], spki(theirs.public_key()))
    answer.pop("ResponseMetadata")
    secret = answer.pop("SharedSecret")
    assert answer == {"KeyId": keys[spec], "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS"}
    assert len(secret) == SECRET_BYTES[spec]
    shown = kms.get_public_key(KeyId=keys[spec])
    assert shown["KeyAgreementAlgorithms"] == ["ECDH"]
    ours = serialization.load_der_public_key(shown["PublicKey"])
    assert theirs.exchange(ec.ECDH(), ours) == secret


@EVERY
def test_openssl_finds_the_same(kms, keys, spec):
    theirs = outside.new_private_key(spec)
    secret = derive(kms, keys[spec], outside.public_key_of(theirs))["SharedSecret"]
    ours = kms.get_public_key(KeyId=keys[spec])["PublicKey"]
    pem = outside.openssl("pkey", "-pubin", "-inform", "DER", "-in", "key", "-pubout", key=ours)
    found = outside.openssl(
        "pkeyutl", "-derive", "-keyform", "DER", "-inkey", "key", "-peerkey", "peer", "-out", "out",
        key=theirs, peer=pem,
    )  # fmt: skip
    assert found == secret


def test_imported_key_agrees_as_itself(kms):
    private_key = outside.new_private_key("ECC_NIST_P256")
    key = outside.new_imported_key(kms, private_key, "ECC_NIST_P256", "KEY_AGREEMENT")
    theirs = ec.generate_private_key(ec.SECP256R1())
    answer = derive(kms, key, spki(theirs.public_key()))
    assert answer["KeyOrigin"] == "EXTERNAL"
    ours = serialization.load_der_private_key(private_key, None)
    assert answer["SharedSecret"] == ours.exchange(ec.ECDH(), theirs.public_key())


def compressed(public_key):
    """The same key with a compressed point: 04 || x || y becomes 02/03 || x."""
    point = public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    head = spki(public_key)[:23]
    algorithm = head[2:]
    body = bytes([0x03, len(point) + 1, 0]) + point
    return bytes([0x30, len(algorithm) + len(body)]) + algorithm + body


def off_curve():
    good = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    return good[:-1] + bytes([good[-1] ^ 1])


def point_at_infinity():
    algorithm = spki(ec.generate_private_key(ec.SECP256R1()).public_key())[2:23]
    body = bytes([0x03, 2, 0, 0])
    return bytes([0x30, len(algorithm) + len(body)]) + algorithm + body


BAD = {
    "words": lambda: b"not a key",
    "another curve": lambda: spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
    "secp256k1": lambda: spki(ec.generate_private_key(ec.SECP256K1()).public_key()),
    "rsa": lambda: spki(rsa.generate_private_key(65537, 2048).public_key()),
    "ed25519": lambda: spki(ed25519.Ed25519PrivateKey.generate().public_key()),
    "x25519": lambda: spki(x25519.X25519PrivateKey.generate().public_key()),
    "private": lambda: outside.new_private_key("ECC_NIST_P256"),
    "cut short": lambda: spki(ec.generate_private_key(ec.SECP256R1()).public_key())[:-1],
    "bytes after it": lambda: spki(ec.generate_private_key(ec.SECP256R1()).public_key()) + b"\0",
    "off the curve": off_curve,
    "infinity": point_at_infinity,
    "zeros": lambda: bytes(91),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_peer_key_is_refused_without_a_word(kms, keys, name):
    with refused("ValidationException", ""):
        derive(kms, keys["ECC_NIST_P256"], BAD[name]())


def test_compressed_point_is_accepted_or_refused(kms, keys):
    theirs = ec.generate_private_key(ec.SECP256R1())
    whole = derive(kms, keys["ECC_NIST_P256"], spki(theirs.public_key()))["SharedSecret"]
    try:
        found = derive(kms, keys["ECC_NIST_P256"], compressed(theirs.public_key()))["SharedSecret"]
    except kms.exceptions.ClientError as problem:
        assert problem.response["Error"]["Code"] == "ValidationException"
    else:
        assert found == whole


def test_size_limits(kms, keys):
    for size in (0, 8193):
        with refused("ValidationException"):
            derive(kms, keys["ECC_NIST_P256"], bytes(size))


def test_agreement_key_does_not_sign(kms, keys):
    key = keys["ECC_NIST_P256"]
    text = f"{key} key usage is KEY_AGREEMENT which is not valid for Sign."
    with refused("InvalidKeyUsageException", text):
        kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")


@pytest.mark.parametrize(
    "spec", ["RSA_2048", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "HMAC_256"]
)
def test_keys_that_agree_on_nothing(kms, spec):
    text = f"KeyUsage KEY_AGREEMENT is not compatible with KeySpec {spec}"
    with refused("ValidationException", text):
        kms.create_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")


def test_states(kms):
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["Arn"]
    peer = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        derive(kms, key, peer)
    kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        derive(kms, key, peer)
