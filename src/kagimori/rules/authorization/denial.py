"""A denial as stored for `kagimori why`: the policies that were evaluated, and what was missing.

The caller learns no more than on AWS; this is for the key's administrators, offline.
"""

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

SLOTS: Final = 10_000
UNWRITTEN_MAX: Final = 200


class Denial(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused authorization, by the id of its request.

    `slot` is its place among the last of its stream, `version` its number among all of them.
    `owner` is the account of the resource, the caller's (`account_id`) where that has none;
    `matched` are the Deny statements that applied, `conditions` the values of the keys that
    policies asked about. `suggestion` is all that would have to change, `lacking` the kinds of
    policies (as `Side` names them) that would need a statement, `alternatives` what fell short by
    one thing.
    """

    slot: str = ""
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
    lacking: list[str] = []
    alternatives: list[str] = []
    version: int = 1


class Denials:
    """Denials that wait to be written; their number in a second is bounded.

    They are numbered on from `newest`, the last one that the stream has stored.
    """

    __slots__ = ("_newest", "_stream", "_unwritten")

    def __init__(self, stream: str, newest: int = 0) -> None:
        self._stream = stream
        self._newest = newest
        self._unwritten: list[Denial] = []

    @property
    def is_full(self) -> bool:
        return len(self._unwritten) >= UNWRITTEN_MAX

    def add(self, denial: Denial) -> None:
        """Give a denial its number, and its slot: that of the oldest, once all are taken."""
        self._newest += 1
        slot = slot_of(self._stream, self._newest)
        self._unwritten.append(replace(denial, slot=slot, version=self._newest))

    def take(self) -> list[Denial]:
        """Return the denials to write, and clear the list."""
        taken, self._unwritten = self._unwritten, []
        return taken


def slots_of(stream: str) -> str:
    """Return the common beginning of a stream's slots."""
    return f"{stream}/"


def slot_of(stream: str, number: int) -> str:
    """Return the slot of a stream's denial with this number."""
    return f"{slots_of(stream)}{number % SLOTS:05}"
