"""Builds the members of IAM's answers for identities and policies.

Source: IAM API Reference, data types and each action's remarks.
"""

from typing import Any
from urllib.parse import quote

from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.identity.managed_policy import ManagedPolicy, PolicyVersion
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User


def encoded_policy(text: str) -> str:
    """Return a policy document as IAM's answers hold it (RFC 3986)."""
    return quote(text, safe="")


def shown_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def shown_user(
    user: User, profile: LoginProfile | None = None, *, whole: bool = True
) -> dict[str, Any]:
    """Return a user; listings leave out tags and boundary."""
    shown: dict[str, Any] = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.unique_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        **_last_used(profile),
    }
    return {**shown, **(_more(user) if whole else {})}


def shown_root(account: Account, arn: str, profile: LoginProfile | None = None) -> dict[str, Any]:
    """Return an account's root user, as GetUser shows it."""
    shown = {"UserId": account.account_id, "Arn": arn, "CreateDate": account.created_at}
    return {**shown, **_last_used(profile)}


def _last_used(profile: LoginProfile | None) -> dict[str, float]:
    """Return when somebody last signed in with the password; nothing if nobody has."""
    if profile is None or profile.last_used_at is None:
        return {}
    return {"PasswordLastUsed": profile.last_used_at}


def shown_group(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.unique_id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }


def shown_role(
    role: Role, trust_policy: str | None = None, *, whole: bool = True, new: bool = False
) -> dict[str, Any]:
    """Return a role, with its trust policy as it reads now.

    Listings leave out tags, boundary and last use, CreateRole the duration.
    """
    shown: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.unique_id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": encoded_policy(trust_policy or role.trust_policy),
    }
    if role.description:
        shown["Description"] = role.description
    if not new:
        shown["MaxSessionDuration"] = role.session_seconds_max
    if whole:
        shown.update(_more(role))
        if not new:
            shown["RoleLastUsed"] = {}
    return shown


def _more(bearer: Bearer) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if bearer.boundary is not None:
        more["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": bearer.boundary,
        }
    if bearer.tags:
        more["Tags"] = shown_tags(bearer.tags)
    return more


def shown_instance_profile(profile: InstanceProfile, roles: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an instance profile with its role, as it is shown in a list, if it has one."""
    shown: dict[str, Any] = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.unique_id,
        "Arn": profile.arn,
        "CreateDate": profile.created_at,
        "Roles": roles,
    }
    if profile.tags:
        shown["Tags"] = shown_tags(profile.tags)
    return shown


def shown_access_key(access_key: AccessKey) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "AccessKeyId": access_key.access_key_id,
        "Status": "Active" if access_key.active else "Inactive",
        "CreateDate": access_key.created_at,
    }
    if access_key.user_name is not None:
        shown["UserName"] = access_key.user_name
    return shown


def shown_policy(
    policy: ManagedPolicy, *, attached: int, bounding: int, described: bool, tagged: bool
) -> dict[str, Any]:
    """Return a managed policy with the number of its attachments and uses as boundary."""
    shown: dict[str, Any] = {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default.version_id,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounding,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }
    if described and policy.description is not None:
        shown["Description"] = policy.description
    if tagged and policy.tags:
        shown["Tags"] = shown_tags(policy.tags)
    return shown


def shown_version(
    policy: ManagedPolicy, version: PolicyVersion, *, with_text: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.number == policy.default_number,
        "CreateDate": version.created_at,
    }
    if with_text:
        shown["Document"] = encoded_policy(version.text)
    return shown
