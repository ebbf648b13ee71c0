"""Files by which clients of every kind trust a deployment's own certificate authority.

`ca.pem` is the authority alone, for variables that add to what a client trusts. Where a variable
replaces that, the client needs the system's roots as well: `ca-and-system.pem`, and for Java
`truststore.p12`. None of them holds a secret.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import botocore
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from msgspec import Struct

AUTHORITY: Final = "ca.pem"
# Java wants a password for the checksum of a store, and this is the one of its own.
TRUST_STORE_PASSWORD: Final = "changeit"  # noqa: S105 - what it covers is public
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
# Where systems keep their roots in one file; last, those that botocore brings along.
_SYSTEM_ROOTS: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
    Path(botocore.__file__).with_name("cacert.pem"),
)


class TrustFiles(Struct, frozen=True):
    """The paths of the files in a `tls` folder, whether they exist or not."""

    authority: Path
    bundle: Path
    trust_store: Path


def trust_files_in(folder: Path) -> TrustFiles:
    """Return the paths in a `tls` folder."""
    return TrustFiles(folder / AUTHORITY, folder / "ca-and-system.pem", folder / "truststore.p12")


def write_trust_files(folder: Path) -> None:
    """Write bundle and trust store from the authority and the system's roots of today.

    Raises:
        OSError: a file cannot be read or written.
    """
    files = trust_files_in(folder)
    roots = next(path.read_bytes() for path in _SYSTEM_ROOTS if path.is_file())
    bundle = files.authority.read_bytes().rstrip() + b"\n" + roots
    files.bundle.write_bytes(bundle)
    certificates = [
        pkcs12.PKCS12Certificate(certificate, f"kagimori {number}".encode())
        for number, certificate in enumerate(_certificates(bundle))
    ]
    password = BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
    files.trust_store.write_bytes(pkcs12.serialize_java_truststore(certificates, password))


def _certificates(bundle: bytes) -> Iterator[x509.Certificate]:
    """Yield the certificates of a bundle, without old roots that can no longer be read."""
    for part in bundle.split(_BEGIN)[1:]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield x509.load_pem_x509_certificate(_BEGIN + part)
            except ValueError:
                continue
