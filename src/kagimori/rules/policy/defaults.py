"""Default key policies: of keys created without a policy, and of AWS managed keys.

Source: KMS Developer Guide, "Default key policy" and "AWS managed keys".
"""

import json
from typing import Final

from kagimori.rules.names import root_arn
from kagimori.rules.partitions import partition_of

# Where a service calls under another name than its alias has.
VIA_SERVICE: Final = {"ebs": "ec2"}


def managed_key_policy(account_id: str, region: str, service: str, title: str) -> str:
    """Return the policy of an AWS managed key: used through its service only.

    Source: KMS Developer Guide, "AWS managed keys".
    """
    through = f"{VIA_SERVICE.get(service, service)}.{region}.amazonaws.com"
    actions = [
        *("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"),
        *(() if service == "s3" else ("kms:CreateGrant",)),
        "kms:DescribeKey",
    ]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": f"auto-{service}-2",
            "Statement": [
                {
                    "Sid": f"Allow access through {title} for all principals in the account that "
                    f"are authorized to use {title}",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": actions,
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {
                            "kms:CallerAccount": account_id,
                            "kms:ViaService": through,
                        }
                    },
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": root_arn(account_id, partition_of(region).name)},
                    "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                    "Resource": "*",
                },
            ],
        }
    )


def default_key_policy(account_id: str, region: str) -> str:
    """Return the API's default policy: the account, that is its root user and its IAM policies."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": root_arn(account_id, partition_of(region).name)},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )
