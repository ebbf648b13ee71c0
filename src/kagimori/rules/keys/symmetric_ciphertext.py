"""Reads the header of a symmetric ciphertext: the id of the key material it was made with.

Source: docs/look-up/ciphertext-format.md.
"""

from typing import Final

from kagimori_boundary.ciphertext_form import (
    CIPHERTEXT_VERSION,
    HEADER_BYTES,
    MATERIAL_ID_BYTES,
    TAG_BYTES,
)

_BYTES_MIN: Final = HEADER_BYTES + TAG_BYTES


def material_id_of(blob: bytes) -> str | None:
    """Return the id (hex, 64) of the key material; None if this is no ciphertext of ours."""
    if len(blob) < _BYTES_MIN or blob[0] != CIPHERTEXT_VERSION:
        return None
    return blob[1 : 1 + MATERIAL_ID_BYTES].hex()


def plaintext_bytes_of(blob: bytes) -> int:
    """Return the length of the plaintext in a ciphertext of ours."""
    return len(blob) - _BYTES_MIN
