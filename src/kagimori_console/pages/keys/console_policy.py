"""The key policy that the wizard proposes: the four statements of AWS's console.

Source: KMS Developer Guide, "Default key policy" (When you create a KMS key with the console).
"""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from kagimori_console.pages.keys import specs

_ADMINISTER: Final = (
    *("kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*"),
    *("kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*"),
    *("kms:TagResource", "kms:UntagResource"),
)
_DELETE: Final = ("kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion")
_SEE: Final = ("kms:DescribeKey", "kms:GetPublicKey")
USE: Final = {
    specs.ENCRYPT: ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"),
    specs.SIGN: ("kms:Sign", "kms:Verify"),
    specs.MAC: ("kms:GenerateMac", "kms:VerifyMac"),
    specs.AGREE: ("kms:DeriveSharedSecret",),
    specs.ENCAPSULATE: ("kms:Encapsulate", "kms:Decapsulate"),
}


class Chosen(NamedTuple):
    """The choices of the wizard that a policy is made of; principals are ARNs."""

    administrators: Sequence[str]
    may_delete: bool
    users: Sequence[str]
    accounts: Sequence[str]
    usage: str
    spec: str
    origin: str
    multi_region: bool


def proposed_policy(chosen: Chosen, *, partition: str, account_id: str) -> str:
    """Return the policy, written for people."""
    statements: list[dict[str, Any]] = [
        _statement("Enable IAM User Permissions", [_root(partition, account_id)], ["kms:*"])
    ]
    if chosen.administrators:
        statements.append(
            _statement(
                "Allow access for Key Administrators",
                chosen.administrators,
                _administer(chosen),
            )
        )
    users = [*chosen.users, *(_root(partition, one) for one in chosen.accounts)]
    if users:
        statements.append(_statement("Allow use of the key", users, use_actions(chosen)))
        attach = _statement(
            "Allow attachment of persistent resources",
            users,
            ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        )
        statements.append({**attach, "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}})
    policy = {"Version": "2012-10-17", "Id": "key-consolepolicy-3", "Statement": statements}
    return json.dumps(policy, indent=2)


def use_actions(chosen: Chosen) -> list[str]:
    """Return the actions of somebody who uses a key of this kind."""
    use = USE.get(chosen.usage, ())
    if chosen.usage == specs.MAC:
        return ["kms:DescribeKey", *use]
    if chosen.spec == specs.SYMMETRIC:
        return [*use, "kms:GenerateDataKey*", "kms:DescribeKey"]
    return [*use, *_SEE]


def _administer(chosen: Chosen) -> list[str]:
    found = list(_ADMINISTER)
    if chosen.may_delete:
        found += _DELETE
    if chosen.spec == specs.SYMMETRIC and chosen.origin in (specs.AWS_KMS, specs.EXTERNAL):
        found.append("kms:RotateKeyOnDemand")
    if chosen.origin == specs.EXTERNAL:
        found.append("kms:ImportKeyMaterial")
    if chosen.multi_region:
        found.append("kms:ReplicateKey")
    return found


def _statement(sid: str, principals: Sequence[str], actions: Sequence[str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": principals[0] if len(principals) == 1 else list(principals)},
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": "*",
    }


def _root(partition: str, account_id: str) -> str:
    return f"arn:{partition}:iam::{account_id}:root"
