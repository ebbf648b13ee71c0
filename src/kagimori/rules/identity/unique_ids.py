"""Unique ids of identities: a four-letter prefix for the kind, and 17 random characters.

Source: IAM User Guide, reference_identifiers ("Unique identifiers").
"""

import base64
import hashlib
from typing import Final

USER, GROUP, ROLE, MANAGED_POLICY = "AIDA", "AGPA", "AROA", "ANPA"
INSTANCE_PROFILE = "AIPA"
ACCESS_KEY, TEMPORARY_ACCESS_KEY = "AKIA", "ASIA"
_UNIQUE_CHARACTERS: Final = 17
_KEY_CHARACTERS: Final = 16


def unique_id(prefix: str, drawn: str) -> str:
    """Return the id (21 characters) that a drawn UUID stands for."""
    return prefix + _characters(drawn)[:_UNIQUE_CHARACTERS]


def access_key_id(prefix: str, drawn: str) -> str:
    """Return the access key id (20 characters) that a drawn UUID stands for."""
    return prefix + _characters(drawn)[:_KEY_CHARACTERS]


def _characters(drawn: str) -> str:
    # A UUID has fixed bits; hashing spreads the random ones over all characters.
    return base64.b32encode(hashlib.sha256(drawn.encode()).digest()).decode()
