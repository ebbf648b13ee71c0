"""Access keys of users and of the account's root user.

The secret is made and sealed by the HSM, and is in the answer of CreateAccessKey and nowhere else.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCESS_KEY_USES, ACCESS_KEYS, ACCOUNTS, USERS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import USER, identity_named
from kagimori.operations.iam.answers import shown_access_key
from kagimori.operations.iam.iam_operation import AboutNamed, On, page
from kagimori.operations.iam.users import is_root
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome, R, Withheld
from kagimori.ports import Delete, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.account import AccessKey, AccessKeyUse, Account
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.refusals import NoSuchEntity, ValidationError
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command, CreateSecretOnBehalf
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import NewSecret


class Keys(On[User | Account]):
    """The owner, a user or (for its root user) the account, and its access keys.

    `access_key_id` is for a new one.
    """

    access_keys: Sequence[AccessKey] = ()
    access_key_id: str = ""

    @property
    def user_name(self) -> str | None:
        """The owner's name; None is the root user's."""
        return self.entity.name if isinstance(self.entity, User) else None

    @property
    def holder(self) -> str:
        """The owner as the HSM seals it with a secret."""
        return self.entity.unique_id if isinstance(self.entity, User) else ROOT_HOLDER


K = TypeVar("K", bound=Keys)


class _OnAccessKeys(AboutNamed[User, K, R]):
    """Without a UserName, the caller's own are meant: the root user has some, too."""

    kind = USER
    is_self_default = True

    def found(self, asked: Asked, facts: type[K]) -> K | Withheld:
        if asked.call.input.UserName is not None or not is_root(asked):
            return super().found(asked, facts)
        account: Account = asked.view.one(ACCOUNTS, (asked.caller.account_id,))
        return facts((self.need(asked.caller.principal.arn),), entity=account)

    def read(self, asked: Asked, facts: K) -> K:
        owner = (facts.entity.account_id, facts.user_name or "")
        return replace(facts, access_keys=asked.view.group(ACCESS_KEYS, "by_owner", owner))


class CreateAccessKey(_OnAccessKeys[Keys, NewSecret]):
    def look_up(self, asked: Asked) -> Keys | Withheld:
        return self.found(asked, Keys)

    def read(self, asked: Asked, facts: Keys) -> Keys:
        facts = super().read(asked, facts)
        drawn = unique_ids.access_key_id(unique_ids.ACCESS_KEY, asked.draw())
        return replace(facts, access_key_id=drawn)

    def ask(self, asked: Request, allowed: Allowed, facts: Keys) -> Command | None:
        quotas.ACCESS_KEYS.check(len(facts.access_keys))
        return CreateSecretOnBehalf(
            asked.caller.account_id, facts.access_key_id, facts.holder, asked.caller.proof
        )

    def finish(self, asked: Request, facts: Keys, reply: NewSecret) -> Outcome:
        owner = facts.entity
        access_key = AccessKey(
            access_key_id=facts.access_key_id,
            account_id=asked.caller.account_id,
            sealed_secret=reply.sealed_secret,
            created_at=asked.now,
            user_name=facts.user_name,
            holder=facts.holder,
        )
        # The owner is written too: of two that make the last key, one is sent to look again.
        table = USERS if isinstance(owner, User) else ACCOUNTS
        shown = shown_access_key(access_key)
        return Outcome(
            {"AccessKey": {**shown, "SecretAccessKey": reply.secret_access_key}},
            (Put(ACCESS_KEYS, access_key), Put(table, changed(owner), owner)),
            {"AccessKey": shown},
        )


class ListAccessKeys(_OnAccessKeys[Keys, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Keys | Withheld:
        return self.found(asked, Keys)

    def finish(self, asked: Request, facts: Keys, reply: None) -> Outcome:
        entries = [(key.access_key_id, shown_access_key(key)) for key in facts.access_keys]
        return Outcome(page(asked, "AccessKeyMetadata", entries, facts.user_name or ""))


def _named(asked: Request, facts: Keys) -> AccessKey:
    """Return the access key of the owner's that is named.

    Raises:
        NoSuchEntity: there is none.
    """
    wanted = asked.call.input.AccessKeyId
    for key in facts.access_keys:
        if key.access_key_id == wanted:
            return key
    raise access_key_not_found(wanted)


class UpdateAccessKey(_OnAccessKeys[Keys, None]):
    def look_up(self, asked: Asked) -> Keys | Withheld:
        return self.found(asked, Keys)

    def ask(self, asked: Request, allowed: Allowed, facts: Keys) -> Command | None:
        if asked.call.input.Status not in ("Active", "Inactive"):
            raise ValidationError("Status must be Active or Inactive.")
        _named(asked, facts)
        return None

    def finish(self, asked: Request, facts: Keys, reply: None) -> Outcome:
        key, active = _named(asked, facts), asked.call.input.Status == "Active"
        if key.active is active:
            return Outcome()
        return Outcome(writes=(Put(ACCESS_KEYS, changed(key, active=active), key),))


class DeleteAccessKey(_OnAccessKeys[Keys, None]):
    def look_up(self, asked: Asked) -> Keys | Withheld:
        return self.found(asked, Keys)

    def finish(self, asked: Request, facts: Keys, reply: None) -> Outcome:
        return Outcome(writes=(Delete(ACCESS_KEYS, _named(asked, facts)),))


class LastUse(Facts, kw_only=True):
    """An access key and its newest use, if it was used."""

    access_key: AccessKey
    use: AccessKeyUse | None = None


class GetAccessKeyLastUsed(IamOperation[LastUse, None]):
    """Shows the newest use of any access key of the account, of every user."""

    read_only = True

    def look_up(self, asked: Asked) -> LastUse | Withheld:
        account_id, access_key_id = asked.caller.account_id, asked.call.input.AccessKeyId
        key: AccessKey | None = asked.view.one(ACCESS_KEYS, (access_key_id,))
        if key is not None and key.account_id != account_id:
            key = None
        user = None
        if key is not None and key.user_name is not None:
            user = identity_named(asked.view, USER, account_id, key.user_name)
        everybody = identity_arn(asked.partition, account_id, "user", "/", "*")
        arn = everybody if user is None else user.arn
        need = self.need(arn, user)
        if key is None:
            return Withheld((need,), refusal=access_key_not_found(access_key_id))
        return LastUse((need,), access_key=key)

    def read(self, asked: Asked, facts: LastUse) -> LastUse:
        # A page: never from memory, since uses are noted without a notice to other workers.
        name = (facts.access_key.access_key_id,)
        uses: Sequence[AccessKeyUse] = asked.view.page(ACCESS_KEY_USES, name, None, 1)
        return replace(facts, use=uses[0] if uses else None)

    def finish(self, asked: Request, facts: LastUse, reply: None) -> Outcome:
        use = facts.use
        shown: dict[str, Any] = {"ServiceName": "N/A", "Region": "N/A"}
        if use is not None:
            shown = {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
        answer: dict[str, Any] = {"AccessKeyLastUsed": shown}
        if facts.access_key.user_name is not None:
            answer["UserName"] = facts.access_key.user_name
        return Outcome(answer)


def access_key_not_found(access_key_id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Access Key with id {access_key_id} cannot be found.")
