"""The base of operations that create and list users, groups, roles and policies."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from msgspec.structs import replace

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import Kind, managed_policy
from kagimori.operations.iam.boundaries import boundary_writes, refuse_bad_boundary
from kagimori.operations.iam.iam_operation import Answered, in_path, read_page
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome
from kagimori.ports import ExpectAtMost, Put, Table, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import Bearer, identity_arn
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.quotas import Quota
from kagimori.rules.identity.refusals import EntityAlreadyExists
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori_boundary.commands import Command


class New(Facts):
    """The facts for creating an entity: namesakes, and room under the quota.

    `drawn` makes its unique id, `is_taken` says that another has its name already, and `count` is
    how many of them the account has.
    """

    drawn: str = ""
    is_taken: bool = False
    count: int = 0
    tags: Mapping[str, str] = {}


def one_more(account_id: str, table: Table, count: int, quota: Quota) -> ExpectAtMost:
    """Return the expectation of one more write, so that no two make the last together.

    Raises:
        LimitExceeded: there is no room for one more.
    """
    quota.check(count)
    return ExpectAtMost(table, "by_account", (account_id,), quota.most)


def count_of(asked: Asked, table: Table) -> int:
    """Return how many of a kind the account has."""
    return asked.view.count(table, "by_account", (asked.caller.account_id,))


def new_tags(asked: Request) -> dict[str, str]:
    """Return the tags that what is made is to have.

    Raises:
        Refusal: tags that AWS refuses, or too many.
    """
    return with_tags({}, read_tags(getattr(asked.call.input, "Tags", None)))


class NewIdentity(New):
    """`bound` is the policy that is to be the permissions boundary."""

    bound: ManagedPolicy | None = None


B = TypeVar("B", bound=Bearer)
C = TypeVar("C", bound=NewIdentity)


class CreateIdentity(IamOperation[C, None], Generic[B, C]):
    """A new user, group or role. What is tagged when made needs the permission to tag, too."""

    kind: Kind[B]
    quota: ClassVar[Quota]

    def planned(self, asked: Asked, facts: type[C]) -> C:
        """Return the needs, in facts of a kind."""
        given, account_id = asked.call.input, asked.caller.account_id
        name: str = getattr(given, self.kind.member)
        arn = identity_arn(asked.partition, account_id, self.kind.noun, given.Path or "/", name)
        boundary = _boundary(asked)
        values = {} if boundary is None else {"iam_permissionsboundary": boundary}
        needs = [self.need(arn, None, **values)]
        if getattr(given, "Tags", None):
            needs.append(Need(f"iam:Tag{self.kind.noun.title()}", resource=arn))
        return facts(tuple(needs), drawn=asked.draw())

    def read(self, asked: Asked, facts: C) -> C:
        key = (asked.caller.account_id, fold(getattr(asked.call.input, self.kind.member)))
        boundary = _boundary(asked)
        return replace(
            facts,
            tags=new_tags(asked),
            is_taken=asked.view.one(self.kind.table, key) is not None,
            bound=None if boundary is None else managed_policy(asked.view, boundary),
            count=count_of(asked, self.kind.table),
        )

    def ask(self, asked: Request, allowed: Allowed, facts: C) -> Command | None:
        if facts.is_taken:
            name = getattr(asked.call.input, self.kind.member)
            raise EntityAlreadyExists(f"{self.kind.noun.title()} with name {name} already exists.")
        boundary = _boundary(asked)
        if boundary is not None:
            refuse_bad_boundary(asked, boundary, facts.bound)
        return None

    def finish(self, asked: Request, facts: C, reply: None) -> Outcome:
        entity = self.made(asked, facts)
        writes: list[Write] = [
            Put(self.kind.table, entity),
            *boundary_writes(entity, None, facts.bound),
            one_more(asked.caller.account_id, self.kind.table, facts.count, self.quota),
        ]
        answer = {self.kind.noun.title(): self.shown(entity)}
        return Outcome(answer, writes, answer)

    @abstractmethod
    def made(self, asked: Request, facts: C) -> B:
        """Return the new identity."""

    @abstractmethod
    def shown(self, entity: B) -> dict[str, Any]:
        """Return the new identity as the answer shows it."""

    def common(self, asked: Request, facts: C) -> dict[str, Any]:
        """Return the fields that users and roles have in common."""
        given = asked.call.input
        return {
            "partition": asked.partition,
            "account_id": asked.caller.account_id,
            "name": getattr(given, self.kind.member),
            "path": given.Path or "/",
            "created_at": asked.now,
            "boundary": _boundary(asked),
            "tags": dict(facts.tags),
        }


def _boundary(asked: Request) -> str | None:
    """Return the ARN of the permissions boundary that is asked for; groups have none."""
    return getattr(asked.call.input, "PermissionsBoundary", None)


class ListIdentities(IamOperation[Answered, None], Generic[B]):
    """A page of the account's users, groups or roles."""

    read_only = True
    kind: Kind[B]

    def look_up(self, asked: Asked) -> Answered:
        prefix = asked.call.input.PathPrefix or "/"
        arn = identity_arn(asked.partition, asked.caller.account_id, self.kind.noun, prefix, "")
        return Answered((self.need(arn),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        own, path = (asked.caller.account_id,), asked.call.input.PathPrefix or "/"
        shown, rest = read_page(asked, self.kind.table, own, path, wanted=in_path(asked))
        name = f"{self.kind.noun.title()}s"
        answer = {name: [self.shown(asked, one) for one in shown], **rest}
        return Answered(facts.needs, answer=answer)

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)

    @abstractmethod
    def shown(self, asked: Asked, entity: B) -> dict[str, Any]:
        """Return one of them as the listing shows it."""
