"""AWS managed keys: the predefined aliases, and the keys behind them.

A key is made when its alias is first described. Source: KMS Developer Guide, "AWS managed keys".
"""

from typing import Final

from kagimori.rules.keys.alias import RESERVED
from kagimori.rules.keys.kms_key import AWS, KmsKey
from kagimori.rules.keys.rotation import PERIOD_DAYS_DEFAULT, SECONDS_PER_DAY
from kagimori.rules.policy.defaults import managed_key_policy

# Alias name after `alias/aws/`, and the service's name in policy texts.
SERVICES: Final = {
    "acm": "ACM",
    "backup": "Backup",
    "codecommit": "CodeCommit",
    "dms": "DMS",
    "dynamodb": "DynamoDB",
    "ebs": "EBS",
    "elasticfilesystem": "EFS",
    "es": "Elasticsearch",
    "glue": "Glue",
    "kinesis": "Kinesis",
    "lambda": "Lambda",
    "rds": "RDS",
    "redshift": "Redshift",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "sns": "SNS",
    "sqs": "SQS",
    "ssm": "SSM",
    "workmail": "WorkMail",
    "xray": "X-Ray",
}
ALIAS_NAMES: Final = tuple(f"{RESERVED}{service}" for service in sorted(SERVICES))


def service_of(alias_name: str | None) -> str | None:
    """Return the service whose managed key an alias names; None if it is no predefined alias."""
    if alias_name is None or not alias_name.startswith(RESERVED):
        return None
    service = alias_name.removeprefix(RESERVED)
    return service if service in SERVICES else None


def managed_key(*, account_id: str, region: str, key_id: str, service: str, now: float) -> KmsKey:
    """Return a new AWS managed key, without its material; it rotates every year."""
    title = SERVICES[service]
    return KmsKey(
        account_id=account_id,
        region=region,
        key_id=key_id,
        created_at=now,
        description=f"Default key that protects my {title} data when no other key is defined",
        key_manager=AWS,
        key_policy=managed_key_policy(account_id, region, service, title),
        rotation_period_days=PERIOD_DAYS_DEFAULT,
        rotation_next_at=now + PERIOD_DAYS_DEFAULT * SECONDS_PER_DAY,
    )
