"""Tags of what IAM has: the same three operations for each kind."""

from typing import Any

from kagimori.entities.identity_tables import MANAGED_POLICIES, ROLES, USERS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import ROLE, USER
from kagimori.operations.iam.answers import shown_tags
from kagimori.operations.iam.iam_operation import Found, OnNamed, OnPolicy, page
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Put, Table
from kagimori.rules.entity import changed
from kagimori.rules.identity.tags import read_tags, with_tags, without_tags


class Tag(IamOperation):
    """Adds tags to the entity that is found; `table` is where it is stored."""

    table: Table

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        tags = with_tags(facts.entity.tags, read_tags(asked.call.input.Tags))
        return _retagged(self.table, facts.entity, tags)


class Untag(IamOperation):
    table: Table

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        tags = without_tags(facts.entity.tags, asked.call.input.TagKeys)
        return _retagged(self.table, facts.entity, tags)


class ListTags(IamOperation):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        # A key can be longer than a marker, so places are counted: there are at most 50.
        tags = shown_tags(dict(sorted(facts.entity.tags.items())))
        entries = [(f"{place:02}", tag) for place, tag in enumerate(tags)]
        return Outcome(page(asked, "Tags", entries, facts.entity.arn))


def _retagged(table: Table, entity: Any, tags: dict[str, str]) -> Outcome:
    if tags == entity.tags:
        return Outcome()
    return Outcome(writes=(Put(table, changed(entity, tags=tags), entity),))


class TagUser(Tag, OnNamed):
    kind = USER
    table = USERS


class UntagUser(Untag, OnNamed):
    kind = USER
    table = USERS


class ListUserTags(ListTags, OnNamed):
    kind = USER


class TagRole(Tag, OnNamed):
    kind = ROLE
    table = ROLES


class UntagRole(Untag, OnNamed):
    kind = ROLE
    table = ROLES


class ListRoleTags(ListTags, OnNamed):
    kind = ROLE


class TagPolicy(Tag, OnPolicy):
    table = MANAGED_POLICIES


class UntagPolicy(Untag, OnPolicy):
    table = MANAGED_POLICIES


class ListPolicyTags(ListTags, OnPolicy):
    takes_aws = True
