"""The form of symmetric ciphertexts: the id of the key material, and the layer of a key store.

Source: docs/look-up/ciphertext-format.md.
"""

from itertools import pairwise
from typing import Final, NamedTuple

from kagimori_boundary.ciphertext_form import (
    HEADER_BYTES,
    MATERIAL_ID_BYTES,
    OUTER_VERSION,
    OVERHEAD_BYTES,
    TAG_BYTES,
)

# What an external key store may add. Source: the AWS KMS External Key Store Proxy API, "Encrypt".
LAYER_IV_BYTES: Final = (12, 16)
LAYER_METADATA_BYTES_MAX: Final = 20
_BYTES_MIN: Final = HEADER_BYTES + TAG_BYTES
_LAYER_BYTES_MIN: Final = 1 + MATERIAL_ID_BYTES + 2 + LAYER_IV_BYTES[0] + TAG_BYTES + _BYTES_MIN
# By version: the least that a ciphertext is longer than its plaintext.
_OVERHEAD_MIN: Final = {**OVERHEAD_BYTES, OUTER_VERSION: _LAYER_BYTES_MIN}


def material_id_of(blob: bytes) -> str | None:
    """Return the id (hex, 64) of the key material; None if this is no ciphertext of ours."""
    overhead = _OVERHEAD_MIN.get(blob[0]) if blob else None
    if overhead is None or len(blob) < overhead:
        return None
    return blob[1 : 1 + MATERIAL_ID_BYTES].hex()


def plaintext_bytes_of(blob: bytes) -> int:
    """Return the length of the plaintext in a ciphertext of ours, whatever its layers."""
    layer = parse_layer(blob)
    return (
        len(blob) - _OVERHEAD_MIN[blob[0]] if layer is None else len(layer.ciphertext) - _BYTES_MIN
    )


class Layer(NamedTuple):
    """The layer of an external key store around one of our ciphertexts."""

    material_id: bytes
    iv: bytes
    tag: bytes
    metadata: bytes
    ciphertext: bytes


def parse_layer(blob: bytes) -> Layer | None:
    """Return the parts of a ciphertext of version 2; None for any other."""
    if len(blob) < _LAYER_BYTES_MIN or blob[0] != OUTER_VERSION:
        return None
    at = 1 + MATERIAL_ID_BYTES
    ends = [at + 2]
    for length in (blob[at], TAG_BYTES, blob[at + 1]):
        ends.append(ends[-1] + length)
    iv, tag, metadata = (blob[start:end] for start, end in pairwise(ends))
    ciphertext = blob[ends[-1] :]
    if len(iv) not in LAYER_IV_BYTES or len(metadata) > LAYER_METADATA_BYTES_MAX:
        return None
    if len(ciphertext) < _BYTES_MIN:
        return None
    return Layer(blob[1:at], iv, tag, metadata, ciphertext)


def written_layer(layer: Layer) -> bytes:
    """Return a ciphertext of version 2.

    version (1) | material id (32) | IV length (1) | metadata length (1)
        | IV | tag (16) | metadata | ciphertext
    """
    lengths = bytes((len(layer.iv), len(layer.metadata)))
    head = bytes((OUTER_VERSION,)) + layer.material_id + lengths
    return head + layer.iv + layer.tag + layer.metadata + layer.ciphertext
