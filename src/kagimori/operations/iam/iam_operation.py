"""The base of IAM's operations: naming, permissions, refusals and pages.

The need is decided before the answer shows whether the named one exists, as on AWS.
Source: Service Authorization Reference, "IAM"; IAM API Reference.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final, Generic, TypeVar

from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import Kind, N, identity_named, managed_policy, not_found
from kagimori.operations.iam_action import PAGE_DEFAULT, IamOperation
from kagimori.operations.operation import Facts, R, Withheld
from kagimori.operations.pages import marker_of, page_of, start_of
from kagimori.ports import Key, Put, Table, View
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity, ValidationError
from kagimori.rules.refusal import InvalidMarkerException, Refusal

T = TypeVar("T")

# Of entities that a list leaves out, so many are looked through for one page.
LOOKED_THROUGH_MAX: Final = 1000
UNREADABLE_ARN: Final = "Invalid ARN:  Could not be parsed!"  # the two spaces are AWS's


class On(Facts, Generic[T], kw_only=True):
    """The user, group, role or the like that is named."""

    entity: T


class Answered(Facts):
    """An answer that is put together while it is read."""

    answer: Mapping[str, Any] = {}


O = TypeVar("O", bound=On[Any])  # noqa: E741 - what `On` is
P = TypeVar("P", bound=On[ManagedPolicy])


class AboutNamed(IamOperation[O, R], Generic[N, O, R]):
    """An operation on one user, group or role that the request names."""

    kind: Kind[N]
    # Whether the caller is meant when nobody is named.
    is_self_default: ClassVar[bool] = False

    def found(self, asked: Asked, facts: type[O]) -> O | Withheld:
        """Return the one that is named in facts of a kind, and the need."""
        name = self.named(asked)
        account_id = asked.caller.account_id
        entity = identity_named(asked.view, self.kind, account_id, name)
        if entity is None:
            arn = identity_arn(asked.partition, account_id, self.kind.noun, "/", name)
            need = self.need(arn, None, **self.values(asked, None))
            return Withheld((need,), refusal=self.missing(asked))
        need = self.need(entity.arn, entity, **self.values(asked, entity))
        return facts((need,), entity=entity)

    def named(self, asked: Request) -> str:
        name: str | None = getattr(asked.call.input, self.kind.member)
        if name is None and self.is_self_default:
            name = asked.caller.user_name
        if name is None:
            raise ValidationError("Must specify userName when calling with non-User credentials")
        return name

    def missing(self, asked: Request) -> Refusal:
        """Return the refusal of a name that does not exist."""
        return not_found(self.kind, self.named(asked))

    def values(self, asked: Request, entity: N | None) -> dict[str, str]:
        """Return the condition keys that only this operation has."""
        return {}


class OnNamed(AboutNamed[N, On[N], R]):
    """An operation on one user, group or role that looks at nothing else."""

    def look_up(self, asked: Asked) -> On[N] | Withheld:
        return self.found(asked, On)


class AboutPolicy(IamOperation[P, R]):
    """An operation on one managed policy that the request names by ARN."""

    # Whether AWS's own policies will do.
    takes_aws: ClassVar[bool] = False

    def found(self, asked: Asked, facts: type[P]) -> P | Withheld:
        """Return the policy in facts of a kind, and the need."""
        arn = asked.call.input.PolicyArn
        policy = managed_policy(asked.view, arn)
        own = (asked.caller.account_id, "aws") if self.takes_aws else (asked.caller.account_id,)
        if policy is None or policy.account_id not in own:
            refusal = unusable_arn(asked, arn) or NoSuchEntity(f"Policy {arn} was not found.")
            return Withheld((self.need(arn),), refusal=refusal)
        return facts((self.need(arn, policy),), entity=policy)


class OnePolicy(AboutPolicy[On[ManagedPolicy], R]):
    """An operation on one managed policy that looks at nothing else."""

    def look_up(self, asked: Asked) -> On[ManagedPolicy] | Withheld:
        return self.found(asked, On)


def unusable_arn(asked: Request, arn: str) -> ValidationError | None:
    """Return why a policy's ARN cannot be used; None if it can be read and is of the partition."""
    if not arn.startswith("arn:"):
        return ValidationError(UNREADABLE_ARN)
    if arn.split(":")[1] != asked.partition:
        return ValidationError("Invalid ARN partition")
    return None


