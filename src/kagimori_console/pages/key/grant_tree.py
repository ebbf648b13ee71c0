"""Grants as a tree of delegations: who let whom do something, and what that one passed on.

A grant names its issuing account only. Who made it stands in the audit trail, as far back as that
may be read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kagimori_console.pages.key.tally import Event

DEPTH_MAX: Final = 12


@dataclass
class Node:
    """A grant and those that its grantee made; `issuer` is "" if the trail does not show it."""

    grant: dict[str, Any]
    issuer: str
    children: list["Node"] = field(default_factory=list)


@dataclass
class Root:
    """Somebody who made grants without being a grantee: a principal, or an account."""

    name: str
    nodes: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class _Giver:
    """A grant through which others can be made, and how deep in the tree it stands."""

    node: Node
    operations: frozenset[str]
    depth: int


def issuers_of(events: Iterable[Event]) -> dict[str, str]:
    """Return who made each grant, by its id."""
    found: dict[str, str] = {}
    for event in events:
        made = event.record.get("responseElements") or {}
        if event.operation == "CreateGrant" and not event.error and made.get("grantId"):
            found[str(made["grantId"])] = event.caller
    return found


def tree_of(grants: Iterable[dict[str, Any]], issuers: Mapping[str, str]) -> list[Root]:
    """Return those who delegated first, each with the grants that followed.

    A grant stands below an older one whose grantee made it, if that one may create grants and has
    all of its operations: so must a grant be that is made through another.
    """
    roots: dict[str, Root] = {}
    givers: dict[str, list[_Giver]] = {}
    for grant in sorted(grants, key=_age):
        issuer = issuers.get(str(grant["GrantId"]), "")
        node = Node(grant, issuer)
        operations = frozenset(grant.get("Operations", []))
        above = reversed(givers.get(issuer, [])) if issuer else ()
        giver = next((one for one in above if one.operations >= operations), None)
        if giver is None:
            name = issuer or str(grant.get("IssuingAccount", ""))
            roots.setdefault(name, Root(name)).nodes.append(node)
        else:
            giver.node.children.append(node)
        depth = 1 if giver is None else giver.depth + 1
        if "CreateGrant" in operations and depth < DEPTH_MAX:
            givers.setdefault(grantee(grant), []).append(_Giver(node, operations, depth))
    return sorted(roots.values(), key=lambda one: one.name)


def grantee(grant: Mapping[str, Any]) -> str:
    """Return the grantee: an ARN, or a service."""
    return str(grant.get("GranteePrincipal") or grant.get("GranteeServicePrincipal") or "")


def _age(grant: Mapping[str, Any]) -> tuple[float, str]:
    made = grant.get("CreationDate")
    return (made.timestamp() if made is not None else 0.0, str(grant["GrantId"]))
