"""Numbers and times that come as text from outside, read in one way only.

Python's own readers take more than any protocol here means: `int` takes signs, blanks, underscores
and the digits of every script, `float` takes `nan` and `1e999`, `strptime` takes blanks for
noughts, and all of them take any length. Whatever is not exactly what a protocol says is None
here, for the caller to refuse in the words of that protocol.
"""

import math
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_DIGITS: Final = frozenset("0123456789")
_BASIC_ISO_LENGTH: Final = 16
_HTTP_DATE_LENGTH_MAX: Final = 40


def whole(text: str, *, digits_max: int) -> int | None:
    """Return a number written in ASCII digits alone, no more of them than `digits_max`."""
    if not 1 <= len(text) <= digits_max or not _DIGITS.issuperset(text):
        return None
    return int(text)


def whole_between(text: str, least: int, most: int) -> int | None:
    """Return a number of `least` to `most`, written without noughts before it."""
    found = whole(text, digits_max=len(str(most)))
    if found is None or not least <= found <= most or (text[0] == "0" and len(text) > 1):
        return None
    return found


def finite(value: object) -> float | None:
    """Return a number of a JSON text as a float; None for anything but a number there can be.

    JSON itself has no NaN and no infinity, but readers make them, also of `1e999`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def basic_iso(text: str) -> float | None:
    """Return seconds since the epoch of `20261126T083000Z`."""
    digits = text[:8] + text[9:15]
    if len(text) != _BASIC_ISO_LENGTH or text[8] != "T" or text[15] != "Z":
        return None
    if not _DIGITS.issuperset(digits):
        return None
    parts = [int(digits[begin:end]) for begin, end in _ISO_PARTS]
    try:
        return float(timegm(datetime(*parts, tzinfo=UTC).timetuple()))  # type: ignore[misc,arg-type]
    except ValueError:  # no such day, or no such time of a day
        return None


_ISO_PARTS: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))


def http_date(text: str) -> float | None:
    """Return seconds since the epoch of a date as HTTP has it (RFC 9110, section 5.6.7)."""
    if len(text) > _HTTP_DATE_LENGTH_MAX or not text.isascii():
        return None
    try:
        found = parsedate_to_datetime(text)
        return found.timestamp() if found.tzinfo else found.replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
