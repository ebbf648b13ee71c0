"""A certificate authority of a deployment's own, and the server certificate it signs."""

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

AUTHORITY_VALID: Final = dt.timedelta(days=3653)
# Apple's clients trust no server certificate for longer.
SERVER_VALID: Final = dt.timedelta(days=825)
# A client's clock may be a little behind ours.
BACKDATED: Final = dt.timedelta(hours=1)
ALWAYS: Final = ("localhost", "127.0.0.1", "::1")


class CertificateFiles(Struct, frozen=True):
    """The files of the certificate authority and the server certificate."""

    authority: Path
    certificate: Path
    key: Path


class Certificates(Struct, frozen=True):
    """The same in memory, as PEM. The authority's key is gone: nothing more can be signed."""

    authority: bytes
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "Certificates(…)"


def make_certificate_authority(directory: Path, hosts: Sequence[str]) -> CertificateFiles:
    """Write `ca.pem`, `server.pem` and `server.key` (0600), valid for `hosts` and this machine.

    Raises:
        OSError: a file cannot be written.
        ValueError: a host is neither an address nor a name.
    """
    made = make_certificates(hosts, dt.datetime.now(dt.UTC))
    files = CertificateFiles(
        directory / "ca.pem", directory / "server.pem", directory / "server.key"
    )
    files.authority.write_bytes(made.authority)
    files.certificate.write_bytes(made.certificate)
    files.key.unlink(missing_ok=True)
    # Born with its mode: never readable by others, not even for a moment.
    descriptor = os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as key_file:
        key_file.write(made.key)
    return files


def make_certificates(hosts: Sequence[str], now: dt.datetime) -> Certificates:
    """Return a new authority (10 years) and a server certificate from it (825 days), P-256.

    Source: RFC 5280, section 4.2.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    certificate = _server(server_key, authority_key, authority, names=[*hosts, *ALWAYS], now=now)
    pem = serialization.Encoding.PEM
    return Certificates(
        authority.public_bytes(pem),
        certificate.public_bytes(pem),
        server_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    """Return a self-signed authority that may sign servers and no further authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kagimori local authority")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begin(name, name, key.public_key(), now=now, valid=AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    *,
    names: Sequence[str],
    now: dt.datetime,
) -> x509.Certificate:
    """Return a server certificate for the names, each once."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kagimori")])
    alternatives = x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys(names)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _begin(subject, authority.subject, key.public_key(), now=now, valid=SERVER_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    now: dt.datetime,
    valid: dt.timedelta,
) -> x509.CertificateBuilder:
    """Return a certificate that lacks only its extensions and signature."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + valid)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Return the use of an authority's key (it signs certificates), or of a server's."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    """Return a host as an address where it is one, else as a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
