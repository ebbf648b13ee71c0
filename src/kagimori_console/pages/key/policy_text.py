"""Key policies as people compare and check them: a difference, and what a change takes away.

The service decides about a policy. What stands here only warns, or asks for a confirmation.
"""

import difflib
import fnmatch
import json
from dataclasses import dataclass
from typing import Any, Final

Policy = dict[str, Any]
CHARACTERS_MAX: Final = 32_768
_LINES_MAX: Final = 4_000
_CONTEXT_LINES: Final = 3
_CHANGE: Final = "kms:putkeypolicy"


@dataclass(frozen=True)
class Line:
    """A line of a difference; `kind` is same, added, removed, or gap where lines are left out."""

    kind: str
    text: str


@dataclass(frozen=True)
class Holder:
    """A principal that a statement lets change the policy; `bound` if it has conditions."""

    principal: str
    bound: bool


def parse(text: str) -> Policy | None:
    """Return a policy, or None if it is no JSON object with each name once."""
    if len(text) > CHARACTERS_MAX:
        return None
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def written(policy: Policy) -> str:
    """Return a policy as text for people."""
    return json.dumps(policy, indent=2, ensure_ascii=False)


def difference(old: str, new: str) -> list[Line]:
    """Return the lines of two texts side by side: those that change, and some around them."""
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > _LINES_MAX:
        return [*(Line("removed", one) for one in before), *(Line("added", one) for one in after)]
    found: list[Line] = []
    matcher = difflib.SequenceMatcher(None, before, after)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT_LINES)):
        if number:
            found.append(Line("gap", ""))
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                found += [Line("same", one) for one in before[old_from:old_to]]
                continue
            found += [Line("removed", one) for one in before[old_from:old_to]]
            found += [Line("added", one) for one in after[new_from:new_to]]
    return found


def statements(policy: Policy) -> list[Any]:
    """Return the statements of a policy."""
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]


def only_adds(old: Policy | None, new: Policy | None) -> bool:
    """Return whether nobody can lose anything: every permission stays, and no new denial comes."""
    if old is None or new is None or old.get("Version") != new.get("Version"):
        return False
    before, after = statements(old), statements(new)
    if not all(isinstance(one, dict) for one in [*before, *after]):
        return False
    kept = all(one in after for one in before if one.get("Effect") == "Allow")
    denials = [one for one in after if one.get("Effect") != "Allow"]
    return kept and all(one in before for one in denials)


def may_change(policy: Policy) -> list[Holder]:
    """Return the principals that the policy lets change it; denials are not looked at."""
    found: list[Holder] = []
    for one in statements(policy):
        if not isinstance(one, dict) or one.get("Effect") != "Allow" or not _is_about_change(one):
            continue
        for principal in principals(one):
            holder = Holder(principal, bool(one.get("Condition")))
            if holder not in found:
                found.append(holder)
    return found


def principals(statement: dict[str, Any]) -> list[str]:
    """Return the principals of a statement, those that are no ARNs with their type before them."""
    named = statement.get("Principal", [])
    if isinstance(named, dict):
        return [
            one if kind == "AWS" else f"{kind}: {one}"
            for kind, values in named.items()
            for one in listed(values)
        ]
    return listed(named)


def listed(value: Any) -> list[str]:
    """Return one text or many as a list."""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _is_about_change(statement: dict[str, Any]) -> bool:
    if "NotAction" in statement:
        return not any(_matches(one) for one in listed(statement["NotAction"]))
    return any(_matches(one) for one in listed(statement.get("Action", [])))


def _matches(pattern: str) -> bool:
    plain = pattern.lower().replace("[", "[[]")
    return len(plain) <= len(_CHANGE) * 2 and fnmatch.fnmatchcase(_CHANGE, plain)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
