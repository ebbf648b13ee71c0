"""The log: one JSON object a line on standard error.

A dozen lines of our own: what a logging library would add is a third of a second at every start
and several MiB in every process (docs/decisions/0006-dependencies.md).
"""

import sys
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

FACT_CHARACTERS_MAX: Final = 2000


class Log:
    """Writes events; each is a name and its facts, never free text with values in it."""

    def error(self, event: str, **facts: Any) -> None:
        self._write("error", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        self._write("info", event, facts)

    def _write(self, level: str, event: str, facts: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        bounded = {name: _bounded(fact) for name, fact in facts.items()}
        line = {"time": at, "level": level, "event": event, **bounded}
        sys.stderr.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
        sys.stderr.flush()


def _bounded(fact: Any) -> Any:
    """Return a fact of bounded size: a text may hold what somebody else has written."""
    return fact[:FACT_CHARACTERS_MAX] if isinstance(fact, str) else fact
