"""Tags by which tests choose the id and material of a new key in `kagimori dev`.

`_custom_id_` is the key id; `_custom_key_material_` the material in base64. Elsewhere these are
ordinary tags.
"""

import base64
import binascii
import re
from typing import Final

from kagimori.gate.asked import NewKeyChoices
from kagimori.rules.refusal import ValidationException

ID_TAG: Final = "_custom_id_"
MATERIAL_TAG: Final = "_custom_key_material_"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")


class GivenMaterial(NewKeyChoices):
    """Reads id and material from the tags of a new key."""

    def key_id(self, tags: dict[str, str]) -> str | None:
        """Return the key id that the tags choose.

        Raises:
            ValidationException: no id that a key can have.
        """
        text = tags.get(ID_TAG)
        if text is not None and not _ID.fullmatch(text):
            raise ValidationException(
                f"{ID_TAG} must be a key id: a UUID, or mrk- and 32 hex digits."
            )
        return text

    def material(self, tags: dict[str, str]) -> bytes | None:
        """Return the key material that the tags choose.

        Raises:
            ValidationException: not base64.
        """
        text = tags.get(MATERIAL_TAG)
        if text is None:
            return None
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationException(f"{MATERIAL_TAG} must be base64.") from None

    def kept(self, tags: dict[str, str]) -> dict[str, str]:
        """Return the tags that the key keeps."""
        return {key: value for key, value in tags.items() if key not in (ID_TAG, MATERIAL_TAG)}
