"""Symmetric encryption and MACs: nothing opens but what was closed, whole and with its context."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori_hsm.algorithms import mac, symmetric
from kagimori_hsm.refused import Reason, Refused

BOUND = {"header": b"\x01header", "aad": b"context", "nonce16": b"n" * 16, "iv12": b"i" * 12}


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


@given(st.binary(max_size=4096), st.binary(max_size=200), st.binary(max_size=200))
def test_what_was_encrypted_decrypts(plaintext, header, aad):
    key = symmetric.generate()
    bound = BOUND | {"header": header, "aad": aad}
    sealed = symmetric.Cipher(key).encrypt(**bound, plaintext=plaintext)
    assert len(sealed) == len(plaintext) + 16
    assert symmetric.Cipher(key).decrypt(**bound, ciphertext=sealed) == plaintext


@pytest.mark.parametrize(
    "change",
    [
        {"header": b"\x02header"},
        {"aad": b"contexT"},
        {"aad": b""},
        {"nonce16": b"m" * 16},
        {"iv12": b"j" * 12},
        {"nonce16": b"n" * 15},
        {"iv12": b""},
    ],
)
def test_anything_bound_that_differs_is_refused(change):
    key = bytes(range(32))
    sealed = symmetric.Cipher(key).encrypt(**BOUND, plaintext=b"secret")
    refused = reason_of(symmetric.Cipher(key).decrypt, **(BOUND | change), ciphertext=sealed)
    assert refused is Reason.INVALID_CIPHERTEXT


def test_every_byte_and_every_cut_of_the_ciphertext_is_guarded():
    key = bytes(range(32))
    sealed = symmetric.Cipher(key).encrypt(**BOUND, plaintext=b"secret")
    spoilt = [sealed[:i] + bytes((sealed[i] ^ 1,)) + sealed[i + 1 :] for i in range(len(sealed))]
    cut = [sealed[:i] for i in range(len(sealed))] + [sealed + b"\0"]
    for ciphertext in spoilt + cut:
        refused = reason_of(symmetric.Cipher(key).decrypt, **BOUND, ciphertext=ciphertext)
        assert refused is Reason.INVALID_CIPHERTEXT


def test_another_backing_key_is_refused():
    sealed = symmetric.Cipher(bytes(32)).encrypt(**BOUND, plaintext=b"secret")
    refused = reason_of(symmetric.Cipher(b"\1" * 32).decrypt, **BOUND, ciphertext=sealed)
    assert refused is Reason.INVALID_CIPHERTEXT


@pytest.mark.parametrize(
    ("key", "change"),
    [(bytes(31), {}), (bytes(33), {}), (bytes(32), {"nonce16": b""}), (bytes(32), {"iv12": b""})],
)
def test_wrong_lengths_in_encryption_are_faults(key, change):
    with pytest.raises(ValueError, match=r"bytes"):
        symmetric.Cipher(key).encrypt(**(BOUND | change), plaintext=b"")


def test_a_cipher_that_derived_one_key_derives_the_next_as_a_new_one_does():
    cipher = symmetric.Cipher(bytes(32))
    for number in range(3):
        bound = BOUND | {"nonce16": bytes([number]) * 16}
        sealed = cipher.encrypt(**bound, plaintext=b"secret")
        assert symmetric.Cipher(bytes(32)).encrypt(**bound, plaintext=b"secret") == sealed
        assert cipher.decrypt(**bound, ciphertext=sealed) == b"secret"


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs_are_those_of_the_standard_library(bits):
    spec, algorithm = f"HMAC_{bits}", f"HMAC_SHA_{bits}"
    material = mac.load(spec, mac.generate(spec))
    assert len(material) == bits // 8
    tag = mac.mac(material, algorithm, b"message")
    assert tag == hmac.new(material, b"message", getattr(hashlib, f"sha{bits}")).digest()
    mac.verify(material, algorithm, b"message", tag)
    for message, false in [
        (b"message", tag[:-1]),
        (b"message", tag + b"\0"),
        (b"message", b""),
        (b"message", bytes(len(tag))),
        (b"Message", tag),
    ]:
        refused = reason_of(mac.verify, material, algorithm, message, false)
        assert refused is Reason.INVALID_MAC


@pytest.mark.parametrize(
    ("spec", "length", "right"),
    [
        ("HMAC_224", 27, False), ("HMAC_224", 28, True),
        ("HMAC_256", 31, False), ("HMAC_256", 32, True),
        ("HMAC_384", 47, False), ("HMAC_384", 48, True),
        ("HMAC_512", 63, False), ("HMAC_512", 64, True),
        ("HMAC_224", 128, True), ("HMAC_512", 128, True), ("HMAC_224", 129, False),
    ],
)  # fmt: skip
def test_lengths_of_mac_material(spec, length, right):
    if right:
        assert mac.load(spec, bytes(length)) == bytes(length)
    else:
        assert reason_of(mac.load, spec, bytes(length)) is Reason.INCORRECT_KEY_MATERIAL


def test_unknown_mac_algorithms_are_refused():
    assert reason_of(mac.mac, bytes(32), "HMAC_MD5", b"") is Reason.UNSUPPORTED
