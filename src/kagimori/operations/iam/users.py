"""Users: made, shown, renamed, deleted."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    ACCOUNTS,
    ATTACHMENTS,
    LOGIN_PROFILES,
    MEMBERSHIPS,
    MFA_DEVICES,
    SIGN_IN_TOKENS,
    USERS,
)
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import USER
from kagimori.operations.iam.answers import shown_root, shown_user
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import AboutNamed, On
from kagimori.operations.iam.making import CreateIdentity, ListIdentities, NewIdentity
from kagimori.operations.operation import Outcome, Withheld
from kagimori.ports import Delete, Put, View, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.folding import fold
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.group import Membership
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.identity.managed_policy import Attachment
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists
from kagimori.rules.identity.sign_in_token import SignInToken
from kagimori.rules.identity.user import User
from kagimori.rules.policy.principal import PrincipalKind
from kagimori_boundary.commands import Command


class CreateUser(CreateIdentity[User, NewIdentity]):
    kind = USER
    quota = quotas.USERS

    def look_up(self, asked: Asked) -> NewIdentity:
        return self.planned(asked, NewIdentity)

    def made(self, asked: Request, facts: NewIdentity) -> User:
        unique_id = unique_ids.unique_id(unique_ids.USER, facts.drawn)
        return User(unique_id=unique_id, **self.common(asked, facts))

    def shown(self, entity: User) -> dict[str, Any]:
        return shown_user(entity)


class Shown(On[User | Account]):
    """A user or the root user, with the password that it may have."""

    profile: LoginProfile | None = None


class GetUser(AboutNamed[User, Shown, None]):
    """The root user, when it names nobody, is shown itself."""

    read_only = True
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> Shown | Withheld:
        if asked.call.input.UserName is not None or not is_root(asked):
            return self.found(asked, Shown)
        account: Account = asked.view.one(ACCOUNTS, (asked.caller.account_id,))
        return Shown((self.need(asked.caller.principal.arn),), entity=account)

    def read(self, asked: Asked, facts: Shown) -> Shown:
        entity = facts.entity
        member = entity.folded if isinstance(entity, User) else ROOT_USER
        profile = asked.view.one(LOGIN_PROFILES, (entity.account_id, member))
        return replace(facts, profile=profile)

    def finish(self, asked: Request, facts: Shown, reply: None) -> Outcome:
        entity, profile = facts.entity, facts.profile
        if isinstance(entity, User):
            return Outcome({"User": shown_user(entity, profile)})
        return Outcome({"User": shown_root(entity, asked.caller.principal.arn, profile)})


class ListUsers(ListIdentities[User]):
    kind = USER

    def shown(self, asked: Asked, entity: User) -> dict[str, Any]:
        return shown_user(entity, whole=False)


class WithBelongings(On[User]):
    """A user with what stands beside it under its name; `is_taken` is of the name to be."""

    access_keys: Sequence[AccessKey] = ()
    memberships: Sequence[Membership] = ()
    uses: Sequence[Attachment] = ()
    login_profile: LoginProfile | None = None
    mfa_devices: Sequence[MfaDevice] = ()
    sign_in_token: SignInToken | None = None
    is_taken: bool = False


def _with_belongings(view: View, facts: WithBelongings) -> WithBelongings:
    user = facts.entity
    folded = (user.account_id, user.folded)
    return replace(
        facts,
        access_keys=view.group(ACCESS_KEYS, "by_owner", (user.account_id, user.name)),
        memberships=view.group(MEMBERSHIPS, "by_member", folded),
        uses=uses_of(view, user),
        login_profile=view.one(LOGIN_PROFILES, folded),
        mfa_devices=view.group(MFA_DEVICES, "by_holder", folded),
        sign_in_token=view.one(SIGN_IN_TOKENS, (user.account_id, user.unique_id)),
    )


class UpdateUser(AboutNamed[User, WithBelongings, None]):
    """Another name or path; what a user has goes with it."""

    kind = USER

    def look_up(self, asked: Asked) -> WithBelongings | Withheld:
        facts = self.found(asked, WithBelongings)
        if isinstance(facts, Withheld):
            return facts
        user = facts.entity
        name, path = _new_name(asked, user)
        further = self.need(identity_arn(user.partition, user.account_id, "user", path, name), user)
        return replace(facts, needs=(*facts.needs, further))

    def read(self, asked: Asked, facts: WithBelongings) -> WithBelongings:
        user = facts.entity
        name, _ = _new_name(asked, user)
        if fold(name) != user.folded:
            namesake = asked.view.one(USERS, (user.account_id, fold(name)))
            facts = replace(facts, is_taken=namesake is not None)
        return _with_belongings(asked.view, facts)

    def ask(self, asked: Request, allowed: Allowed, facts: WithBelongings) -> Command | None:
        if facts.is_taken:
            name = asked.call.input.NewUserName
            raise EntityAlreadyExists(f"User with name {name} already exists.")
        return None

    def finish(self, asked: Request, facts: WithBelongings, reply: None) -> Outcome:
        user = facts.entity
        name, path = _new_name(asked, user)
        if (name, path) == (user.name, user.path):
            return Outcome()
        if fold(name) == user.folded:
            writes: list[Write] = [Put(USERS, changed(user, name=name, path=path), user)]
        else:
            moved = replace(user, name=name, path=path, version=1)
            writes = [Delete(USERS, user), Put(USERS, moved)]
            writes += _moved(facts, moved.folded)
        if name != user.name:
            writes += [
                Put(ACCESS_KEYS, changed(key, user_name=name), key) for key in facts.access_keys
            ]
        return Outcome(writes=tuple(writes))


def _new_name(asked: Request, user: User) -> tuple[str, str]:
    given = asked.call.input
    return given.NewUserName or user.name, given.NewPath or user.path


def _moved(found: WithBelongings, folded: str) -> list[Write]:
    """Return the writes by which all that a user has comes under its new name."""
    writes: list[Write] = []
    for membership in found.memberships:
        writes.append(Delete(MEMBERSHIPS, membership))
        writes.append(Put(MEMBERSHIPS, replace(membership, member=folded, version=1)))
    for use in found.uses:
        writes.append(Delete(ATTACHMENTS, use))
        writes.append(Put(ATTACHMENTS, replace(use, bearer=folded, version=1)))
    if found.login_profile is not None:
        writes.append(Delete(LOGIN_PROFILES, found.login_profile))
        writes.append(Put(LOGIN_PROFILES, replace(found.login_profile, member=folded, version=1)))
    writes += [
        Put(MFA_DEVICES, changed(device, holder=folded), device) for device in found.mfa_devices
    ]
    return writes


class DeleteUser(AboutNamed[User, WithBelongings, None]):
    """A user that has nothing any more."""

    kind = USER

    def look_up(self, asked: Asked) -> WithBelongings | Withheld:
        return self.found(asked, WithBelongings)

    def read(self, asked: Asked, facts: WithBelongings) -> WithBelongings:
        return _with_belongings(asked.view, facts)

    def ask(self, asked: Request, allowed: Allowed, facts: WithBelongings) -> Command | None:
        user = facts.entity
        for is_there, what in (
            (user.attached, "detach all policies"),
            (user.inline_policies, "delete policies"),
            (facts.access_keys, "delete access keys"),
            (facts.memberships, "remove users from group"),
            (facts.login_profile, "delete login profile"),
            (facts.mfa_devices, "delete MFA device"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")
        return None

    def finish(self, asked: Request, facts: WithBelongings, reply: None) -> Outcome:
        # Only the boundary's record is left.
        uses = [Delete(ATTACHMENTS, use) for use in facts.uses]
        token = facts.sign_in_token
        tokens = () if token is None else (Delete(SIGN_IN_TOKENS, token),)
        return Outcome(writes=(Delete(USERS, facts.entity), *uses, *tokens))


def is_root(asked: Request) -> bool:
    """Return whether the account's root user asks."""
    return asked.caller.principal.kind is PrincipalKind.ROOT
