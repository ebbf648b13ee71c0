"""Tags of IAM's entities: the same three operations for each kind."""

from typing import Generic, TypeVar

from kagimori.entities.identity_tables import MANAGED_POLICIES, ROLES, USERS
from kagimori.gate.asked import Request
from kagimori.gate.identities import ROLE, USER
from kagimori.operations.iam.answers import shown_tags
from kagimori.operations.iam.iam_operation import On, OnePolicy, OnNamed, page
from kagimori.operations.iam_action import IamOperation, Tagged
from kagimori.operations.operation import Outcome
from kagimori.ports import Put, Table
from kagimori.rules.entity import changed
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.tags import read_tags, with_tags, without_tags
from kagimori.rules.identity.user import User

G = TypeVar("G", bound=Tagged)


class Tag(IamOperation[On[G], None], Generic[G]):
    """Adds tags to the entity that is found; `table` is where it is stored."""

    table: Table

    def finish(self, asked: Request, facts: On[G], reply: None) -> Outcome:
        tags = with_tags(facts.entity.tags, read_tags(asked.call.input.Tags))
        return _retagged(self.table, facts.entity, tags)


class Untag(IamOperation[On[G], None], Generic[G]):
    table: Table

    def finish(self, asked: Request, facts: On[G], reply: None) -> Outcome:
        tags = without_tags(facts.entity.tags, asked.call.input.TagKeys)
        return _retagged(self.table, facts.entity, tags)


class ListTags(IamOperation[On[G], None], Generic[G]):
    read_only = True

    def finish(self, asked: Request, facts: On[G], reply: None) -> Outcome:
        # A key can be longer than a marker, so places are counted: there are at most 50.
        tags = shown_tags(dict(sorted(facts.entity.tags.items())))
        entries = [(f"{place:02}", tag) for place, tag in enumerate(tags)]
        return Outcome(page(asked, "Tags", entries, facts.entity.arn))


def _retagged(table: Table, entity: G, tags: dict[str, str]) -> Outcome:
    if tags == entity.tags:
        return Outcome()
    return Outcome(writes=(Put(table, changed(entity, tags=tags), entity),))


class TagUser(Tag[User], OnNamed[User, None]):
    kind = USER
    table = USERS


class UntagUser(Untag[User], OnNamed[User, None]):
    kind = USER
    table = USERS


class ListUserTags(ListTags[User], OnNamed[User, None]):
    kind = USER


class TagRole(Tag[Role], OnNamed[Role, None]):
    kind = ROLE
    table = ROLES


class UntagRole(Untag[Role], OnNamed[Role, None]):
    kind = ROLE
    table = ROLES


class ListRoleTags(ListTags[Role], OnNamed[Role, None]):
    kind = ROLE


class TagPolicy(Tag[ManagedPolicy], OnePolicy[None]):
    table = MANAGED_POLICIES


class UntagPolicy(Untag[ManagedPolicy], OnePolicy[None]):
    table = MANAGED_POLICIES


class ListPolicyTags(ListTags[ManagedPolicy], OnePolicy[None]):
    takes_aws = True
