"""Tags of identities and of sessions; unlike those of KMS keys, unique ignoring case.

Source: STS API Reference, AssumeRole ("Tags"); IAM User Guide, id_tags.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from kagimori.rules.folding import TAG_CHARACTERS, fold
from kagimori.rules.identity.refusals import InvalidInput, LimitExceeded, ValidationError
from kagimori.rules.refusal import Refusal

TAGS_MAX: Final = 50
KEY_LENGTH_MAX: Final = 128
VALUE_LENGTH_MAX: Final = 256
DUPLICATE: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_ALLOWED: Final = re.compile(TAG_CHARACTERS)


def read_tags(
    tags: Sequence[Any] | None, *, duplicate: type[Refusal] = InvalidInput
) -> dict[str, str]:
    """Return the tags of a `Tags` member, by key.

    Raises:
        Refusal: `duplicate`, for a key that is there twice ignoring case.
        ValidationError: reserved, or with characters that tags cannot have.
    """
    return checked_tags(((tag.Key, tag.Value) for tag in tags or ()), duplicate=duplicate)


def checked_tags(pairs: Iterable[tuple[str, str]], *, duplicate: type[Refusal]) -> dict[str, str]:
    """Return tags by key; raises as `read_tags`."""
    read: dict[str, str] = {}
    folded: set[str] = set()
    for key, value in pairs:
        if fold(key) in folded:
            raise duplicate(DUPLICATE)
        if fold(key).startswith("aws:"):
            raise ValidationError("Tag keys beginning with aws: are reserved.")
        if not (_ALLOWED.fullmatch(key) and _ALLOWED.fullmatch(value)):
            raise ValidationError(f"Invalid tag: {key}")
        folded.add(fold(key))
        read[key] = value
    return read


def with_tags(tags: dict[str, str], added: dict[str, str]) -> dict[str, str]:
    """Return tags with others added; a key replaces one that differs only in letter case.

    Raises:
        LimitExceeded: more than an identity may have.
    """
    together = {**without_tags(tags, added), **added}
    if len(together) > TAGS_MAX:
        raise LimitExceeded(f"The number of tags has reached the maximum limit: {TAGS_MAX}")
    return together


def without_tags(tags: dict[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return tags without those named, ignoring case; unknown ones are ignored."""
    removed = {fold(key) for key in keys}
    return {key: value for key, value in tags.items() if fold(key) not in removed}
