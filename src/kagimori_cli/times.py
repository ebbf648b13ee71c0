"""Times as people write them on a command line, and as they are shown to them."""

import re
from datetime import UTC, datetime
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str, now: float) -> float:
    """Return seconds since the epoch of `2d`, `90m` (ago), a date, or an ISO 8601 time (UTC).

    Raises:
        ValueError: none of these.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"a time is like 2d, 12h, 30m, 2026-01-31 or 2026-01-31T12:00:00Z, not {text!r}"
        ) from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def shown(at: float) -> str:
    """Return a time (seconds since the epoch) as ISO 8601, whole seconds, UTC."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
