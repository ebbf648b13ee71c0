"""The fields of a symmetric ciphertext's header, in order (docs/look-up/ciphertext-format.md)."""

from typing import Final

CIPHERTEXT_VERSION: Final = 1
MATERIAL_ID_BYTES: Final = 32
NONCE_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 1 + MATERIAL_ID_BYTES + NONCE_BYTES + IV_BYTES
