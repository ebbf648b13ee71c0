"""Replays recorded requests against a proposed key policy, and groups the changes.

Where a record does not hold enough, a decision has two bounds: what is denied even if everything
unknown turned out well is denied; what is allowed though nothing unknown helped is allowed.
"""

from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.authorization.decision import Decision


class Change(Enum):
    """The effect of the proposed policy on a recorded request."""

    NEWLY_FAILS = "newly_fail"
    NEWLY_PASSES = "newly_pass"
    UNCERTAIN = "uncertain"
    FAILS_ALREADY = "fail_already"  # allowed when it was recorded, and not by today's policies
    SAME = "same"


class Bounds(Struct, frozen=True):
    """A decision without the unknown values and, if that denies, one with all of them helping."""

    lower: Decision
    upper: Decision

    @property
    def allows(self) -> bool | None:
        """Return whether it is allowed; None if that is unknown."""
        if self.lower.allowed:
            return True
        return None if self.upper.allowed else False


class Group(Struct, frozen=True):
    """Requests of one caller for one action that share their fate. Times are ISO 8601."""

    caller: str
    action: str
    why: str
    count: int
    first: str
    last: str
    unknown: tuple[str, ...] = ()


class Tally:
    """Counts requests in groups; `first` and `last` are the times of all, ISO 8601."""

    def __init__(self) -> None:
        self.requests = 0
        self.first: str | None = None
        self.last: str | None = None
        self._groups: dict[Change, dict[tuple[str, str, str], Group]] = {
            change: {} for change in Change
        }

    def request(self, at: str) -> None:
        """Count one request; `at` is its time."""
        self.requests += 1
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    def add(
        self,
        change: Change,
        *,
        caller: str,
        action: str,
        why: str,
        at: str,
        unknown: tuple[str, ...] = (),
    ) -> None:
        """Count one permission that a request needed."""
        groups, name = self._groups[change], (caller, action, why)
        group = groups.get(name)
        if group is None:
            groups[name] = Group(caller, action, why, 1, at, at, unknown)
        else:
            first, last = min(group.first, at), max(group.last, at)
            groups[name] = replace(group, count=group.count + 1, first=first, last=last)

    def of(self, change: Change) -> list[Group]:
        """Return the groups of one fate, the largest first."""
        found = self._groups[change].values()
        return sorted(found, key=lambda group: (-group.count, group.caller, group.action))

    def as_json(self) -> dict[str, Any]:
        """Return the changes and the unknown results, as a JSON object."""
        shown: dict[str, Any] = {
            "requests": self.requests,
            "first": self.first,
            "last": self.last,
        }
        for change in Change:
            if change is not Change.SAME:
                shown[change.value] = [_shown(group) for group in self.of(change)]
        return shown


class Replayed(Struct, frozen=True):
    """The effect that a key policy would have, and on which key."""

    key_arn: str
    tally: Tally


def _shown(group: Group) -> dict[str, Any]:
    return {name: getattr(group, name) for name in group.__struct_fields__}


def change_of(recorded: bool | None, now: bool | None, proposed: bool | None) -> Change:  # noqa: FBT001
    """Return the change, from the results when recorded, today and under the new policy.

    None is: unknown.
    """
    if recorded:
        if now is False:
            return Change.SAME if proposed else Change.FAILS_ALREADY
        if proposed is False:
            return Change.NEWLY_FAILS
    else:
        if now:
            return Change.SAME  # refused for another reason, or allowed since
        if proposed:
            return Change.NEWLY_PASSES
    return Change.UNCERTAIN if proposed is None else Change.SAME


def reason(decision: Decision) -> str:
    """Return a short text that names the policy or grant behind a decision."""
    if decision.grant is not None:
        return f"grant {decision.grant.grant_id} allows it"
    statement = decision.statement_by.statement
    side = "key policy" if decision.side.value == "resource-based policy" else decision.side.value
    if statement is not None:
        name = repr(statement.written.sid) if statement.written.sid else f"{statement.index + 1}"
        verb = "allows" if decision.allowed else "denies"
        return f"statement {name} of the {side} {verb} it"
    if decision.allowed:
        return f"the {side} allows it"
    return f"no statement of the {side} allows it"
