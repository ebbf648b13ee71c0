"""Tags on KMS keys: permitted keys and values, and their number.

Source: KMS Developer Guide, "Tags in AWS KMS" (last paragraph).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from kagimori.rules.folding import TAG_CHARACTERS, fold
from kagimori.rules.refusal import TagException

TAGS_MAX: Final = 50
_ALLOWED: Final = re.compile(TAG_CHARACTERS)


def read_tags(tags: Sequence[Any] | None) -> dict[str, str]:
    """Return the tags of a `Tags` member, by key.

    Raises:
        TagException: a key twice, reserved, or with characters that tags cannot have.
    """
    read: dict[str, str] = {}
    for tag in tags or ():
        if tag.TagKey in read:
            raise TagException("Duplicate tag keys")
        check_tag_key(tag.TagKey)
        if not (_ALLOWED.fullmatch(tag.TagKey) and _ALLOWED.fullmatch(tag.TagValue)):
            raise TagException("Invalid tag")
        read[tag.TagKey] = tag.TagValue
    if len(read) > TAGS_MAX:
        raise TagException("Too many tags")
    return read


def check_tag_key(key: str) -> None:
    """Check that a tag key is not reserved for AWS.

    Raises:
        TagException: it begins with `aws:`, in any letter case.
    """
    if fold(key).startswith("aws:"):
        raise TagException("Tags beginning with aws: are reserved")


def with_tags(tags: dict[str, str], added: dict[str, str]) -> dict[str, str]:
    """Return tags with others added; a key that is there keeps its place and changes its value.

    Raises:
        TagException: more than a key may have.
    """
    together = {**tags, **added}
    if len(together) > TAGS_MAX:
        raise TagException("Too many tags")
    return together


def without_tags(tags: dict[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return tags without those named; unknown ones are ignored."""
    removed = set(keys)
    return {key: value for key, value in tags.items() if key not in removed}
