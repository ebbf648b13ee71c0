"""Key policies as a form: each statement is who may do what, on what, and when.

A policy that the form cannot hold whole is edited as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from kagimori_console.pages.key.policy_text import Policy, listed, statements
from kagimori_console.web.forms import Form

STATEMENTS_MAX: Final = 50
PRINCIPAL_TYPES: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_PLAIN: Final = frozenset({"Version", "Id", "Statement"})
_PARTS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)


@dataclass(frozen=True)
class Row:
    """One statement in a form; lists are lines, `when` is JSON, `*_not` turn a list around."""

    sid: str = ""
    effect: str = "Allow"
    who: str = ""
    who_not: str = ""
    what: str = ""
    what_not: str = ""
    on: str = "*"
    on_not: str = ""
    when: str = ""


def rows_of_policy(policy: Policy) -> list[Row] | None:
    """Return the statements as rows, or None if a row could not hold one."""
    found = [_row(one) for one in statements(policy)]
    if set(policy) - _PLAIN or len(found) > STATEMENTS_MAX or None in found:
        return None
    return [one for one in found if one is not None]


def rows_of_form(form: Form) -> list[Row]:
    """Return the rows that a form sent."""
    number = min(form.number("rows") or 0, STATEMENTS_MAX)
    names = [field.name for field in fields(Row)]
    return [Row(**{name: form.value(f"{name}-{n}") for name in names}) for n in range(number)]


def policy_of(rows: list[Row], plain: Mapping[str, str]) -> Policy:
    """Return the policy of rows; `plain` has its Version and Id.

    Raises:
        ValueError: the conditions of a statement, whose number it has, are no JSON object.
    """
    made: Policy = {name: plain[name] for name in ("Version", "Id") if plain.get(name)}
    made["Statement"] = [_statement(number, row) for number, row in enumerate(rows, 1)]
    return made


def _row(statement: Any) -> Row | None:
    if not isinstance(statement, dict) or set(statement) - _PARTS:
        return None
    who = _lines_of_principals(statement.get("Principal", statement.get("NotPrincipal", [])))
    pairs = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))
    if who is None or any(one in statement and other in statement for one, other in pairs):
        return None
    condition = statement.get("Condition")
    return Row(
        sid=str(statement.get("Sid", "")),
        effect=str(statement.get("Effect", "")),
        who=who,
        who_not=_yes(statement, "NotPrincipal"),
        what=_lines(statement.get("Action", statement.get("NotAction", []))),
        what_not=_yes(statement, "NotAction"),
        on=_lines(statement.get("Resource", statement.get("NotResource", []))),
        on_not=_yes(statement, "NotResource"),
        when="" if condition is None else json.dumps(condition, indent=2, ensure_ascii=False),
    )


def _yes(statement: dict[str, Any], name: str) -> str:
    return "yes" if name in statement else ""


def _lines(value: Any) -> str:
    return "\n".join(listed(value))


def _lines_of_principals(value: Any) -> str | None:
    """Return principals as lines: ARNs as they are, others with their type before them."""
    if not isinstance(value, dict):
        return _lines(value)
    if set(value) - set(PRINCIPAL_TYPES):
        return None
    return "\n".join(
        one if kind == "AWS" else f"{kind}: {one}"
        for kind, values in value.items()
        for one in listed(values)
    )


def _statement(number: int, row: Row) -> dict[str, Any]:
    made: dict[str, Any] = {"Sid": row.sid} if row.sid else {}
    made["Effect"] = row.effect
    made["NotPrincipal" if row.who_not else "Principal"] = _principals(row.who)
    made["NotAction" if row.what_not else "Action"] = _shortest(row.what)
    made["NotResource" if row.on_not else "Resource"] = _shortest(row.on)
    if row.when:
        try:
            condition = json.loads(row.when)
        except (ValueError, RecursionError):
            condition = None
        if not isinstance(condition, dict):
            raise ValueError(number)
        made["Condition"] = condition
    return made


def _principals(lines: str) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for line in _each(lines):
        kind, colon, rest = line.partition(": ")
        if colon and kind in PRINCIPAL_TYPES:
            found.setdefault(kind, []).append(rest.strip())
        else:
            found.setdefault("AWS", []).append(line)
    return {kind: values[0] if len(values) == 1 else values for kind, values in found.items()}


def _shortest(lines: str) -> str | list[str]:
    found = _each(lines)
    return found[0] if len(found) == 1 else found


def _each(lines: str) -> list[str]:
    return [line.strip() for line in lines.splitlines() if line.strip()]
