"""Curves, Weierstrass and Edwards: against the openssl command and PyNaCl, both ways."""

import hashlib
import subprocess

import nacl.exceptions
import nacl.signing
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from nacl.bindings import (
    crypto_sign_ed25519ph_final_create,
    crypto_sign_ed25519ph_final_verify,
    crypto_sign_ed25519ph_state,
    crypto_sign_ed25519ph_update,
)

from kagimori_hsm.algorithms import edwards, elliptic
from kagimori_hsm.refused import Reason, Refused

SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
ALGORITHM = {
    "ECC_NIST_P256": "ECDSA_SHA_256",
    "ECC_NIST_P384": "ECDSA_SHA_384",
    "ECC_NIST_P521": "ECDSA_SHA_512",
    "ECC_SECG_P256K1": "ECDSA_SHA_256",
}
SHARED_BYTES = {"ECC_NIST_P256": 32, "ECC_NIST_P384": 48, "ECC_NIST_P521": 66}
EDWARDS = "ECC_NIST_EDWARDS25519"
PH = "ED25519_PH_SHA_512"
MATERIAL = {spec: elliptic.generate(spec) for spec in ALGORITHM}
KEYS = {spec: elliptic.load(spec, material) for spec, material in MATERIAL.items()}


@pytest.fixture(scope="module")
def edwards_key():
    return edwards.load(EDWARDS, edwards.generate(EDWARDS))


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=False, capture_output=True)


@pytest.mark.parametrize("spec", ALGORITHM)
def test_ecdsa_and_openssl_agree(spec, tmp_path):
    key, algorithm, message = KEYS[spec], ALGORITHM[spec], b"a message"
    digest = hashlib.new(f"sha{algorithm[-3:]}", message).digest()
    (tmp_path / "private").write_bytes(MATERIAL[spec])
    (tmp_path / "public").write_bytes(elliptic.public_key_der(key))
    (tmp_path / "digest").write_bytes(digest)
    for args in (("RAW", message), ("DIGEST", digest)):
        (tmp_path / "sig").write_bytes(elliptic.sign(key, algorithm, *args))
        verified = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", tmp_path / "public",
            "-in", tmp_path / "digest", "-sigfile", tmp_path / "sig",
        )  # fmt: skip
        assert verified.returncode == 0, verified
    theirs = openssl(
        "pkeyutl", "-sign", "-keyform", "DER", "-inkey", tmp_path / "private",
        "-in", tmp_path / "digest",
    ).stdout  # fmt: skip
    elliptic.verify(key, algorithm, "RAW", message, theirs)
    elliptic.verify(key, algorithm, "DIGEST", digest, theirs)


@pytest.mark.parametrize("spec", ALGORITHM)
def test_false_ecdsa_signatures_are_refused(spec):
    key, algorithm = KEYS[spec], ALGORITHM[spec]
    signature = elliptic.sign(key, algorithm, "RAW", b"message")
    other = elliptic.load(spec, elliptic.generate(spec))
    false = [
        (other, b"message", signature),
        (key, b"Message", signature),
        (key, b"message", signature[:-1]),
        (key, b"message", signature + b"\0"),
        (key, b"message", b""),
        (key, b"message", bytes.fromhex("3006020100020100")),
        (key, b"message", bytes.fromhex("3006020101020101")),
    ]
    for one_key, message, one in false:
        refused = reason_of(elliptic.verify, one_key, algorithm, "RAW", message, one)
        assert refused is Reason.INVALID_SIGNATURE


@pytest.mark.parametrize("spec", ALGORITHM)
def test_a_curve_has_one_hash_and_digests_its_length(spec):
    key, algorithm = KEYS[spec], ALGORITHM[spec]
    for other in {*ALGORITHM.values(), "ECDSA_SHA_1", "ED25519_SHA_512"} - {algorithm}:
        assert reason_of(elliptic.sign, key, other, "RAW", b"m") is Reason.UNSUPPORTED
    assert reason_of(elliptic.sign, key, algorithm, "EXTERNAL_MU", bytes(64)) is Reason.UNSUPPORTED
    for length in {0, 20, 32, 48, 64, 66} - {int(algorithm[-3:]) // 8}:
        refused = reason_of(elliptic.sign, key, algorithm, "DIGEST", bytes(length))
        assert refused is Reason.BAD_DIGEST_LENGTH


@pytest.mark.parametrize("spec", SHARED_BYTES)
def test_ecdh_and_openssl_agree(spec, tmp_path):
    ours, peer = KEYS[spec], elliptic.generate(spec)
    peer_key = elliptic.load(spec, peer)
    shared = elliptic.derive(ours, "ECDH", elliptic.public_key_der(peer_key))
    assert len(shared) == SHARED_BYTES[spec]
    (tmp_path / "peer").write_bytes(peer)
    (tmp_path / "public").write_bytes(elliptic.public_key_der(ours))
    theirs = openssl(
        "pkeyutl", "-derive", "-keyform", "DER", "-inkey", tmp_path / "peer",
        "-peerform", "DER", "-peerkey", tmp_path / "public",
    )  # fmt: skip
    assert theirs.stdout == shared


def test_false_peer_keys_are_refused(tmp_path):
    key = KEYS["ECC_NIST_P256"]
    right = elliptic.public_key_der(key)
    point = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    compressed = right[:-65] + point.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    openssl("ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout",
            "-out", tmp_path / "key")  # fmt: skip
    explicit = openssl(
        "pkey", "-in", tmp_path / "key", "-pubout", "-outform", "DER",
    ).stdout  # fmt: skip
    assert len(explicit) > 200
    ed = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*SPKI)
    false = {
        "another curve": elliptic.public_key_der(KEYS["ECC_NIST_P384"]),
        "a curve as long": elliptic.public_key_der(KEYS["ECC_SECG_P256K1"]),
        "another family": ed,
        "off the curve": right[:-1] + bytes((right[-1] ^ 1,)),
        "infinity": bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d03010703020000"),
        "compressed, its length a lie": compressed,
        "parameters spelt out": explicit,
        "cut": right[:-1],
        "longer": right + b"\0",
        "empty": b"",
        "a private key": MATERIAL["ECC_NIST_P256"],
    }
    for name, peer in false.items():
        assert reason_of(elliptic.derive, key, "ECDH", peer) is Reason.INVALID_PUBLIC_KEY, name


