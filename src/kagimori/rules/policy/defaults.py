"""The key policy a KMS key gets when its maker names none.

Source: reference, section 9.2.
"""

import json

from kagimori.rules.names import root_arn


def default_key_policy(account_id: str, partition: str = "aws") -> str:
    """Return the API's default policy: the account, that is its root user and its IAM policies."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": root_arn(account_id, partition)},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )
