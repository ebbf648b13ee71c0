"""Passwords of users.

A password goes to the HSM and comes back hashed and sealed; nothing else of it is kept.
"""

from typing import Any

from msgspec.structs import replace

from kagimori.entities.identity_tables import LOGIN_PROFILES, PASSWORD_POLICIES, USERS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import USER, identity_named, not_found
from kagimori.operations.iam.iam_operation import AboutNamed, On
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome, R, Withheld
from kagimori.ports import Delete, Put, View
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity.login_profile import LoginProfile, PasswordPolicy, check_password
from kagimori.rules.identity.refusals import (
    EntityAlreadyExists,
    InvalidUserType,
    NoSuchEntity,
    ValidationError,
)
from kagimori.rules.identity.user import User
from kagimori_boundary.commands import Command, HashPassword
from kagimori_boundary.replies import Bytes


def _shown(profile: LoginProfile, user: User) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": profile.created_at,
        "PasswordResetRequired": profile.reset_required,
    }


class WithProfile(On[User]):
    """The user's login profile, and what the account asks of passwords."""

    profile: LoginProfile | None = None
    policy: PasswordPolicy | None = None


def _policy(asked: Asked) -> PasswordPolicy | None:
    found: PasswordPolicy | None = asked.view.one(PASSWORD_POLICIES, (asked.caller.account_id,))
    return found


def _profile(view: View, user: User) -> LoginProfile | None:
    found: LoginProfile | None = view.one(LOGIN_PROFILES, (user.account_id, user.folded))
    return found


def _present(facts: WithProfile) -> LoginProfile:
    """Return the login profile.

    Raises:
        NoSuchEntity: the user has none.
    """
    if facts.profile is None:
        raise NoSuchEntity(f"Login Profile for User {facts.entity.name} cannot be found.")
    return facts.profile


def _hash(
    asked: Request, facts: WithProfile, password: str, current: str | None = None
) -> HashPassword:
    """Return the command that hashes a new password.

    Raises:
        PasswordPolicyViolation: it is not good enough.
    """
    user, profile, policy = facts.entity, facts.profile, facts.policy
    check_password(password, policy, user.name)
    return HashPassword(
        user.account_id,
        user.unique_id,
        password,
        b"" if profile is None else profile.sealed_password,
        current,
        0 if policy is None else policy.remembered,
        asked.caller.proof,
    )


class _OnLoginProfile(AboutNamed[User, WithProfile, R]):
    kind = USER
    is_self_default = True

    def look_up(self, asked: Asked) -> WithProfile | Withheld:
        return self.found(asked, WithProfile)

    def read(self, asked: Asked, facts: WithProfile) -> WithProfile:
        return replace(facts, profile=_profile(asked.view, facts.entity), policy=_policy(asked))


class CreateLoginProfile(_OnLoginProfile[Bytes]):
    def ask(self, asked: Request, allowed: Allowed, facts: WithProfile) -> Command | None:
        if facts.profile is not None:
            name = facts.entity.name
            raise EntityAlreadyExists(f"Login Profile for user {name} already exists.")
        if asked.call.input.Password is None:
            raise ValidationError("Must specify a password.")
        return _hash(asked, facts, asked.call.input.Password)

    def finish(self, asked: Request, facts: WithProfile, reply: Bytes) -> Outcome:
        user = facts.entity
        profile = LoginProfile(
            account_id=user.account_id,
            member=user.folded,
            created_at=asked.now,
            changed_at=asked.now,
            sealed_password=reply.value,
            reset_required=bool(asked.call.input.PasswordResetRequired),
        )
        answer = {"LoginProfile": _shown(profile, user)}
        # The user is written too, so that it is neither deleted nor renamed meanwhile.
        writes = (Put(LOGIN_PROFILES, profile), Put(USERS, changed(user), user))
        return Outcome(answer, writes, answer)


class GetLoginProfile(_OnLoginProfile[None]):
    read_only = True

    def finish(self, asked: Request, facts: WithProfile, reply: None) -> Outcome:
        return Outcome({"LoginProfile": _shown(_present(facts), facts.entity)})


class UpdateLoginProfile(_OnLoginProfile[Bytes | None]):
    """Another password, or whether it must be changed; what is left out stays."""

    def ask(self, asked: Request, allowed: Allowed, facts: WithProfile) -> Command | None:
        _present(facts)
        password = asked.call.input.Password
        return None if password is None else _hash(asked, facts, password)

    def finish(self, asked: Request, facts: WithProfile, reply: Bytes | None) -> Outcome:
        profile, reset = _present(facts), asked.call.input.PasswordResetRequired
        fields: dict[str, Any] = {} if reset is None else {"reset_required": reset}
        if reply is not None:
            fields |= {"sealed_password": reply.value, "changed_at": asked.now}
        return Outcome(writes=(Put(LOGIN_PROFILES, changed(profile, **fields), profile),))


class DeleteLoginProfile(_OnLoginProfile[None]):
    def finish(self, asked: Request, facts: WithProfile, reply: None) -> Outcome:
        return Outcome(writes=(Delete(LOGIN_PROFILES, _present(facts), destroys=True),))


class ChangePassword(IamOperation[WithProfile, Bytes]):
    """A user's own; needs no permission where the account's policy lets users change theirs."""

    def look_up(self, asked: Asked) -> WithProfile:
        name, account_id = asked.caller.user_name, asked.caller.account_id
        if name is None:
            raise InvalidUserType("Only IAM Users can change their own password.")
        user, policy = identity_named(asked.view, USER, account_id, name), _policy(asked)
        if user is None:
            raise not_found(USER, name)
        is_free = policy is not None and policy.users_may_change
        needs = () if is_free else (self.need(user.arn, user),)
        return WithProfile(needs, entity=user, policy=policy)

    def read(self, asked: Asked, facts: WithProfile) -> WithProfile:
        return replace(facts, profile=_profile(asked.view, facts.entity))

    def ask(self, asked: Request, allowed: Allowed, facts: WithProfile) -> Command | None:
        given = asked.call.input
        _present(facts)
        return _hash(asked, facts, given.NewPassword, given.OldPassword)

    def finish(self, asked: Request, facts: WithProfile, reply: Bytes) -> Outcome:
        profile = _present(facts)
        after = changed(
            profile, sealed_password=reply.value, changed_at=asked.now, reset_required=False
        )
        return Outcome(writes=(Put(LOGIN_PROFILES, after, profile),))
