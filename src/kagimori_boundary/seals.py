"""The public part of the sealed domains: which seals there are, and what each needs to be opened.

    version 3 | length of the head (4 bytes, big-endian) | head | salt (16) | IV (12) | ciphertext

The head is MessagePack, readable by everybody and authenticated by the root key; the rest is
`kagimori_hsm.roots.sealed`. Versions 1 and 2 had no head: one file opened them.
"""

from typing import Final

import msgspec
from msgspec import Struct

VERSION: Final = b"\x03"
OLDER_VERSIONS: Final = (b"\x01", b"\x02")
FILE, PASSPHRASE, QUORUM, PKCS11, KMS = "file", "passphrase", "quorum", "pkcs11", "kms"
KINDS: Final = (FILE, PASSPHRASE, QUORUM, PKCS11, KMS)
# Kinds that open without a person: the server tries them at every start.
UNATTENDED_KINDS: Final = (FILE, PKCS11, KMS)
SEALS_MAX: Final = 32
_LENGTH_BYTES: Final = 4
_START_BYTES: Final = 1 + _LENGTH_BYTES


class Seal(Struct, frozen=True, kw_only=True):
    """One way to the root key.

    `parameters` are what its root needs beside the secret. `wrapped_keys` are the seal's private
    key and proof key, encrypted by its root; `encrypted_root_key` is encrypted to `public_key`, so
    that a new root key reaches every seal without anybody's secret; `proof` shows that it was the
    HSM which put it there. `made_at` is in seconds since the epoch.
    """

    seal_id: str
    kind: str
    label: str
    made_at: float
    parameters: dict[str, str | int]
    public_key: bytes
    wrapped_keys: bytes
    encrypted_root_key: bytes
    proof: bytes


class Head(Struct, frozen=True, kw_only=True):
    """The seals; `root_key_id` names the root key; `step` counts the changes of the seals."""

    root_key_id: bytes
    step: int
    seals: tuple[Seal, ...]


class BadHead(ValueError):
    """These are no sealed domains of this version."""


_decode: Final = msgspec.msgpack.Decoder(Head).decode


def head_bytes(head: Head) -> bytes:
    """Return the bytes that sealed domains begin with."""
    content = msgspec.msgpack.encode(head)
    return VERSION + len(content).to_bytes(_LENGTH_BYTES, "big") + content


def cut_head(sealed_domains: bytes) -> tuple[Head, int]:
    """Return the head of sealed domains, and where it ends.

    Raises:
        BadHead: there is none that can be read.
    """
    end = _START_BYTES + int.from_bytes(sealed_domains[1:_START_BYTES], "big")
    if sealed_domains[:1] != VERSION or len(sealed_domains) < end:
        raise BadHead("not sealed domains of version 3")
    try:
        return _decode(sealed_domains[_START_BYTES:end]), end
    except (ValueError, RecursionError):  # msgspec's refusals are ValueErrors
        raise BadHead("not a head of sealed domains") from None


def seals_in(sealed_domains: bytes) -> tuple[Seal, ...]:
    """Return the seals of sealed domains; none for those of an older version, and for no blob."""
    try:
        return cut_head(sealed_domains)[0].seals
    except BadHead:
        return ()
