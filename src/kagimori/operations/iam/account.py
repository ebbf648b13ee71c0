"""The account: its summary and its alias."""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    ACCOUNT_ALIASES,
    GROUPS,
    INSTANCE_PROFILES,
    LOGIN_PROFILES,
    MANAGED_POLICIES,
    MFA_DEVICES,
    OIDC_PROVIDERS,
    ROLES,
    USERS,
)
from kagimori.gate.across import is_alias_taken
from kagimori.gate.asked import Asked, Request
from kagimori.operations.iam.iam_operation import Answered, page
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome
from kagimori.ports import Delete, Put, Table
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity import quotas
from kagimori.rules.identity.account import AccountAlias
from kagimori.rules.identity.documents import (
    INLINE_CHARACTERS_MAX,
    MANAGED_CHARACTERS_MAX,
    TRUST_CHARACTERS_MAX,
)
from kagimori.rules.identity.managed_policy import VERSIONS_MAX
from kagimori.rules.identity.mfa_device import ROOT_USER
from kagimori.rules.identity.refusals import EntityAlreadyExists, NoSuchEntity
from kagimori_boundary.commands import Command

_QUOTAS: Final = {
    "UsersQuota": quotas.USERS.most,
    "GroupsQuota": quotas.GROUPS.most,
    "RolesQuota": quotas.ROLES.most,
    "PoliciesQuota": quotas.MANAGED_POLICIES.most,
    "InstanceProfilesQuota": quotas.INSTANCE_PROFILES.most,
    "GroupsPerUserQuota": quotas.GROUPS_OF_USER.most,
    "AccessKeysPerUserQuota": quotas.ACCESS_KEYS.most,
    "AttachedPoliciesPerUserQuota": quotas.ATTACHED["user"].most,
    "AttachedPoliciesPerGroupQuota": quotas.ATTACHED["group"].most,
    "AttachedPoliciesPerRoleQuota": quotas.ATTACHED["role"].most,
    "UserPolicySizeQuota": INLINE_CHARACTERS_MAX["user"],
    "GroupPolicySizeQuota": INLINE_CHARACTERS_MAX["group"],
    "RolePolicySizeQuota": INLINE_CHARACTERS_MAX["role"],
    "PolicySizeQuota": MANAGED_CHARACTERS_MAX,
    "AssumeRolePolicySizeQuota": TRUST_CHARACTERS_MAX,
    "VersionsPerPolicyQuota": VERSIONS_MAX,
    # What there is none of here.
    "ServerCertificates": 0,
    "ServerCertificatesQuota": 0,
    "SigningCertificatesPerUserQuota": 0,
    "AccountSigningCertificatesPresent": 0,
    "GlobalEndpointTokenVersion": 2,
}


class GetAccountSummary(IamOperation[Answered, None]):
    """Returns the numbers and quotas of the account's resources."""

    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        return Answered((self.need("*"),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        account_id = asked.caller.account_id

        def listed(table: Table) -> Sequence[Any]:
            return asked.view.group(table, "by_account", (account_id,))

        devices, policies = listed(MFA_DEVICES), listed(MANAGED_POLICIES)
        root_keys = asked.view.group(ACCESS_KEYS, "by_owner", (account_id, ""))
        root_password = asked.view.one(LOGIN_PROFILES, (account_id, ROOT_USER))
        versions = sum(len(policy.versions) for policy in policies)
        numbers = {
            "Users": len(listed(USERS)),
            "Groups": len(listed(GROUPS)),
            "Roles": len(listed(ROLES)),
            "InstanceProfiles": len(listed(INSTANCE_PROFILES)),
            "Providers": len(listed(OIDC_PROVIDERS)),
            "Policies": len(policies),
            "PolicyVersionsInUse": versions,
            "PolicyVersionsInUseQuota": quotas.MANAGED_POLICIES.most * VERSIONS_MAX,
            "MFADevices": len(devices),
            "AccountMFAEnabled": int(any(device.holder == ROOT_USER for device in devices)),
            "MFADevicesInUse": sum(bool(device.holder) for device in devices),
            "AccountAccessKeysPresent": int(bool(root_keys)),
            "AccountPasswordPresent": int(root_password is not None),
        }
        return Answered(facts.needs, answer={"SummaryMap": {**numbers, **_QUOTAS}})

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)


class Aliases(Facts):
    """The aliases of the account, and whether any account has the alias that is named."""

    own: Sequence[AccountAlias] = ()
    is_taken: bool = False


class _OnAlias(IamOperation[Aliases, None]):
    def look_up(self, asked: Asked) -> Aliases:
        return Aliases((self.need("*"),))

    def read(self, asked: Asked, facts: Aliases) -> Aliases:
        return Aliases(
            facts.needs,
            own=asked.view.group(ACCOUNT_ALIASES, "by_account", (asked.caller.account_id,)),
            is_taken=is_alias_taken(asked, asked.call.input.AccountAlias),
        )


class CreateAccountAlias(_OnAlias):
    """An account has one alias: another replaces it. No two accounts have the same."""

    def ask(self, asked: Request, allowed: Allowed, facts: Aliases) -> Command | None:
        if facts.is_taken:
            alias = asked.call.input.AccountAlias
            raise EntityAlreadyExists(f"The account alias {alias} already exists.")
        return None

    def finish(self, asked: Request, facts: Aliases, reply: None) -> Outcome:
        alias = AccountAlias(
            alias=asked.call.input.AccountAlias, account_id=asked.caller.account_id
        )
        before = [Delete(ACCOUNT_ALIASES, one) for one in facts.own]
        return Outcome(writes=(*before, Put(ACCOUNT_ALIASES, alias)))


class DeleteAccountAlias(_OnAlias):
    def finish(self, asked: Request, facts: Aliases, reply: None) -> Outcome:
        alias = asked.call.input.AccountAlias
        named = next((one for one in facts.own if one.alias == alias), None)
        if named is None:
            raise NoSuchEntity(f"The account alias {alias} cannot be found.")
        return Outcome(writes=(Delete(ACCOUNT_ALIASES, named),))


class ListAccountAliases(IamOperation[Aliases, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Aliases:
        return Aliases((self.need("*"),))

    def read(self, asked: Asked, facts: Aliases) -> Aliases:
        own = asked.view.group(ACCOUNT_ALIASES, "by_account", (asked.caller.account_id,))
        return Aliases(facts.needs, own=own)

    def finish(self, asked: Request, facts: Aliases, reply: None) -> Outcome:
        entries = [(one.alias, one.alias) for one in facts.own]
        return Outcome(page(asked, "AccountAliases", entries))
