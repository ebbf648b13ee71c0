"""Times as records have them."""

from calendar import timegm
from datetime import UTC, datetime
from time import gmtime, strftime
from typing import Final


def epoch_of(text: str) -> int:
    """Return seconds since the epoch of `2026-01-31T12:00:00Z`.

    Raises:
        ValueError: not such a time.
    """
    day = _DAYS.get(text[:10])
    if day is None:
        day = timegm(datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC).timetuple())
        if len(_DAYS) > 1000:  # noqa: PLR2004 - bounded, that is all
            _DAYS.clear()
        _DAYS[text[:10]] = day
    if len(text) != 20 or text[10] != "T" or text[19] != "Z":  # noqa: PLR2004 - its length
        raise ValueError(f"not a time: {text[:40]!r}")
    return day + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


_DAYS: Final[dict[str, int]] = {}


def element_date(seconds: float) -> str:
    """Return a date as response elements have it: `Aug 10, 2022, 10:38:27 PM`."""
    at = gmtime(seconds)
    hour = strftime("%I", at).lstrip("0")
    day = f"{strftime('%b', at)} {at.tm_mday}, {strftime('%Y', at)}"
    return f"{day}, {hour}{strftime(':%M:%S %p', at)}"


def iso_time(now: float) -> str:
    """Return a time (seconds since the epoch) in ISO 8601, whole seconds, UTC."""
    second = int(now)
    known = _TIMES.get(second)
    if known is None:
        _TIMES.clear()
        known = _TIMES[second] = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(second))
    return known


_TIMES: Final[dict[int, str]] = {}
