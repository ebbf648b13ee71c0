"""A denial as stored for `kagimori why`: the policies that were evaluated, and what was missing.

The caller learns no more than on AWS; this is for the key's administrators, offline.
"""

from typing import Any, Final

from msgspec import Struct

SLOTS: Final = 10_000
UNWRITTEN_MAX: Final = 200


class Denial(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused authorization, by the id of its request. `slot` is its place among the last.

    `owner` is the account of the resource, the caller's (`account_id`) where that has none;
    `matched` are the Deny statements that applied, `conditions` the values of the keys that
    policies asked about. `suggestion` is all that would have to change, `alternatives` what fell
    short by one thing.
    """

    slot: str
    request_id: str
    account_id: str
    owner: str = ""
    at: float
    caller: str
    caller_id: str = ""
    action: str
    resource: str
    reason: str
    explicit: bool = False
    policies: list[dict[str, Any]]
    grants: list[dict[str, Any]]
    matched: list[dict[str, Any]] = []
    conditions: dict[str, list[str]] = {}
    suggestion: str
    alternatives: list[str] = []
    version: int = 1


class Denials:
    """Denials that wait to be written; their number in a second is bounded."""

    __slots__ = ("_next_slot", "_stream", "_unwritten")

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._next_slot = 0
        self._unwritten: list[Denial] = []

    @property
    def is_full(self) -> bool:
        return len(self._unwritten) >= UNWRITTEN_MAX

    def next_slot(self) -> str:
        """Return the place of the next denial: that of the oldest, once all are taken."""
        self._next_slot = (self._next_slot + 1) % SLOTS
        return f"{self._stream}/{self._next_slot:05}"

    def add(self, denial: Denial) -> None:
        self._unwritten.append(denial)

    def take(self) -> list[Denial]:
        """Return the denials to write, and clear the list."""
        taken, self._unwritten = self._unwritten, []
        return taken
