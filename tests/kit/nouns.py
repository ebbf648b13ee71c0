"""Nouns to put into a store, with the least that each needs."""

from kagimori.rules.keys.kms_key import Alias, KmsKey

OWNER = ("111122223333", "us-east-1")


def kms_key(key_id="a", **fields):
    return KmsKey(
        account_id=OWNER[0],
        region=OWNER[1],
        key_id=key_id,
        created_at=1.0,
        key_policy="{}",
        **fields,
    )


def alias(name, target="a"):
    return Alias(
        account_id=OWNER[0],
        region=OWNER[1],
        alias_name=name,
        target_key_id=target,
        created_at=1.0,
        updated_at=1.0,
    )
