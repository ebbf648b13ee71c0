"""RSA: every size against the openssl command, both ways; limits; wrong schemes and keys."""

import functools
import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from kagimori_boundary.key_specs import RSA_ENCRYPTION, RSA_SIGNING, SPECS
from kagimori_hsm.algorithms import dispatch, rsa
from kagimori_hsm.refused import Reason, Refused

SPECS_OF_RSA = ["RSA_2048", "RSA_3072", "RSA_4096"]


@functools.cache
def made(spec):
    return rsa.generate(spec)


@functools.cache
def key_of(spec):
    return rsa.load(spec, made(spec))


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=False, capture_output=True)


def options(algorithm):
    bits = algorithm[-3:]
    if "PKCS1" in algorithm:
        return ["-pkeyopt", "rsa_padding_mode:pkcs1", "-pkeyopt", f"digest:sha{bits}"]
    return [
        "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest",
        "-pkeyopt", f"digest:sha{bits}", "-pkeyopt", f"rsa_mgf1_md:sha{bits}",
    ]  # fmt: skip


def oaep_options(algorithm):
    name = {"RSAES_OAEP_SHA_1": "sha1", "RSAES_OAEP_SHA_256": "sha256"}[algorithm]
    return [
        "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}",
        "-pkeyopt", f"rsa_mgf1_md:{name}",
    ]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    def write(**contents):
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


@pytest.mark.parametrize("spec", SPECS_OF_RSA)
@pytest.mark.parametrize("algorithm", RSA_SIGNING)
def test_signatures_and_openssl_agree(spec, algorithm, files):
    key, message = key_of(spec), b"a message"
    digest = hashlib.new(f"sha{algorithm[-3:]}", message).digest()
    of_message = rsa.sign(key, algorithm, "RAW", message)
    of_digest = rsa.sign(key, algorithm, "DIGEST", digest)
    at = files(private=made(spec), public=rsa.public_key_der(key), digest=digest, sig=of_message)
    for signature in (of_message, of_digest):
        assert len(signature) == SPECS[spec].signature_bytes
        (at / "sig").write_bytes(signature)
        verified = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", at / "public",
            "-in", at / "digest", "-sigfile", at / "sig", *options(algorithm),
        )  # fmt: skip
        assert verified.returncode == 0, verified
    theirs = openssl(
        "pkeyutl", "-sign", "-keyform", "DER", "-inkey", at / "private", "-in", at / "digest",
        *options(algorithm),
    ).stdout  # fmt: skip
    rsa.verify(key, algorithm, "RAW", message, theirs)
    rsa.verify(key, algorithm, "DIGEST", digest, theirs)


@pytest.mark.parametrize("spec", SPECS_OF_RSA)
@pytest.mark.parametrize("algorithm", RSA_ENCRYPTION)
def test_encryption_and_openssl_agree_up_to_the_limit(spec, algorithm, files):
    key = key_of(spec)
    longest = b"x" * SPECS[spec].plaintext_bytes_max[algorithm]
    sealed = rsa.encrypt(key, algorithm, longest)
    assert len(sealed) == SPECS[spec].ciphertext_bytes
    at = files(private=made(spec), public=rsa.public_key_der(key), sealed=sealed, plain=b"theirs")
    opened = openssl(
        "pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", at / "private", "-in", at / "sealed",
        *oaep_options(algorithm),
    )  # fmt: skip
    assert opened.stdout == longest
    theirs = openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", at / "public",
        "-in", at / "plain", *oaep_options(algorithm),
    ).stdout  # fmt: skip
    assert rsa.decrypt(key, algorithm, theirs) == b"theirs"
    assert reason_of(rsa.encrypt, key, algorithm, longest + b"x") is Reason.TOO_LONG


def test_the_library_and_our_load_agree_on_the_exponent():
    public = serialization.load_der_public_key(rsa.public_key_der(key_of("RSA_2048")))
    assert public.public_numbers().e == 65537


