"""The managed policies that AWS offers to every account, as far as they are offered here.

Source: AWS Managed Policy Reference Guide. DIFFERS(aws): the guide has over a thousand; these are
those that mean something to the services here.
"""

import json
from base64 import b32encode
from functools import cache
from hashlib import sha256
from typing import Any, Final

from kagimori.rules.identity.aws_managed_others import OTHERS
from kagimori.rules.identity.managed_policy import ManagedPolicy, PolicyVersion
from kagimori.rules.partitions import AWS, partitions

_CREATED_AT: Final = 1_423_180_800.0  # 2015-02-06, when managed policies came


def _allow(*actions: str, element: str = "Action") -> dict[str, Any]:
    return {"Effect": "Allow", element: list(actions), "Resource": "*"}


_STATEMENTS: Final[dict[str, tuple[str, str, list[dict[str, Any]]]]] = {
    "AdministratorAccess": (
        "/",
        "Provides full access to AWS services and resources.",
        [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    ),
    "AWSDenyAll": (
        "/",
        "Deny all access.",
        [{"Sid": "DenyAll", "Effect": "Deny", "Action": ["*"], "Resource": "*"}],
    ),
    "IAMFullAccess": (
        "/",
        "Provides full access to IAM via the AWS Management Console.",
        [
            _allow(
                "iam:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit",
                "organizations:DescribePolicy",
                "organizations:ListChildren",
                "organizations:ListParents",
                "organizations:ListPoliciesForTarget",
                "organizations:ListRoots",
                "organizations:ListPolicies",
                "organizations:ListTargetsForPolicy",
            )
        ],
    ),
    "IAMUserChangePassword": (
        "/",
        "Provides the ability for an IAM user to change their own password.",
        [
            {
                "Effect": "Allow",
                "Action": ["iam:ChangePassword"],
                "Resource": ["arn:aws:iam::*:user/${aws:username}"],
            },
            _allow("iam:GetAccountPasswordPolicy"),
        ],
    ),
    "ReadOnlyAccess": (
        "/",
        "Provides read-only access to AWS services and resources.",
        [
            _allow(
                "cloudtrail:Describe*",
                "cloudtrail:Get*",
                "cloudtrail:List*",
                "cloudtrail:LookupEvents",
                "ec2:Describe*",
                "ec2:Get*",
                "iam:Generate*",
                "iam:Get*",
                "iam:List*",
                "iam:Simulate*",
                "kms:Describe*",
                "kms:Get*",
                "kms:List*",
                "logs:Describe*",
                "logs:Get*",
                "s3:Get*",
                "s3:List*",
                "sts:GetAccessKeyInfo",
                "sts:GetCallerIdentity",
                "sts:GetSessionToken",
            )
        ],
    ),
    "SecurityAudit": (
        "/",
        (
            "The security audit template grants access to read security configuration metadata. It "
            "is useful for software that audits the configuration of an AWS account."
        ),
        [
            _allow(
                "cloudtrail:DescribeTrails",
                "cloudtrail:Get*",
                "cloudtrail:List*",
                "cloudtrail:LookupEvents",
                "ec2:Describe*",
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
                "kms:Describe*",
                "kms:Get*",
                "kms:List*",
            )
        ],
    ),
    "PowerUserAccess": (
        "/",
        (
            "Provides full access to AWS services and resources, but does not allow management of "
            "Users and groups."
        ),
        [
            _allow("iam:*", "organizations:*", "account:*", element="NotAction"),
            _allow(
                "account:GetAccountInformation",
                "account:GetGovCloudAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeOrganization",
            ),
        ],
    ),
    "AWSKeyManagementServicePowerUser": (
        "/",
        "Provides access to AWS Key Management Service (KMS).",
        [
            _allow(
                "kms:CreateAlias",
                "kms:CreateKey",
                "kms:DeleteAlias",
                "kms:Describe*",
                "kms:GenerateRandom",
                "kms:Get*",
                "kms:List*",
                "kms:TagResource",
                "kms:UntagResource",
                "iam:ListGroups",
                "iam:ListRoles",
                "iam:ListUsers",
            )
        ],
    ),
    "IAMReadOnlyAccess": (
        "/",
        "Provides read only access to IAM via the AWS Management Console.",
        [
            _allow(
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
            )
        ],
    ),
}


_STATEMENTS.update(
    (name, (path, description, [_allow(*actions)]))
    for name, (path, description, actions) in OTHERS.items()
)


def aws_managed_policy(arn: str) -> ManagedPolicy | None:
    """Return AWS's managed policy with this ARN, in whatever partition, or None."""
    _, _, name = arn.rpartition("/")
    partition = arn.removeprefix("arn:").partition(":")[0]
    if name not in _STATEMENTS or partition not in partitions():
        return None
    found = _made(name, partition)
    return found if found.arn == arn else None


def aws_managed_policies(partition: str) -> list[ManagedPolicy]:
    """Return all those of a partition, by name."""
    return [_made(name, partition) for name in sorted(_STATEMENTS)]


@cache
def _made(name: str, partition: str) -> ManagedPolicy:
    path, description, statements = _STATEMENTS[name]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    text = text.replace("arn:aws:", f"arn:{partition}:")
    drawn = b32encode(sha256(name.encode()).digest()).decode()[:17]
    return ManagedPolicy(
        partition=partition,
        account_id="aws",
        name=name,
        path=path,
        unique_id=f"ANPA{drawn}",
        created_at=_CREATED_AT,
        updated_at=_CREATED_AT,
        description=description,
        versions=(PolicyVersion(number=1, text=text, created_at=_CREATED_AT),),
    )


def administrator_access() -> ManagedPolicy:
    return _made("AdministratorAccess", AWS)
