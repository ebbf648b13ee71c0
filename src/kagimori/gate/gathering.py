"""Gathers the policies of an identity: its own, those attached to it, and those of its groups.

Deciding and simulating both gather here, so that a simulation says what a decision will be. First
the entities, by which a caller that was made before is known again; then what they say.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from kagimori.entities.identity_tables import GROUPS, MEMBERSHIPS
from kagimori.gate.identities import managed_policy
from kagimori.ports import View
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.managed_policy import ManagedPolicy


class Holder(Struct, frozen=True):
    """An identity and the managed policies that are attached to it and exist."""

    bearer: Bearer
    attached: tuple[ManagedPolicy, ...]


class Gathered(Struct, frozen=True):
    """The holders of the policies that count for an identity, itself first, and its boundary.

    `boundary` is None for an identity without one, and for one whose boundary does not exist:
    `is_bounded` is what differs.
    """

    holders: tuple[Holder, ...]
    boundary: ManagedPolicy | None
    is_bounded: bool


def entities_of(view: View, bearer: Bearer) -> tuple[Any, ...]:
    """Return all that decides what a user, group or role may, the identity first.

    Each identity is followed by its managed policies and its boundary; None stands for one that
    does not exist.

    Raises:
        Absent: not in memory yet.
    """
    if bearer.noun != "user":
        return (bearer, *_managed(view, bearer))
    members = view.group(MEMBERSHIPS, "by_member", (bearer.account_id, bearer.folded))
    if not members and not bearer.attached and bearer.boundary is None:
        return (bearer,)
    found: list[Any] = [bearer, *_managed(view, bearer)]
    for membership in members:
        group = view.one(GROUPS, (bearer.account_id, membership.in_group))
        if group is not None:
            found += (group, *_managed(view, group))
    return tuple(found)


def read_entities(entities: tuple[Any, ...]) -> Gathered:
    """Return the entities of `entities_of`, sorted by their kind."""
    rest = iter(entities)
    first = next(rest)
    holders = [Holder(first, _existing(rest, len(first.attached)))]
    boundary = None if first.boundary is None else next(rest)
    for group in rest:
        holders.append(Holder(group, _existing(rest, len(group.attached))))
        if group.boundary is not None:  # AWS has none for groups; it would limit nobody
            next(rest)
    return Gathered(tuple(holders), boundary, first.boundary is not None)


def _managed(view: View, bearer: Bearer) -> list[ManagedPolicy | None]:
    arns = bearer.attached if bearer.boundary is None else (*bearer.attached, bearer.boundary)
    return [managed_policy(view, arn) for arn in arns]


def _existing(entities: Iterator[Any], count: int) -> tuple[ManagedPolicy, ...]:
    """Return the managed policies among the next `count` entities."""
    found = [next(entities) for _ in range(count)]
    return tuple(policy for policy in found if policy is not None)
