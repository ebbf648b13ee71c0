"""Envelopes for attested recipients: the openssl command opens and shows them."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kagimori_hsm.algorithms import recipient
from kagimori_hsm.refused import Reason, Refused

SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def opened(key, tmp_path):
    def open_it(envelope):
        (tmp_path / "envelope").write_bytes(envelope)
        (tmp_path / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return subprocess.run(
            ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER",
             "-in", tmp_path / "envelope", "-inkey", tmp_path / "key.pem"],
            check=False, capture_output=True,
        )  # fmt: skip

    return open_it


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 127, 128, 1219, 4096, 6144])
def test_openssl_opens_it(key, opened, length):
    plaintext = bytes(range(256)) * 24
    envelope = recipient.envelope(key.public_key().public_bytes(*SPKI), plaintext[:length])
    result = opened(envelope)
    assert result.returncode == 0, result
    assert result.stdout == plaintext[:length]


def test_it_says_what_aws_says(key, tmp_path):
    public = key.public_key()
    (tmp_path / "envelope").write_bytes(
        recipient.envelope(public.public_bytes(*SPKI), b"plaintext")
    )
    shown = subprocess.run(
        ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", tmp_path / "envelope"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for expected in (
        "pkcs7-envelopedData (1.2.840.113549.1.7.3)",
        "d.ktri:",
        "d.subjectKeyIdentifier:",
        "rsaesOaep (1.2.840.113549.1.1.7)",
        "aes-256-cbc (2.16.840.1.101.3.4.1.42)",
    ):
        assert expected in shown
    assert shown.count("d.ktri") == 1
    identifier = x509.SubjectKeyIdentifier.from_public_key(public).digest
    assert identifier in (tmp_path / "envelope").read_bytes()


def test_another_key_does_not_open_it(opened):
    stranger = rsa.generate_private_key(65537, 2048).public_key().public_bytes(*SPKI)
    plaintext = b"a plaintext long enough to be told apart"
    result = opened(recipient.envelope(stranger, plaintext))
    assert plaintext not in result.stdout


def test_no_two_envelopes_are_alike(key):
    public = key.public_key().public_bytes(*SPKI)
    assert recipient.envelope(public, b"same") != recipient.envelope(public, b"same")


def test_what_is_no_rsa_key_of_size_is_refused(key):
    numbers = key.public_key().public_numbers()
    even = rsa.RSAPublicNumbers(numbers.e, numbers.n ^ 1).public_key().public_bytes(*SPKI)
    wrong = [
        b"",
        even,
        b"\x30\0",
        key.public_key().public_bytes(*SPKI)[:-1],
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*SPKI),
        rsa.generate_private_key(65537, 1024).public_key().public_bytes(*SPKI),
    ]
    for public in wrong:
        with pytest.raises(Refused) as refused:
            recipient.envelope(public, b"plaintext")
        assert refused.value.reason is Reason.INVALID_PUBLIC_KEY
