"""The part of a denial that an account is shown: its own side of the decision, no other's.

A denial weighs the policies of the caller's account and those of the resource's. Only where both
are the same, and for operators of the deployment, is all of it shown.
"""

from typing import Any, Final

from msgspec.structs import replace

from kagimori.rules.authorization.denial import Denial
from kagimori.rules.keys.grant_shortfalls import texts_of

RESOURCE_POLICIES: Final = ("key policy", "role trust policy")
# Members whose own members are data, with names that are not ours.
_MAPS: Final = frozenset({"conditions", "encryption_context_equals", "encryption_context_subset"})
_RENAMED: Final = {"at": "EventTime", "owner": "ResourceAccountId"}
_LEFT_OUT: Final = frozenset({"slot", "version"})


def visible_to(denial: Denial, account_id: str | None) -> Denial | None:
    """Return the part of a denial that an account may see; None if it has no part in it.

    `account_id` None is for operators, who see everything.
    """
    owner = denial.owner or denial.account_id
    if account_id is None or account_id == denial.account_id == owner:
        return denial
    if account_id not in (denial.account_id, owner):
        return None
    owns = account_id == owner
    return replace(
        denial,
        policies=[one for one in denial.policies if _is_of_resource(one) == owns],
        matched=[one for one in denial.matched if _is_of_resource(one) == owns],
        grants=denial.grants if owns else [],
        explicit=any(_is_of_resource(one) == owns for one in denial.matched),
        conditions={},
        suggestion="",
        lacking=[],
        alternatives=[],
    )


def denial_members(denial: Denial) -> dict[str, Any]:
    """Return a denial as the admin service shows it."""
    denial = in_texts(denial)
    members = {name: getattr(denial, name) for name in denial.__struct_fields__}
    return {
        _RENAMED.get(name, _wire_name(name)): _shown(name, value)
        for name, value in members.items()
        if name not in _LEFT_OUT
    }


def in_texts(denial: Denial) -> Denial:
    """Return a denial whose shortfalls are texts; earlier versions stored them as they came."""
    return replace(denial, grants=[_grant_in_texts(grant) for grant in denial.grants])


def _grant_in_texts(grant: dict[str, Any]) -> dict[str, Any]:
    lacks = [
        {**lack, "written": texts_of(lack.get("written")), "request": texts_of(lack.get("request"))}
        for lack in grant.get("shortfalls", ())
    ]
    return {**grant, "shortfalls": lacks}


def _is_of_resource(finding: dict[str, Any]) -> bool:
    return finding["policy"] in RESOURCE_POLICIES


def _shown(name: str, value: Any) -> Any:
    if name in _MAPS or value is None:
        return value
    if isinstance(value, dict):
        return {_wire_name(inner): _shown(inner, one) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(name, one) for one in value]
    return value


def _wire_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