@pytest.mark.parametrize("algorithm", RSA_SIGNING)
def test_every_other_algorithm_key_message_and_length_is_refused(algorithm):
    key = key_of("RSA_2048")
    signature = rsa.sign(key, algorithm, "RAW", b"message")
    false = [(key, other, b"message", signature) for other in RSA_SIGNING if other != algorithm] + [
        (key, algorithm, b"Message", signature),
        (key_of("RSA_3072"), algorithm, b"message", signature),
        (key, algorithm, b"message", signature[:-1]),
        (key, algorithm, b"message", signature + b"\0"),
        (key, algorithm, b"message", b""),
        (key, algorithm, b"message", bytes(256)),
    ]
    for one_key, one_algorithm, message, one in false:
        refused = reason_of(rsa.verify, one_key, one_algorithm, "RAW", message, one)
        assert refused is Reason.INVALID_SIGNATURE


def test_raw_and_digest_are_not_mixed():
    key, algorithm, digest = key_of("RSA_2048"), "RSASSA_PSS_SHA_256", bytes(32)
    signature = rsa.sign(key, algorithm, "DIGEST", digest)
    refused = reason_of(rsa.verify, key, algorithm, "RAW", digest, signature)
    assert refused is Reason.INVALID_SIGNATURE


@pytest.mark.parametrize("algorithm", RSA_SIGNING)
def test_a_digest_has_the_length_of_its_hash(algorithm):
    right = int(algorithm[-3:]) // 8
    for length in {0, 20, 31, 32, 33, 48, 64, 65} - {right}:
        for args in [(rsa.sign, ()), (rsa.verify, (b"",))]:
            refused = reason_of(
                args[0], key_of("RSA_2048"), algorithm, "DIGEST", bytes(length), *args[1]
            )
            assert refused is Reason.BAD_DIGEST_LENGTH


@pytest.mark.parametrize("message_type", ["EXTERNAL_MU", "raw", ""])
def test_other_message_types_are_refused(message_type):
    refused = reason_of(rsa.sign, key_of("RSA_2048"), "RSASSA_PSS_SHA_256", message_type, bytes(32))
    assert refused is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "algorithm",
    ["", "SHA_256", "RSASSA_PSS_SHA_1", "RSASSA_PSS_RSASSA_PSS_SHA_256", "ECDSA_SHA_256"],
)
def test_other_algorithms_are_refused(algorithm):
    assert (
        reason_of(dispatch.sign, "RSA_2048", key_of("RSA_2048"), algorithm, "RAW", b"")
        is Reason.UNSUPPORTED
    )


def test_false_ciphertexts_are_refused_alike():
    key = key_of("RSA_2048")
    sealed = rsa.encrypt(key, "RSAES_OAEP_SHA_256", b"secret")
    modulus = key.public_key().public_numbers().n
    false = [
        ("RSAES_OAEP_SHA_1", sealed),
        ("RSAES_OAEP_SHA_256", sealed[:-1]),
        ("RSAES_OAEP_SHA_256", sealed + b"\0"),
        ("RSAES_OAEP_SHA_256", b""),
        ("RSAES_OAEP_SHA_256", bytes(256)),
        ("RSAES_OAEP_SHA_256", modulus.to_bytes(256, "big")),
        ("RSAES_OAEP_SHA_256", bytes((sealed[0] ^ 1,)) + sealed[1:]),
    ]
    for algorithm, ciphertext in false:
        refused = reason_of(rsa.decrypt, key, algorithm, ciphertext)
        assert refused is Reason.INVALID_CIPHERTEXT


def test_an_empty_plaintext_is_one():
    key = key_of("RSA_2048")
    sealed = rsa.encrypt(key, "RSAES_OAEP_SHA_1", b"")
    assert rsa.decrypt(key, "RSAES_OAEP_SHA_1", sealed) == b""


@pytest.mark.parametrize("material", [b"", b"\x30\x00", bytes(32)])
def test_what_is_no_key_does_not_load(material):
    assert reason_of(rsa.load, "RSA_2048", material) is Reason.INCORRECT_KEY_MATERIAL


def test_a_key_of_another_size_does_not_load():
    refused = reason_of(rsa.load, "RSA_3072", made("RSA_2048"))
    assert refused is Reason.INCORRECT_KEY_MATERIAL


def test_no_key_shows_itself():
    assert "PRIVATE" not in repr(key_of("RSA_2048"))
    assert str(key_of("RSA_2048").private_numbers().p) not in repr(key_of("RSA_2048"))
