"""Operations on the password policy of an account."""

from typing import Any

from kagimori.entities.identity_tables import PASSWORD_POLICIES
from kagimori.gate.asked import Asked, Request
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome
from kagimori.ports import Delete, Put
from kagimori.rules.entity import changed
from kagimori.rules.identity.login_profile import PasswordPolicy
from kagimori.rules.identity.refusals import NoSuchEntity


class Policy(Facts):
    """The account's password policy, if it has one."""

    policy: PasswordPolicy | None = None


class _OnPasswordPolicy(IamOperation[Policy, None]):
    def look_up(self, asked: Asked) -> Policy:
        return Policy((self.need("*"),))

    def read(self, asked: Asked, facts: Policy) -> Policy:
        found: PasswordPolicy | None = asked.view.one(PASSWORD_POLICIES, (asked.caller.account_id,))
        return Policy(facts.needs, policy=found)


def _present(asked: Request, facts: Policy) -> PasswordPolicy:
    """Return the password policy.

    Raises:
        NoSuchEntity: the account has none.
    """
    if facts.policy is None:
        account_id = asked.caller.account_id
        raise NoSuchEntity(f"The Password Policy with domain name {account_id} cannot be found.")
    return facts.policy


class GetAccountPasswordPolicy(_OnPasswordPolicy):
    read_only = True

    def finish(self, asked: Request, facts: Policy, reply: None) -> Outcome:
        policy = _present(asked, facts)
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

    def finish(self, asked: Request, facts: Policy, reply: None) -> Outcome:
        given, before = asked.call.input, facts.policy
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


class DeleteAccountPasswordPolicy(_OnPasswordPolicy):
    def finish(self, asked: Request, facts: Policy, reply: None) -> Outcome:
        return Outcome(writes=(Delete(PASSWORD_POLICIES, _present(asked, facts)),))
