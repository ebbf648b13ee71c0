"""ML-DSA and ML-KEM: sizes, modes, wrong keys and lengths (known answers: tests/vectors)."""

import hashlib

import pytest
from cryptography.hazmat.primitives import serialization

from kagimori_hsm.algorithms import ml_dsa, ml_kem
from kagimori_hsm.algorithms.specs import SPECS
from kagimori_hsm.refused import Reason, Refused

ALGORITHM = "ML_DSA_SHAKE_256"
SIGNERS = {s: ml_dsa.load(s, ml_dsa.generate(s)) for s in ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87")}
KEMS = {s: ml_kem.load(s, ml_kem.generate(s)) for s in ("ML_KEM_768", "ML_KEM_1024")}


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


@pytest.mark.parametrize("spec", SIGNERS)
def test_raw_is_the_mu_of_an_empty_context(spec):
    key = SIGNERS[spec]
    public = key.public_key().public_bytes_raw()
    tr = hashlib.shake_256(public).digest(64)
    mu = hashlib.shake_256(tr + b"\0\0" + b"message").digest(64)
    of_message = ml_dsa.sign(key, ALGORITHM, "RAW", b"message")
    of_mu = ml_dsa.sign(key, ALGORITHM, "EXTERNAL_MU", mu)
    for signature in (of_message, of_mu):
        assert len(signature) == SPECS[spec].signature_bytes
        ml_dsa.verify(key, ALGORITHM, "RAW", b"message", signature)
        ml_dsa.verify(key, ALGORITHM, "EXTERNAL_MU", mu, signature)


@pytest.mark.parametrize("spec", SIGNERS)
def test_false_signatures_are_refused(spec):
    key = SIGNERS[spec]
    right = ml_dsa.sign(key, ALGORITHM, "RAW", b"message")
    stranger = ml_dsa.load(spec, ml_dsa.generate(spec))
    for one_key, message, signature in [
        (stranger, b"message", right),
        (key, b"Message", right),
        (key, b"message", right[:-1]),
        (key, b"message", right + b"\0"),
        (key, b"message", b""),
        (key, b"message", bytes(len(right))),
    ]:
        refused = reason_of(ml_dsa.verify, one_key, ALGORITHM, "RAW", message, signature)
        assert refused is Reason.INVALID_SIGNATURE


@pytest.mark.parametrize(
    ("algorithm", "message_type", "length", "reason"),
    [
        (ALGORITHM, "DIGEST", 64, Reason.UNSUPPORTED),
        ("ECDSA_SHA_256", "RAW", 64, Reason.UNSUPPORTED),
        (ALGORITHM, "EXTERNAL_MU", 63, Reason.BAD_DIGEST_LENGTH),
        (ALGORITHM, "EXTERNAL_MU", 65, Reason.BAD_DIGEST_LENGTH),
        (ALGORITHM, "EXTERNAL_MU", 0, Reason.BAD_DIGEST_LENGTH),
    ],
)
def test_other_modes_and_lengths_are_refused(algorithm, message_type, length, reason):
    key, message = SIGNERS["ML_DSA_44"], bytes(length)
    assert reason_of(ml_dsa.sign, key, algorithm, message_type, message) is reason
    assert reason_of(ml_dsa.verify, key, algorithm, message_type, message, b"") is reason


@pytest.mark.parametrize("spec", KEMS)
def test_encapsulation(spec):
    key = KEMS[spec]
    secret, sealed = ml_kem.encapsulate(key, "ML_KEM")
    assert len(secret) == 32
    assert len(sealed) == SPECS[spec].ciphertext_bytes
    assert ml_kem.decapsulate(key, "ML_KEM", sealed) == secret
    # A sender who has nothing but the public key.
    public = serialization.load_der_public_key(ml_kem.public_key_der(key))
    theirs, their_sealed = public.encapsulate()
    assert ml_kem.decapsulate(key, "ML_KEM", their_sealed) == theirs


@pytest.mark.parametrize("spec", KEMS)
def test_a_false_ciphertext_gives_another_secret_and_always_the_same(spec):
    key = KEMS[spec]
    secret, sealed = ml_kem.encapsulate(key, "ML_KEM")
    false = bytes((sealed[0] ^ 1,)) + sealed[1:]
    got = ml_kem.decapsulate(key, "ML_KEM", false)
    assert got != secret
    assert len(got) == 32
    assert ml_kem.decapsulate(key, "ML_KEM", false) == got
    stranger = ml_kem.load(spec, ml_kem.generate(spec))
    assert ml_kem.decapsulate(stranger, "ML_KEM", sealed) != secret


@pytest.mark.parametrize("spec", KEMS)
def test_a_ciphertext_of_another_length_is_refused(spec):
    right = SPECS[spec].ciphertext_bytes
    for length in {0, 1, 768, 1088, 1568, right - 1, right + 1} - {right}:
        refused = reason_of(ml_kem.decapsulate, KEMS[spec], "ML_KEM", bytes(length))
        assert refused is Reason.INVALID_CIPHERTEXT
    assert reason_of(ml_kem.decapsulate, KEMS[spec], "RSA", bytes(right)) is Reason.UNSUPPORTED
    assert reason_of(ml_kem.encapsulate, KEMS[spec], "RSA") is Reason.UNSUPPORTED


def test_material_is_the_seed_form():
    assert len(ml_dsa.generate("ML_DSA_87")) == 54
    assert len(ml_kem.generate("ML_KEM_1024")) == 86
