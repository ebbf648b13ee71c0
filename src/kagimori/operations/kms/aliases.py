"""Aliases: names for keys, in their account and region."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from kagimori.entities.tables import ALIASES, KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.kms.on_key import KeyFacts
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.ports import Delete, Expect, ExpectAtMost, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.alias import (
    ALIASES_PER_KEY_MAX,
    check_alias_count,
    check_alias_name,
    check_alias_prefix,
    check_same_type,
)
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.keys.managed import ALIAS_NAMES
from kagimori.rules.keys.states import check_state
from kagimori.rules.names import alias_arn
from kagimori.rules.refusal import (
    AlreadyExistsException,
    NotAuthorizedException,
    NotFoundException,
)
from kagimori_boundary.commands import Command


class OnAlias(KeyFacts, kw_only=True):
    """`kms_key` is the key that the alias names afterwards."""

    alias_arn: str

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        owner = self.kms_key.account_id
        return ((owner, self.kms_key.arn), (owner, self.alias_arn))


class NewAlias(OnAlias):
    """`namesake` is an alias of this name; `siblings` are the aliases of the key."""

    namesake: Alias | None = None
    siblings: Sequence[Alias] = ()


class OldAlias(OnAlias, kw_only=True):
    """`current` is the key that the alias names until now; `siblings` those of the key to be."""

    alias: Alias
    current: KmsKey
    siblings: Sequence[Alias] = ()


A = TypeVar("A", bound=OnAlias)


class _ChangeOfAlias(Operation[A, None]):
    def _arn(self, asked: Asked) -> str:
        name = asked.call.input.AliasName
        return alias_arn(asked.caller.account_id, asked.call.region, name)

    def _alias(self, asked: Asked) -> Alias | None:
        key = (asked.caller.account_id, asked.call.region, asked.call.input.AliasName)
        found: Alias | None = asked.view.one(ALIASES, key)
        return found

    def _existing(self, asked: Asked) -> tuple[Alias, KmsKey]:
        alias = self._alias(asked)
        if alias is None:
            raise NotFoundException(f"Alias {self._arn(asked)} is not found.")
        key = (alias.account_id, alias.region, alias.target_key_id)
        return alias, asked.view.one(KMS_KEYS, key)

    def _target(self, asked: Asked) -> KmsKey:
        text = asked.call.input.TargetKeyId
        kms_key, _ = key_named(asked, text, aliases=False)
        return kms_key

    def _siblings(self, asked: Asked, kms_key: KmsKey) -> Sequence[Alias]:
        owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
        found: Sequence[Alias] = asked.view.group(ALIASES, "by_key", owner)
        return found


class CreateAlias(_ChangeOfAlias[NewAlias]):
    def look_up(self, asked: Asked) -> NewAlias:
        check_alias_name(asked.call.input.AliasName)
        kms_key, arn = self._target(asked), self._arn(asked)
        action = "kms:CreateAlias"
        return NewAlias(
            (Need(action, resource=arn), Need(action, kms_key)), kms_key=kms_key, alias_arn=arn
        )

    def read(self, asked: Asked, facts: NewAlias) -> NewAlias:
        siblings = self._siblings(asked, facts.kms_key)
        return replace(facts, namesake=self._alias(asked), siblings=siblings)

    def ask(self, asked: Request, allowed: Allowed, facts: NewAlias) -> Command | None:
        _check_target(self.name, facts.kms_key)
        if facts.namesake is not None:
            raise AlreadyExistsException(f"An alias with the name {facts.alias_arn} already exists")
        check_alias_count(len(facts.siblings))
        return None

    def finish(self, asked: Request, facts: NewAlias, reply: None) -> Outcome:
        kms_key = facts.kms_key
        alias = Alias(
            account_id=kms_key.account_id,
            region=kms_key.region,
            alias_name=asked.call.input.AliasName,
            target_key_id=kms_key.key_id,
            created_at=asked.now,
            updated_at=asked.now,
        )
        writes = (Expect(KMS_KEYS, kms_key), Put(ALIASES, alias), _no_more(kms_key))
        return Outcome(writes=writes, response_elements={"keyId": kms_key.arn})


class UpdateAlias(_ChangeOfAlias[OldAlias]):
    def look_up(self, asked: Asked) -> OldAlias:
        check_alias_name(asked.call.input.AliasName)
        alias, current = self._existing(asked)
        target, arn = self._target(asked), self._arn(asked)
        action = "kms:UpdateAlias"
        needs = [Need(action, resource=arn), Need(action, current)]
        if target.key_id != current.key_id:
            needs.append(Need(action, target))
        return OldAlias(tuple(needs), kms_key=target, alias=alias, alias_arn=arn, current=current)

    def read(self, asked: Asked, facts: OldAlias) -> OldAlias:
        return replace(facts, siblings=self._siblings(asked, facts.kms_key))

    def ask(self, asked: Request, allowed: Allowed, facts: OldAlias) -> Command | None:
        target = facts.kms_key
        _check_target(self.name, target)
        check_same_type(facts.alias_arn, facts.current, target)
        if target.key_id != facts.current.key_id:
            check_alias_count(len(facts.siblings))
        return None

    def finish(self, asked: Request, facts: OldAlias, reply: None) -> Outcome:
        target = facts.kms_key
        after = changed(facts.alias, target_key_id=target.key_id, updated_at=asked.now)
        room = (_no_more(target),) if target.key_id != facts.current.key_id else ()
        writes = (Expect(KMS_KEYS, target), Put(ALIASES, after, facts.alias), *room)
        return Outcome(writes=writes, response_elements={"keyId": target.arn})


class DeleteAlias(_ChangeOfAlias[OldAlias]):
    def look_up(self, asked: Asked) -> OldAlias:
        check_alias_prefix(asked.call.input.AliasName)
        alias, kms_key = self._existing(asked)
        arn = self._arn(asked)
        action = "kms:DeleteAlias"
        needs = (Need(action, resource=arn), Need(action, kms_key))
        return OldAlias(needs, kms_key=kms_key, alias=alias, alias_arn=arn, current=kms_key)

    def finish(self, asked: Request, facts: OldAlias, reply: None) -> Outcome:
        writes = (Delete(ALIASES, facts.alias),)
        return Outcome(writes=writes, response_elements={"keyId": facts.kms_key.arn})


def _no_more(kms_key: KmsKey) -> ExpectAtMost:
    """Return the expectation that no two at once give a key one alias more than it may have."""
    owner = (kms_key.account_id, kms_key.region, kms_key.key_id)
    return ExpectAtMost(ALIASES, "by_key", owner, ALIASES_PER_KEY_MAX)


class ListedAliases(Facts):
    """A page of aliases, and one more if there is more."""

    aliases: Sequence[Alias] = ()


class ListAliases(Operation[ListedAliases, None]):
    read_only = True

    def look_up(self, asked: Asked) -> ListedAliases:
        given = asked.call.input
        owner = (asked.caller.account_id, asked.call.region)
        limit = limit_of(given.Limit, default=50, most=100)
        after = start_of(given.Marker, *self._scope(asked))
        need = Need("kms:ListAliases")
        start = after and (*owner, *after)
        if given.KeyId is None:
            stored = asked.view.page(ALIASES, owner, start, limit + 1)
            aliases: Sequence[Alias] = _with_predefined(owner, stored, after, limit + 1)
        else:
            kms_key, _ = key_named(asked, given.KeyId, aliases=False)
            group = (kms_key.account_id, kms_key.region, kms_key.key_id)
            aliases = asked.view.page(ALIASES, group, start, limit + 1, "by_key")
            if kms_key.account_id != asked.caller.account_id:
                # Works in the own account alone: it is decided on the key that is named.
                need = Need("kms:ListAliases", kms_key)
        return ListedAliases((need,), aliases=aliases)

    def finish(self, asked: Request, facts: ListedAliases, reply: None) -> Outcome:
        limit = limit_of(asked.call.input.Limit, default=50, most=100)
        return Outcome(
            page_of(
                facts.aliases,
                limit,
                *self._scope(asked),
                name="Aliases",
                shown=_shown,
                key=lambda alias: [alias.alias_name],
            )
        )

    def _scope(self, asked: Request) -> tuple[str, ...]:
        return (self.name, asked.call.input.KeyId or "")


def _with_predefined(
    owner: tuple[str, str], stored: Sequence[Alias], after: tuple[str, ...] | None, most: int
) -> list[Alias]:
    """Return a page of stored aliases with the predefined ones whose keys do not exist yet."""
    known = {alias.alias_name for alias in stored}
    first = after[0] if after is not None else ""
    # Beyond the last of a full page, the next page has them.
    last = stored[-1].alias_name if len(stored) >= most else None
    missing = [
        Alias(
            account_id=owner[0],
            region=owner[1],
            alias_name=name,
            target_key_id="",
            created_at=0.0,
            updated_at=0.0,
        )
        for name in ALIAS_NAMES
        if name not in known and name > first and (last is None or name < last)
    ]
    return sorted([*stored, *missing], key=lambda alias: alias.alias_name)[:most]


def _shown(alias: Alias) -> dict[str, Any]:
    names = {
        "AliasName": alias.alias_name,
        "AliasArn": alias_arn(alias.account_id, alias.region, alias.alias_name),
    }
    if not alias.target_key_id:  # predefined, and its key not made yet
        return names
    return {
        **names,
        "TargetKeyId": alias.target_key_id,
        "CreationDate": alias.created_at,
        "LastUpdatedDate": alias.updated_at,
    }


def _check_target(operation: str, kms_key: KmsKey) -> None:
    if kms_key.key_manager != "CUSTOMER":
        raise NotAuthorizedException
    check_state(operation, kms_key)
