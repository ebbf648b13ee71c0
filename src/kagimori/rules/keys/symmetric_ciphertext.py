"""Reads the header of a symmetric ciphertext: the id of the key material it was made with.

Source: docs/look-up/ciphertext-format.md.
"""

from kagimori_boundary.ciphertext_form import MATERIAL_ID_BYTES, OVERHEAD_BYTES


def material_id_of(blob: bytes) -> str | None:
    """Return the id (hex, 64) of the key material; None if this is no ciphertext of ours."""
    overhead = OVERHEAD_BYTES.get(blob[0]) if blob else None
    if overhead is None or len(blob) < overhead:
        return None
    return blob[1 : 1 + MATERIAL_ID_BYTES].hex()


def plaintext_bytes_of(blob: bytes) -> int:
    """Return the length of the plaintext in a ciphertext of ours."""
    return len(blob) - OVERHEAD_BYTES[blob[0]]
