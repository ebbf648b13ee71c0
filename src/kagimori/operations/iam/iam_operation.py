"""What the operations of IAM have in common: whom they name, what they need, how they refuse.

The need is decided before it is told whether the named one exists, as on AWS.
Source: Service Authorization Reference, "IAM"; reference, 23.1.
"""

from hashlib import sha256
from typing import Any, ClassVar, Final

from msgspec import Struct

from kagimori.gate.asked import Asked
from kagimori.gate.identities import Kind, identity_named, managed_policy, not_found
from kagimori.operations.iam_action import PAGE_DEFAULT, IamOperation
from kagimori.operations.operation import Facts
from kagimori.operations.pages import page_of, start_of
from kagimori.ports import ExpectAtMost, Put, Table, View
from kagimori.rules.entity import changed
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.quotas import Quota
from kagimori.rules.identity.refusals import NoSuchEntity, ValidationError
from kagimori.rules.refusal import InvalidMarkerException
from kagimori_boundary.commands import Command

UNREADABLE_ARN: Final = "Invalid ARN:  Could not be parsed!"  # the two spaces are AWS's


class Found(Facts):
    """`entity` is the one that is named, None if there is none; `more` what else was read."""

    entity: Any = None
    more: Any = None


class OnNamed(IamOperation):
    """An operation on one user, group or role that the request names."""

    kind: ClassVar[Kind]
    # Whether the caller is meant when nobody is named.
    is_self_default: ClassVar[bool] = False

    def look_up(self, asked: Asked) -> Found:
        name = self.named(asked)
        account_id = asked.caller.account_id
        entity = identity_named(asked.view, self.kind, account_id, name)
        arn = identity_arn(asked.partition, account_id, self.kind.noun, "/", name)
        need = self.need(entity.arn if entity else arn, entity, **self.values(asked, entity))
        facts = Found((need,), entity=entity)
        if entity is not None:
            facts.more = self.read(asked, entity)
        return facts

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            raise not_found(self.kind, self.named(asked))
        self.check(asked, facts)
        return None

    def named(self, asked: Asked) -> str:
        name: str | None = getattr(asked.call.input, self.kind.member)
        if name is None and self.is_self_default:
            name = asked.caller.user_name
        if name is None:
            raise ValidationError("Must specify userName when calling with non-User credentials")
        return name

    def values(self, asked: Asked, entity: Any) -> dict[str, str]:
        """Return the condition keys that only this operation has."""
        return {}

    def read(self, asked: Asked, entity: Any) -> Any:
        """Return what else of the store is needed."""

    def check(self, asked: Asked, facts: Found) -> None:
        """Return if it can be done; what raises is told only to who may do it."""


class OnPolicy(IamOperation):
    """An operation on one managed policy that the request names by ARN."""

    # Whether AWS's own policies will do.
    takes_aws: ClassVar[bool] = False

    def look_up(self, asked: Asked) -> Found:
        arn = asked.call.input.PolicyArn
        policy = managed_policy(asked.view, arn)
        own = (asked.caller.account_id, "aws") if self.takes_aws else (asked.caller.account_id,)
        if policy is not None and policy.account_id not in own:
            policy = None
        facts = Found((self.need(arn, policy),), entity=policy)
        if policy is not None:
            facts.more = self.read(asked, policy)
        return facts

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            check_policy_arn(asked, asked.call.input.PolicyArn)
            raise policy_not_found(asked.call.input.PolicyArn)
        self.check(asked, facts)
        return None

    def read(self, asked: Asked, policy: Any) -> Any:
        """Return what else of the store is needed."""

    def check(self, asked: Asked, facts: Found) -> None:
        """Return if it can be done."""


def check_policy_arn(asked: Asked, arn: str) -> None:
    """Return if a policy's ARN can be read, and is of the partition that is asked.

    Raises:
        ValidationError: it cannot, or is not.
    """
    if not arn.startswith("arn:"):
        raise ValidationError(UNREADABLE_ARN)
    if arn.split(":")[1] != asked.partition:
        raise ValidationError("Invalid ARN partition")


def policy_not_found(arn: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} was not found.")


def put(kind: Kind, before: Any, **fields: Any) -> Put:
    """Return the change of some fields of an identity."""
    return Put(kind.table, changed(before, **fields), before)


def page(asked: Asked, member: str, entries: list[tuple[str, Any]], *scope: str) -> dict[str, Any]:
    """Return a page of entries (key and how it is shown), in the order of their keys.

    Raises:
        ValidationError: a marker that this listing did not give.
    """
    shown, rest = page_entries(asked, entries, *scope)
    return {member: [entry for _, entry in shown], **rest}


def page_entries(
    asked: Asked, entries: list[tuple[str, Any]], *scope: str
) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Return the entries of a page with their keys, and the members that say whether it is all.

    Raises:
        ValidationError: a marker that this listing did not give.
    """
    given = asked.call.input
    # A marker may be 320 characters long: of what is listed it has but a hash.
    listed = "\n".join((asked.caller.account_id, *scope))
    scope = (asked.call.operation, sha256(listed.encode()).hexdigest()[:12])
    try:
        after = start_of(given.Marker, *scope)
    except InvalidMarkerException:
        raise ValidationError("Invalid Marker.") from None
    rest = sorted(entries, key=lambda entry: entry[0])
    if after is not None:
        rest = [entry for entry in rest if entry[0] > after[0]]
    answer = page_of(
        rest,
        given.MaxItems or PAGE_DEFAULT,
        *scope,
        name="entries",
        shown=lambda entry: entry,
        key=lambda entry: [entry[0]],
    )
    members = {"IsTruncated": answer["Truncated"]}
    if "NextMarker" in answer:
        members["Marker"] = answer["NextMarker"]
    return answer["entries"], members


def starts_with(asked: Asked, entity: Any) -> bool:
    """Whether an entity's path is among those asked for."""
    prefix: str | None = asked.call.input.PathPrefix
    return prefix is None or bool(entity.path.startswith(prefix))


class Room(Struct, frozen=True):
    """How many of a kind an account has."""

    table: Table
    account_id: str
    number: int

    def for_one(self, quota: Quota) -> ExpectAtMost:
        """Return what to expect when one more is written, so that no two make the last together.

        Raises:
            LimitExceeded: there is no room for one more.
        """
        quota.check(self.number)
        return ExpectAtMost(self.table, "by_account", (self.account_id,), quota.most)


def all_named(view: View, table: Table, account_id: str) -> dict[str, Any]:
    """Return all of an account's users, groups or roles by folded name: one look at the store.

    For who needs many: to look for each would be a look at the store for each.
    """
    return {one.folded: one for one in view.group(table, "by_account", (account_id,))}


def room(asked: Asked, table: Table) -> Room:
    account_id = asked.caller.account_id
    return Room(table, account_id, asked.view.count(table, "by_account", (account_id,)))