def test_only_the_nist_curves_agree_on_keys():
    key = KEYS["ECC_SECG_P256K1"]
    peer = elliptic.public_key_der(key)
    assert reason_of(elliptic.derive, key, "ECDH", peer) is Reason.UNSUPPORTED
    key = KEYS["ECC_NIST_P256"]
    assert reason_of(elliptic.derive, key, "X25519", peer) is Reason.UNSUPPORTED


def test_ed25519_pynacl_and_openssl_agree(edwards_key, tmp_path):
    theirs = nacl.signing.SigningKey(edwards_key.private_bytes_raw())
    signature = edwards.sign(edwards_key, "ED25519_SHA_512", "RAW", b"message")
    assert theirs.sign(b"message").signature == signature
    (tmp_path / "public").write_bytes(edwards.public_key_der(edwards_key))
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "sig").write_bytes(signature)
    verified = openssl(
        "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER",
        "-inkey", tmp_path / "public", "-in", tmp_path / "message", "-sigfile", tmp_path / "sig",
    )  # fmt: skip
    assert verified.returncode == 0, verified


def test_ed25519ph_takes_the_digest_as_its_message(edwards_key):
    digest = hashlib.sha512(b"message").digest()
    secret = edwards_key.private_bytes_raw() + edwards_key.public_key().public_bytes_raw()
    signature = edwards.sign(edwards_key, PH, "DIGEST", digest)
    edwards.verify(edwards_key, PH, "DIGEST", digest, signature)
    state = crypto_sign_ed25519ph_state()
    crypto_sign_ed25519ph_update(state, digest)
    assert crypto_sign_ed25519ph_final_create(state, secret) == signature
    once = crypto_sign_ed25519ph_state()
    crypto_sign_ed25519ph_update(once, b"message")
    with pytest.raises(nacl.exceptions.BadSignatureError):
        crypto_sign_ed25519ph_final_verify(once, signature, secret[32:])


@pytest.mark.parametrize(
    ("algorithm", "message_type", "length", "reason"),
    [
        ("ED25519_SHA_512", "DIGEST", 64, Reason.UNSUPPORTED),
        ("ED25519_SHA_512", "EXTERNAL_MU", 64, Reason.UNSUPPORTED),
        (PH, "RAW", 64, Reason.UNSUPPORTED),
        (PH, "EXTERNAL_MU", 64, Reason.UNSUPPORTED),
        ("ECDSA_SHA_256", "RAW", 64, Reason.UNSUPPORTED),
        (PH, "DIGEST", 63, Reason.BAD_DIGEST_LENGTH),
        (PH, "DIGEST", 32, Reason.BAD_DIGEST_LENGTH),
        (PH, "DIGEST", 65, Reason.BAD_DIGEST_LENGTH),
    ],
)
def test_pure_and_prehashed_are_not_confused(edwards_key, algorithm, message_type, length, reason):
    message = bytes(length)
    assert reason_of(edwards.sign, edwards_key, algorithm, message_type, message) is reason
    args = (edwards_key, algorithm, message_type, message, bytes(64))
    assert reason_of(edwards.verify, *args) is reason


@pytest.mark.parametrize(("algorithm", "kind"), [("ED25519_SHA_512", "RAW"), (PH, "DIGEST")])
def test_false_edwards_signatures_are_refused(edwards_key, algorithm, kind):
    message = bytes(64)
    right = edwards.sign(edwards_key, algorithm, kind, message)
    other_kind = {"ED25519_SHA_512": (PH, "DIGEST"), PH: ("ED25519_SHA_512", "RAW")}[algorithm]
    of_the_other = edwards.sign(edwards_key, *other_kind, message)
    for signature in (b"", right[:-1], right + b"\0", bytes(64), b"\xff" * 64, of_the_other):
        refused = reason_of(edwards.verify, edwards_key, algorithm, kind, message, signature)
        assert refused is Reason.INVALID_SIGNATURE
    stranger = edwards.load(EDWARDS, edwards.generate(EDWARDS))
    refused = reason_of(edwards.verify, stranger, algorithm, kind, message, right)
    assert refused is Reason.INVALID_SIGNATURE
