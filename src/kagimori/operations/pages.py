"""Pages: limits, markers, and the members every list answer has.

A marker is opaque to callers: the place where the next page begins, tied to the operation and to
what was listed, so that a marker from elsewhere is refused.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

from kagimori.rules.refusal import InvalidMarkerException, ValidationException


def limit_of(limit: int | None, *, default: int, most: int) -> int:
    """Return how many entries a page holds.

    Raises:
        ValidationException: more than this operation gives.
    """
    if limit is None:
        return default
    if limit > most:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {most}"
        )
    return limit


def start_of(marker: str | None, *scope: str, parts: int = 1) -> tuple[str, ...] | None:
    """Return the key (of so many parts) after which a page begins; None for the first page.

    Raises:
        InvalidMarkerException: not a marker that this listing gave.
    """
    if marker is None:
        return None
    try:
        written = json.loads(base64.b64decode(marker, validate=True, altchars=b"-_"))
        found, after = written
        is_key = isinstance(after, list) and all(isinstance(part, str) for part in after)
        if found == list(scope) and is_key and len(after) == parts:
            "".join(after).encode()  # half a surrogate pair is no text
            return tuple(after)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise InvalidMarkerException


def page_of(
    entries: Sequence[Any],
    limit: int,
    *scope: str,
    name: str,
    shown: Callable[[Any], Any],
    key: Callable[[Any], Sequence[str]],
) -> dict[str, Any]:
    """Return the answer for a page; `entries` hold one more than `limit` if there is more."""
    answer: dict[str, Any] = {
        name: [shown(entry) for entry in entries[:limit]],
        "Truncated": len(entries) > limit,
    }
    if len(entries) > limit:
        answer["NextMarker"] = marker_of(key(entries[limit - 1]), *scope)
    return answer


def marker_of(last: Sequence[str], *scope: str) -> str:
    """Return the marker of the page that begins after the key `last`."""
    marker = json.dumps([list(scope), list(last)], separators=(",", ":"))
    return base64.b64encode(marker.encode(), altchars=b"-_").decode()
