"""Passwords of users, and what the account asks of them.

A password goes to the HSM and comes back hashed and sealed; nothing else of it is kept.
"""

from typing import Any

from kagimori.entities.identity_tables import LOGIN_PROFILES, PASSWORD_POLICIES, USERS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import USER, identity_named, not_found
from kagimori.operations.iam.iam_operation import Found, OnNamed
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Delete, Put
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


def _policy(asked: Asked) -> PasswordPolicy | None:
    found: PasswordPolicy | None = asked.view.one(PASSWORD_POLICIES, (asked.caller.account_id,))
    return found


def _hash(
    user: User,
    known: tuple[LoginProfile | None, PasswordPolicy | None],
    password: str,
    current: str | None = None,
) -> HashPassword:
    """Return the command that hashes a new password.

    Raises:
        PasswordPolicyViolation: it is not good enough.
    """
    profile, policy = known
    check_password(password, policy, user.name)
    return HashPassword(
        user.account_id,
        user.unique_id,
        password,
        b"" if profile is None else profile.sealed_password,
        current,
        0 if policy is None else policy.remembered,
    )


class _OnLoginProfile(OnNamed):
    """`more` are the user's login profile and the account's password policy."""

    kind = USER
    is_self_default = True

    def read(self, asked: Asked, entity: User) -> Any:
        profile = asked.view.one(LOGIN_PROFILES, (entity.account_id, entity.folded))
        return profile, _policy(asked)


class CreateLoginProfile(_OnLoginProfile):
    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        user = facts.entity
        if facts.more[0] is not None:
            raise EntityAlreadyExists(f"Login Profile for user {user.name} already exists.")
        if asked.call.input.Password is None:
            raise ValidationError("Must specify a password.")
        return _hash(user, facts.more, asked.call.input.Password)

    def finish(self, asked: Asked, facts: Found, reply: Bytes) -> Outcome:
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


class _OnPresentProfile(_OnLoginProfile):
    def check(self, asked: Asked, facts: Found) -> None:
        if facts.more[0] is None:
            raise NoSuchEntity(f"Login Profile for User {facts.entity.name} cannot be found.")


class GetLoginProfile(_OnPresentProfile):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome({"LoginProfile": _shown(facts.more[0], facts.entity)})


class UpdateLoginProfile(_OnPresentProfile):
    """Another password, or whether it must be changed; what is left out stays."""

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        super().ask(asked, facts)
        password = asked.call.input.Password
        return None if password is None else _hash(facts.entity, facts.more, password)

    def finish(self, asked: Asked, facts: Found, reply: Bytes | None) -> Outcome:
        profile, reset = facts.more[0], asked.call.input.PasswordResetRequired
        fields: dict[str, Any] = {} if reset is None else {"reset_required": reset}
        if reply is not None:
            fields |= {"sealed_password": reply.value, "changed_at": asked.now}
        return Outcome(writes=(Put(LOGIN_PROFILES, changed(profile, **fields), profile),))


class DeleteLoginProfile(_OnPresentProfile):
    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(LOGIN_PROFILES, facts.more[0], destroys=True),))


class ChangePassword(IamOperation):
    """A user's own; needs no permission where the account's policy lets users change theirs."""

    def look_up(self, asked: Asked) -> Found:
        name, account_id = asked.caller.user_name, asked.caller.account_id
        if name is None:
            raise InvalidUserType("Only IAM Users can change their own password.")
        user, policy = identity_named(asked.view, USER, account_id, name), _policy(asked)
        if user is None:
            raise not_found(USER, name)
        profile = asked.view.one(LOGIN_PROFILES, (account_id, user.folded))
        is_free = policy is not None and policy.users_may_change
        needs = () if is_free else (self.need(user.arn, user),)
        return Found(needs, entity=user, more=(profile, policy))

    def ask(self, asked: Asked, facts: Found) -> Command | None:
        given, user = asked.call.input, facts.entity
        if facts.more[0] is None:
            raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")
        return _hash(user, facts.more, given.NewPassword, given.OldPassword)

    def finish(self, asked: Asked, facts: Found, reply: Bytes) -> Outcome:
        profile = facts.more[0]
        after = changed(
            profile, sealed_password=reply.value, changed_at=asked.now, reset_required=False
        )
        return Outcome(writes=(Put(LOGIN_PROFILES, after, profile),))


# --- the account's policy -------------------------------------------------------------------------


class _OnPasswordPolicy(IamOperation):
    def look_up(self, asked: Asked) -> Found:
        return Found((self.need("*"),), entity=_policy(asked))


class _OnPresentPolicy(_OnPasswordPolicy):
    def ask(self, asked: Asked, facts: Found) -> Command | None:
        if facts.entity is None:
            account_id = asked.caller.account_id
            raise NoSuchEntity(
                f"The Password Policy with domain name {account_id} cannot be found."
            )
        return None


class GetAccountPasswordPolicy(_OnPresentPolicy):
    read_only = True

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        policy = facts.entity
        shown: dict[str, Any] = {
            "MinimumPasswordLength": policy.length_min,
            "RequireSymbols": policy.symbols,
            "RequireNumbers": policy.numbers,
            "RequireUppercaseCharacters": policy.uppercase,
            "RequireLowercaseCharacters": policy.lowercase,
            "AllowUsersToChangePassword": policy.users_may_change,
            "ExpirePasswords": policy.max_age_days > 0,
            "HardExpiry": policy.hard_expiry,
        }
        if policy.max_age_days:
            shown["MaxPasswordAge"] = policy.max_age_days
        if policy.remembered:
            shown["PasswordReusePrevention"] = policy.remembered
        return Outcome({"PasswordPolicy": shown})


class UpdateAccountPasswordPolicy(_OnPasswordPolicy):
    """The whole policy: what is left out has its default again, as on AWS."""

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        given, before = asked.call.input, facts.entity
        fields: dict[str, Any] = {
            "length_min": given.MinimumPasswordLength or 6,
            "symbols": bool(given.RequireSymbols),
            "numbers": bool(given.RequireNumbers),
            "uppercase": bool(given.RequireUppercaseCharacters),
            "lowercase": bool(given.RequireLowercaseCharacters),
            "users_may_change": bool(given.AllowUsersToChangePassword),
            "max_age_days": given.MaxPasswordAge or 0,
            "remembered": given.PasswordReusePrevention or 0,
            "hard_expiry": bool(given.HardExpiry),
        }
        if before is None:
            after = PasswordPolicy(account_id=asked.caller.account_id, **fields)
        else:
            after = changed(before, **fields)
        return Outcome(writes=(Put(PASSWORD_POLICIES, after, before),))


class DeleteAccountPasswordPolicy(_OnPresentPolicy):
    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(writes=(Delete(PASSWORD_POLICIES, facts.entity),))
