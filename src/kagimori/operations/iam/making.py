"""What creating and listing users, groups and roles have in common."""

from typing import Any, ClassVar

from kagimori.gate.asked import Asked, Need
from kagimori.gate.identities import Kind, managed_policy
from kagimori.operations.iam.boundaries import boundary_writes, refuse_bad_boundary
from kagimori.operations.iam.iam_operation import Found, Room, page, room, starts_with
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Put, Write
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.quotas import Quota
from kagimori.rules.identity.refusals import EntityAlreadyExists
from kagimori.rules.identity.tags import read_tags, with_tags
from kagimori_boundary.commands import Command


class Creating(Found):
    """`entity` is a namesake there already, `bound` the policy that is to be boundary."""

    space: Room | None = None
    bound: Any = None
    tags: Any = None


class CreateIdentity(IamOperation):
    """A new user, group or role. What is tagged when made needs the permission to tag, too."""

    kind: ClassVar[Kind]
    quota: ClassVar[Quota]

    def look_up(self, asked: Asked) -> Creating:
        given, account_id = asked.call.input, asked.caller.account_id
        name: str = getattr(given, self.kind.member)
        arn = identity_arn(asked.partition, account_id, self.kind.noun, given.Path or "/", name)
        boundary: str | None = getattr(given, "PermissionsBoundary", None)
        values = {} if boundary is None else {"iam_permissionsboundary": boundary}
        needs = [self.need(arn, None, **values)]
        if getattr(given, "Tags", None):
            needs.append(Need(f"iam:Tag{self.kind.noun.title()}", resource=arn))
        facts = Creating(tuple(needs))
        facts.entity = asked.view.one(self.kind.table, (account_id, fold(name)))
        if boundary is not None:
            facts.bound = managed_policy(asked.view, boundary)
        self.read(asked, facts)
        facts.space = room(asked, self.kind.table)
        return facts

    def read(self, asked: Asked, facts: Creating) -> None:
        """Read what else is needed."""

    def ask(self, asked: Asked, facts: Creating) -> Command | None:
        given = asked.call.input
        facts.tags = with_tags({}, read_tags(getattr(given, "Tags", None)))
        if facts.entity is not None:
            name = getattr(given, self.kind.member)
            raise EntityAlreadyExists(f"{self.kind.noun.title()} with name {name} already exists.")
        boundary = getattr(given, "PermissionsBoundary", None)
        if boundary is not None:
            refuse_bad_boundary(asked, boundary, facts.bound)
        return None

    def finish(self, asked: Asked, facts: Creating, reply: Any) -> Outcome:
        entity = self.made(asked, facts)
        writes: list[Write] = [Put(self.kind.table, entity)]
        writes += boundary_writes(entity, None, facts.bound)
        if facts.space is not None:
            writes.append(facts.space.for_one(self.quota))
        answer = {self.kind.noun.title(): self.shown(entity)}
        return Outcome(answer, tuple(writes), answer)

    def made(self, asked: Asked, facts: Creating) -> Any:
        raise NotImplementedError

    def shown(self, entity: Any) -> dict[str, Any]:
        raise NotImplementedError

    def common(self, asked: Asked, facts: Creating) -> dict[str, Any]:
        """Return the fields that users and roles have in common."""
        given = asked.call.input
        return {
            "partition": asked.partition,
            "account_id": asked.caller.account_id,
            "name": getattr(given, self.kind.member),
            "path": given.Path or "/",
            "created_at": asked.now,
            "boundary": getattr(given, "PermissionsBoundary", None),
            "tags": facts.tags,
        }


class ListIdentities(IamOperation):
    """A page of the account's users, groups or roles."""

    read_only = True
    kind: ClassVar[Kind]

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        prefix = asked.call.input.PathPrefix
        arn = identity_arn(asked.partition, account_id, self.kind.noun, prefix or "/", "")
        listed = asked.view.group(self.kind.table, "by_account", (account_id,))
        entries = [(entity.folded, entity) for entity in listed if starts_with(asked, entity)]
        name = f"{self.kind.noun.title()}s"
        facts = Found((self.need(arn),), more=page(asked, name, entries, prefix or "/"))
        facts.more[name] = [self.shown(asked, entity) for entity in facts.more[name]]
        return facts

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(facts.more)

    def shown(self, asked: Asked, entity: Any) -> dict[str, Any]:
        raise NotImplementedError