def check_policy_arn(asked: Request, arn: str) -> None:
    """Check that a policy's ARN can be read, and is of the partition that is asked.

    Raises:
        ValidationError: it cannot, or is not.
    """
    refusal = unusable_arn(asked, arn)
    if refusal is not None:
        raise refusal


def put(kind: Kind[N], before: N, **fields: Any) -> Put:
    """Return the change of some fields of an identity."""
    return Put(kind.table, changed(before, **fields), before)


def page(
    asked: Request, member: str, entries: list[tuple[str, Any]], *scope: str
) -> dict[str, Any]:
    """Return a page of entries (key and how it is shown), in the order of their keys.

    Raises:
        ValidationError: a marker that this listing did not give.
    """
    shown, rest = page_entries(asked, entries, *scope)
    return {member: [entry for _, entry in shown], **rest}


def page_entries(
    asked: Request, entries: list[tuple[str, T]], *scope: str
) -> tuple[list[tuple[str, T]], dict[str, Any]]:
    """Return the entries of a page with their keys, and the members that say whether it is all.

    Raises:
        ValidationError: a marker that this listing did not give.
    """
    given = asked.call.input
    after = _after(asked, *scope)
    rest = sorted(entries, key=lambda entry: entry[0])
    if after is not None:
        rest = [entry for entry in rest if entry[0] > after[0]]
    answer = page_of(
        rest,
        given.MaxItems or PAGE_DEFAULT,
        *_scope(asked, *scope),
        name="entries",
        shown=lambda entry: entry,
        key=lambda entry: [entry[0]],
    )
    members = {"IsTruncated": answer["Truncated"]}
    if "NextMarker" in answer:
        members["Marker"] = answer["NextMarker"]
    return answer["entries"], members


def read_page(
    asked: Asked, table: Table, prefix: Key, *scope: str, wanted: Callable[[Any], bool] | None
) -> tuple[list[Any], dict[str, Any]]:
    """Return a page of entities in key order, and the members that say whether it is all.

    It costs a page, however many there are. Those that are not `wanted` are looked through up to a
    bound: a page may then have fewer, and still not be the last, as on AWS.

    Raises:
        ValidationError: a marker that this listing did not give.
    """
    after, limit = _after(asked, *scope), asked.call.input.MaxItems or PAGE_DEFAULT
    most = limit if wanted is None else max(limit, LOOKED_THROUGH_MAX)
    found = asked.view.page(table, prefix, after and (*prefix, *after), most + 1)
    shown: list[Any] = []
    last = -1
    while last + 1 < min(most, len(found)) and len(shown) < limit:
        last += 1
        if wanted is None or wanted(found[last]):
            shown.append(found[last])
    is_more = last + 1 < len(found)
    members: dict[str, Any] = {"IsTruncated": is_more}
    if is_more:
        key = table.key_of(found[last])[len(prefix) :]
        members["Marker"] = marker_of(key, *_scope(asked, *scope))
    return shown, members


def _scope(asked: Request, *scope: str) -> tuple[str, str]:
    """Return the operation, and a hash of what it lists: a marker has 320 characters at most."""
    listed = "\n".join((asked.caller.account_id, *scope))
    return asked.call.operation, sha256(listed.encode()).hexdigest()[:12]


def _after(asked: Request, *scope: str) -> tuple[str, ...] | None:
    try:
        return start_of(asked.call.input.Marker, *_scope(asked, *scope))
    except InvalidMarkerException:
        raise ValidationError("Invalid Marker.") from None


def in_path(asked: Request) -> Callable[[Any], bool] | None:
    """Return the test of entities by the path that is asked for; None if all are."""
    prefix: str | None = asked.call.input.PathPrefix
    if prefix is None or prefix == "/":
        return None
    return lambda one: one.path.startswith(prefix)


def starts_with(asked: Request, path: str) -> bool:
    """Return whether a path is among those asked for."""
    prefix: str | None = asked.call.input.PathPrefix
    return prefix is None or path.startswith(prefix)


def all_named(view: View, kind: Kind[N], account_id: str) -> dict[str, N]:
    """Return all of an account's users, groups or roles by folded name: one look at the store.

    For who needs many: to look for each would be a look at the store for each.
    """
    listed: Sequence[N] = view.group(kind.table, "by_account", (account_id,))
    return {fold(one.name): one for one in listed}
