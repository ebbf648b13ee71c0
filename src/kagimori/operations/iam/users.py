"""Users: made, shown, renamed, deleted."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    ACCOUNTS,
    ATTACHMENTS,
    LOGIN_PROFILES,
    MEMBERSHIPS,
    MFA_DEVICES,
    USERS,
)
from kagimori.gate.asked import Asked
from kagimori.gate.identities import USER
from kagimori.operations.iam.answers import shown_user
from kagimori.operations.iam.boundaries import uses_of
from kagimori.operations.iam.iam_operation import Found, OnNamed
from kagimori.operations.iam.making import CreateIdentity, Creating, ListIdentities
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Put, View, Write
from kagimori.rules.entity import changed
from kagimori.rules.identity import quotas, unique_ids
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.bearer import fold, identity_arn
from kagimori.rules.identity.refusals import DeleteConflict, EntityAlreadyExists
from kagimori.rules.identity.user import User
from kagimori.rules.policy.principal import PrincipalKind
from kagimori_boundary.commands import Command


class CreateUser(CreateIdentity):
    kind = USER
    quota = quotas.USERS

    def made(self, asked: Asked, facts: Creating) -> User:
        drawn = unique_ids.unique_id(unique_ids.USER, asked.draw())
        return User(unique_id=drawn, **self.common(asked, facts))

    def shown(self, entity: User) -> dict[str, Any]:
        return shown_user(entity)


class GetUser(OnNamed):
    """The root user, when it names nobody, is shown itself."""

    read_only = True
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> Found:
        if asked.call.input.UserName is not None or not is_root(asked):
            return super().look_up(asked)
        account = asked.view.one(ACCOUNTS, (asked.caller.account_id,))
        return Found((self.need(asked.caller.principal.arn),), more=account)

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        return super().ask(asked, facts) if facts.more is None else None

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        if facts.more is None:
            return Outcome({"User": shown_user(facts.entity)})
        root = {
            "UserId": asked.caller.account_id,
            "Arn": asked.caller.principal.arn,
            "CreateDate": facts.more.created_at,
        }
        return Outcome({"User": root})


class ListUsers(ListIdentities):
    kind = USER

    def shown(self, asked: Asked, entity: User) -> dict[str, Any]:
        return shown_user(entity, whole=False)


class Belongings(Struct):
    """What stands beside a user under its name; `namesake` has the new name already."""

    access_keys: tuple[AccessKey, ...]
    memberships: tuple[Any, ...]
    uses: list[Any]
    login_profile: Any
    mfa_devices: tuple[Any, ...]
    namesake: Any = None


def belongings(view: View, user: User) -> Belongings:
    return Belongings(
        tuple(view.group(ACCESS_KEYS, "by_owner", (user.account_id, user.name))),
        tuple(view.group(MEMBERSHIPS, "by_member", (user.account_id, user.folded))),
        uses_of(view, user),
        view.one(LOGIN_PROFILES, (user.account_id, user.folded)),
        tuple(view.group(MFA_DEVICES, "by_holder", (user.account_id, user.folded))),
    )


class UpdateUser(OnNamed):
    """Another name or path; what a user has goes with it."""

    kind = USER

    def look_up(self, asked: Asked) -> Found:
        facts = super().look_up(asked)
        user = facts.entity
        if user is not None:
            name, path = _new_name(asked, user)
            facts.needs += (
                self.need(identity_arn(user.partition, user.account_id, "user", path, name), user),
            )
        return facts

    def read(self, asked: Asked, entity: User) -> Belongings:
        found = belongings(asked.view, entity)
        name, _ = _new_name(asked, entity)
        if fold(name) != entity.folded:
            found.namesake = asked.view.one(USERS, (entity.account_id, fold(name)))
        return found

    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more.namesake is not None:
            name = asked.call.input.NewUserName
            raise EntityAlreadyExists(f"User with name {name} already exists.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        user = facts.entity
        name, path = _new_name(asked, user)
        if (name, path) == (user.name, user.path):
            return Outcome()
        if fold(name) == user.folded:
            writes: list[Write] = [Put(USERS, changed(user, name=name, path=path), user)]
        else:
            moved = replace(user, name=name, path=path, version=1)
            writes = [Delete(USERS, user), Put(USERS, moved)]
            writes += _moved(facts.more, moved.folded)
        if name != user.name:
            keys = facts.more.access_keys
            writes += [Put(ACCESS_KEYS, changed(key, user_name=name), key) for key in keys]
        return Outcome(writes=tuple(writes))


def _new_name(asked: Asked, user: User) -> tuple[str, str]:
    given = asked.call.input
    return given.NewUserName or user.name, given.NewPath or user.path


def _moved(found: Belongings, folded: str) -> list[Write]:
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


class DeleteUser(OnNamed):
    """A user that has nothing any more."""

    kind = USER

    def read(self, asked: Asked, entity: User) -> Belongings:
        return belongings(asked.view, entity)

    def check(self, asked: Asked, facts: Found) -> None:
        user, found = facts.entity, facts.more
        for is_there, what in (
            (user.attached, "detach all policies"),
            (user.inline_policies, "delete policies"),
            (found.access_keys, "delete access keys"),
            (found.memberships, "remove users from group"),
            (found.login_profile, "delete login profile"),
            (found.mfa_devices, "delete MFA device"),
        ):
            if is_there:
                raise DeleteConflict(f"Cannot delete entity, must {what} first.")

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        # Only the boundary's record is left.
        uses = [Delete(ATTACHMENTS, use) for use in facts.more.uses]
        return Outcome(writes=(Delete(USERS, facts.entity), *uses))


def is_root(asked: Asked) -> bool:
    """Whether the account's root user asks."""
    return asked.caller.principal.kind is PrincipalKind.ROOT
