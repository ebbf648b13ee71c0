"""Sealed domains of versions 1 and 2, as earlier releases made them: opened, and made no more.

They were encrypted under the seal key itself, which is the content of one file:
`version | salt (16) | IV (12) | ciphertext | tag`. Version 1 held the rings alone.
"""

from typing import Final

import msgspec

from kagimori_hsm.roots.contents import Contents, SealedRing, SealRefused, decrypt

_RINGS_ALONE: Final = b"\x01"
_LABEL: Final = b"kagimori domain seal v1"


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    operator_account_id: str
    rings: dict[str, SealedRing]


_decode_rings = msgspec.msgpack.Decoder(dict[str, SealedRing]).decode
_decode_sealed = msgspec.msgpack.Decoder(_Sealed).decode


def open_older(sealed_domains: bytes, seal_key: bytes) -> Contents:
    """Return the contents of sealed domains of version 1 or 2.

    Raises:
        SealRefused: another seal key, or an altered blob.
    """
    version = sealed_domains[:1]
    plain = decrypt(sealed_domains[1:], seal_key, _LABEL, version)
    try:
        if version == _RINGS_ALONE:
            sealed = _Sealed("", _decode_rings(plain))
        else:
            sealed = _decode_sealed(plain)
    except (ValueError, RecursionError):  # msgspec's refusals are ValueErrors
        raise SealRefused from None
    rings = {name: ring.ring() for name, ring in sealed.rings.items()}
    return Contents(operator_account_id=sealed.operator_account_id, rings=rings)
