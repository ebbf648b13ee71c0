"""The administrators that a key policy names, read from its text.

It shows what is written, conditions and denials with it. Who may in fact is a question for IAM's
simulator, which knows the account's own identities and no others.
"""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

# Each changes who may use a key, or makes it unusable.
ADMINISTRATIVE: Final = (
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
)


def named_administrators(policy: str) -> list[dict[str, Any]]:
    """Return the principals whom a key policy allows anything administrative, and what of it."""
    found: dict[tuple[str, bool], set[str]] = {}
    for statement in _statements(policy):
        if statement.get("Effect") != "Allow":
            continue
        actions = [action for action in ADMINISTRATIVE if _covers(statement, action)]
        if not actions:
            continue
        conditional = bool(statement.get("Condition"))
        for principal in _principals(statement):
            found.setdefault((principal, conditional), set()).update(actions)
    return [
        {"principal": principal, "conditional": conditional, "actions": sorted(actions)}
        for (principal, conditional), actions in sorted(found.items())
    ]


def denies_something(policy: str) -> bool:
    """Return whether a key policy has a statement that denies."""
    return any(one.get("Effect") == "Deny" for one in _statements(policy))


def _statements(policy: str) -> list[Mapping[str, Any]]:
    """Return the statements of a policy; none, if the text is no policy."""
    try:
        document = json.loads(policy)
    except ValueError:
        return []
    if not isinstance(document, Mapping):
        return []
    return [one for one in _listed(document.get("Statement")) if isinstance(one, Mapping)]


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement.get("Action"), action)


def _matches(patterns: Any, action: str) -> bool:
    return any(
        fnmatchcase(action.lower(), str(pattern).lower().replace("[", "[[]"))
        for pattern in _listed(patterns)
    )


def _principals(statement: Mapping[str, Any]) -> Iterable[str]:
    if "NotPrincipal" in statement:
        yield "everybody but " + ", ".join(_named(statement["NotPrincipal"]))
    else:
        yield from _named(statement.get("Principal"))


def _named(principal: Any) -> Iterable[str]:
    if isinstance(principal, Mapping):
        for kind, names in principal.items():
            for name in _listed(names):
                yield str(name) if kind == "AWS" else f"{kind}: {name}"
    else:
        yield from (str(one) for one in _listed(principal))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
