"""Sealed domains of version 3: everything the HSM knows for good, under a root key.

    head (see `kagimori_boundary.seals`) | salt (16) | IV (12) | ciphertext | tag (16)

The key is derived from the root key and the salt; the head is authenticated with the contents, so
that nobody without the root key can change, add or leave out a seal. The service keeps these bytes,
and cannot open them.
"""

from typing import Final

import msgspec

from kagimori_boundary.seals import BadHead, Head, cut_head, head_bytes
from kagimori_hsm.roots.contents import Contents, SealedRing, SealRefused, decrypt, encrypt

_LABEL: Final = b"kagimori domain seal v3"


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    operator_account_id: str
    rings: dict[str, SealedRing]
    proof_keys: dict[str, bytes]
    further: dict[str, bytes]

    def __repr__(self) -> str:
        return "_Sealed()"


_decode = msgspec.msgpack.Decoder(_Sealed).decode


def sealed_with(root_key: bytes, head: Head, contents: Contents) -> bytes:
    """Return the head, and the contents under a root key."""
    plain = _Sealed(
        contents.operator_account_id,
        {name: SealedRing.of(ring) for name, ring in sorted(contents.rings.items())},
        dict(contents.proof_keys),
        dict(contents.further),
    )
    public = head_bytes(head)
    return public + encrypt(msgspec.msgpack.encode(plain), root_key, _LABEL, public)


def head_of(sealed_domains: bytes) -> Head:
    """Return the public part of sealed domains.

    Raises:
        SealRefused: they have none.
    """
    try:
        return cut_head(sealed_domains)[0]
    except BadHead:
        raise SealRefused from None


def open_sealed(sealed_domains: bytes, root_key: bytes) -> Contents:
    """Return the contents of sealed domains.

    Raises:
        SealRefused: another root key, or altered bytes.
    """
    try:
        _, end = cut_head(sealed_domains)
        sealed = _decode(
            decrypt(sealed_domains[end:], root_key, _LABEL, sealed_domains[:end]),
        )
    except (ValueError, RecursionError):  # also BadHead, and msgspec's refusals
        raise SealRefused from None
    return Contents(
        operator_account_id=sealed.operator_account_id,
        rings={name: ring.ring() for name, ring in sealed.rings.items()},
        proof_keys=sealed.proof_keys,
        further=sealed.further,
    )
