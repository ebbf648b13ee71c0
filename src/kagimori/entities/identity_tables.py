"""The nouns of IAM that are stored, and how each is found."""

from typing import Final

from kagimori.entities.stored_tokens import tokens_of
from kagimori.ports import Table
from kagimori.rules.identity.account import AccessKey, AccessKeyUse, Account, AccountAlias
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.login_profile import LoginProfile, PasswordPolicy
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy
from kagimori.rules.identity.mfa_device import MfaDevice
from kagimori.rules.identity.oidc_provider import OidcProvider
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.sign_in_token import SignInToken
from kagimori.rules.identity.user import User

_NAMED: Final = ("account_id", "folded")
_GROUPS: Final = {"by_account": ("account_id",), "by_id": ("unique_id",)}
_COUNTED: Final = ("by_account",)  # accounts have quotas of them
# Who is in an account decides nothing: each row is found by its name or its id, and is checked.
_LISTS: Final = {"by_account": "lists and counts the nouns of an account"}

ACCOUNTS: Final = Table("accounts", Account, ("account_id",))
ACCESS_KEYS: Final = Table(
    "access_keys",
    AccessKey,
    ("access_key_id",),
    {"by_owner": ("account_id", "owner")},
    tokens=tokens_of,
)
ACCESS_KEY_USES: Final = Table(
    "access_key_uses",
    AccessKeyUse,
    ("access_key_id",),
    is_noted=True,
    unguarded="when an access key was used last is shown, and written without a record",
)
USERS: Final = Table("iam_users", User, _NAMED, _GROUPS, counted=_COUNTED, unguarded_groups=_LISTS)
GROUPS: Final = Table(
    "iam_groups", Group, _NAMED, _GROUPS, counted=_COUNTED, unguarded_groups=_LISTS
)
ROLES: Final = Table("iam_roles", Role, _NAMED, _GROUPS, counted=_COUNTED, unguarded_groups=_LISTS)
MANAGED_POLICIES: Final = Table(
    "iam_policies", ManagedPolicy, _NAMED, _GROUPS, counted=_COUNTED, unguarded_groups=_LISTS
)
MEMBERSHIPS: Final = Table(
    "iam_memberships",
    Membership,
    ("account_id", "in_group", "member"),
    {
        "by_group": ("account_id", "in_group"),
        "by_member": ("account_id", "member"),
        "by_account": ("account_id",),
    },
    unguarded_groups=_LISTS,
)
ATTACHMENTS: Final = Table(
    "iam_attachments",
    Attachment,
    ("account_id", "policy_arn", "use", "noun", "bearer"),
    {"by_policy": ("account_id", "policy_arn"), "by_account": ("account_id",)},
    unguarded_groups=_LISTS,
)
ACCOUNT_ALIASES: Final = Table(
    "account_aliases", AccountAlias, ("alias",), {"by_account": ("account_id",)}
)
INSTANCE_PROFILES: Final = Table(
    "iam_instance_profiles",
    InstanceProfile,
    _NAMED,
    {"by_account": ("account_id",), "by_role": ("account_id", "role")},
    counted=_COUNTED,
    unguarded_groups=_LISTS,
)
LOGIN_PROFILES: Final = Table(
    "iam_login_profiles", LoginProfile, ("account_id", "member"), tokens=tokens_of
)
PASSWORD_POLICIES: Final = Table("iam_password_policies", PasswordPolicy, ("account_id",))
MFA_DEVICES: Final = Table(
    "iam_mfa_devices",
    MfaDevice,
    _NAMED,
    {"by_account": ("account_id",), "by_holder": ("account_id", "holder")},
    counted=_COUNTED,
    tokens=tokens_of,
    unguarded_groups=_LISTS,
)
OIDC_PROVIDERS: Final = Table(
    "iam_oidc_providers",
    OidcProvider,
    ("account_id", "url"),
    {"by_account": ("account_id",)},
    counted=_COUNTED,
    unguarded_groups=_LISTS,
)
SIGN_IN_TOKENS: Final = Table(
    "sign_in_tokens",
    SignInToken,
    ("account_id", "holder"),
    {"by_hash": ("token_hash",)},
    makes_callers=False,
)

IDENTITY_TABLES: Final = (
    ACCOUNTS,
    ACCESS_KEYS,
    ACCESS_KEY_USES,
    USERS,
    GROUPS,
    ROLES,
    MANAGED_POLICIES,
    MEMBERSHIPS,
    ATTACHMENTS,
    ACCOUNT_ALIASES,
    INSTANCE_PROFILES,
    LOGIN_PROFILES,
    PASSWORD_POLICIES,
    MFA_DEVICES,
    OIDC_PROVIDERS,
    SIGN_IN_TOKENS,
)
