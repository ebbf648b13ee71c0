"""Access keys of users and of the account's root user.

The secret is made and sealed by the HSM, and is in the answer of CreateAccessKey and nowhere else.
"""

from typing import Any

from kagimori.entities.identity_tables import ACCESS_KEY_USES, ACCESS_KEYS, ACCOUNTS, USERS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import USER, identity_named
from kagimori.operations.iam.answers import shown_access_key
from kagimori.operations.iam.iam_operation import Found, OnNamed, page
from kagimori.operations.iam.users import is_root
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Put
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.refusals import NoSuchEntity, ValidationError
from kagimori_boundary.commands import Command, CreateSecret
from kagimori_boundary.replies import NewSecret


class Keys(Found):
    """`entity` is the user, or the account when `is_root`; `more` its access keys."""

    is_root: bool = False
    access_key_id: str = ""


class _OnAccessKeys(OnNamed):
    """Without a UserName, the caller's own are meant: the root user has some, too."""

    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> Keys:
        account_id = asked.caller.account_id
        if asked.call.input.UserName is None and is_root(asked):
            facts = Keys((self.need(asked.caller.principal.arn),), is_root=True)
            facts.entity = asked.view.one(ACCOUNTS, (account_id,))
            facts.more = asked.view.group(ACCESS_KEYS, "by_owner", (account_id, ""))
            return facts
        found = super().look_up(asked)
        return Keys(found.needs, entity=found.entity, more=found.more)

    def read(self, asked: Asked, entity: Any) -> Any:
        return asked.view.group(ACCESS_KEYS, "by_owner", (entity.account_id, entity.name))


class CreateAccessKey(_OnAccessKeys):
    def ask(self, asked: Asked, facts: Any) -> Command | None:
        super().ask(asked, facts)
        quotas.ACCESS_KEYS.check(len(facts.more))
        facts.access_key_id = unique_ids.access_key_id(unique_ids.ACCESS_KEY, asked.draw())
        return CreateSecret(asked.caller.account_id, facts.access_key_id)

    def finish(self, asked: Asked, facts: Keys, reply: NewSecret) -> Outcome:
        access_key = AccessKey(
            access_key_id=facts.access_key_id,
            account_id=asked.caller.account_id,
            sealed_secret=reply.sealed_secret,
            created_at=asked.now,
            user_name=None if facts.is_root else facts.entity.name,
        )
        # The owner is written too: of two that make the last key, one is sent to look again.
        table = ACCOUNTS if facts.is_root else USERS
        shown = shown_access_key(access_key)
        return Outcome(
            {"AccessKey": {**shown, "SecretAccessKey": reply.secret_access_key}},
            (
                Put(ACCESS_KEYS, access_key),
                Put(table, changed(facts.entity), facts.entity),
            ),
            {"AccessKey": shown},
        )


class ListAccessKeys(_OnAccessKeys):
    read_only = True

    def finish(self, asked: Asked, facts: Keys, reply: Any) -> Outcome:
        entries = [(key.access_key_id, shown_access_key(key)) for key in facts.more]
        owner = "" if facts.is_root else facts.entity.name
        return Outcome(page(asked, "AccessKeyMetadata", entries, owner))


class _OnAccessKey(_OnAccessKeys):
    def check(self, asked: Asked, facts: Found) -> None:
        wanted = asked.call.input.AccessKeyId
        facts.more = next((key for key in facts.more if key.access_key_id == wanted), None)
        if facts.more is None:
            raise access_key_not_found(wanted)


class UpdateAccessKey(_OnAccessKey):
    def check(self, asked: Asked, facts: Found) -> None:
        if asked.call.input.Status not in ("Active", "Inactive"):
            raise ValidationError("Status must be Active or Inactive.")
        super().check(asked, facts)

    def finish(self, asked: Asked, facts: Keys, reply: Any) -> Outcome:
        key, active = facts.more, asked.call.input.Status == "Active"
        if key.active is active:
            return Outcome()
        return Outcome(writes=(Put(ACCESS_KEYS, changed(key, active=active), key),))


class DeleteAccessKey(_OnAccessKey):
    def finish(self, asked: Asked, facts: Keys, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(ACCESS_KEYS, facts.more),))


class GetAccessKeyLastUsed(IamOperation):
    """Of any access key of the account, whoever's it is."""

    read_only = True

    def look_up(self, asked: Asked) -> Found:
        account_id = asked.caller.account_id
        key = asked.view.one(ACCESS_KEYS, (asked.call.input.AccessKeyId,))
        if key is not None and key.account_id != account_id:
            key = None
        user = None
        if key is not None and key.user_name is not None:
            user = identity_named(asked.view, USER, account_id, key.user_name)
        arn = (
            identity_arn(asked.partition, account_id, "user", "/", "*")
            if user is None
            else user.arn
        )
        facts = Found((self.need(arn, user),), entity=key)
        if key is not None:
            # A page: never from memory, since uses are noted without telling anybody.
            uses = asked.view.page(ACCESS_KEY_USES, (key.access_key_id,), None, 1)
            facts.more = uses[0] if uses else None
        return facts

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            raise access_key_not_found(asked.call.input.AccessKeyId)
        return None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        use = facts.more
        shown = {"ServiceName": "N/A", "Region": "N/A"}
        if use is not None:
            shown = {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
        answer = {"AccessKeyLastUsed": shown}
        if facts.entity.user_name is not None:
            answer["UserName"] = facts.entity.user_name
        return Outcome(answer)


def access_key_not_found(access_key_id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Access Key with id {access_key_id} cannot be found.")
