"""The fields of a symmetric ciphertext's header, in order (docs/look-up/ciphertext-format.md).

Version 1 is of keys in our HSM. Version 3 is of keys in a PKCS#11 token and has no nonce, since no
key is derived there.
"""

from typing import Final

CIPHERTEXT_VERSION: Final = 1
MATERIAL_ID_BYTES: Final = 32
NONCE_BYTES: Final = 16
IV_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 1 + MATERIAL_ID_BYTES + NONCE_BYTES + IV_BYTES
# A ciphertext of version 1 inside a layer that an external key store has put around it.
OUTER_VERSION: Final = 2

TOKEN_CIPHERTEXT_VERSION: Final = 3
TOKEN_HEADER_BYTES: Final = 1 + MATERIAL_ID_BYTES + IV_BYTES
# By version: all that a ciphertext is longer than its plaintext.
OVERHEAD_BYTES: Final = {
    CIPHERTEXT_VERSION: HEADER_BYTES + TAG_BYTES,
    TOKEN_CIPHERTEXT_VERSION: TOKEN_HEADER_BYTES + TAG_BYTES,
}
