"""Resolves the `KeyId` that a caller writes to the KMS key it names.

A key of another account is handed out whether it exists or not: who may not use it gets the
same (`gate/across.py`). Source: KMS Developer Guide, "Key identifiers (KeyId)".
"""

from kagimori.gate.across import key_across, key_by_alias_across
from kagimori.gate.asked import Asked
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.names import KeyRef, alias_arn, key_arn, parse_key_ref
from kagimori.rules.refusal import NotFoundException


def key_named(asked: Asked, text: str, *, aliases: bool = True) -> tuple[KmsKey, KeyRef]:
    """Return the KMS key that `text` names, and how it was named.

    Raises:
        NotFoundException, InvalidArnException: nothing of the caller's account has this name.
    """
    account_id, region = asked.view.account_id, asked.call.region
    ref = parse_key_ref(text, account_id=account_id, region=region, aliases=aliases)
    if ref.key_id is not None:
        kms_key = key_across(asked, ref.account_id, ref.region, ref.key_id)
        if kms_key is None:
            arn = key_arn(ref.account_id, ref.region, ref.key_id)
            raise NotFoundException(f"Key '{arn}' does not exist")
        return kms_key, ref
    name = ref.alias_name or ""
    kms_key = key_by_alias_across(asked, ref.account_id, ref.region, name)
    if kms_key is None:
        raise NotFoundException(
            f"Alias {alias_arn(ref.account_id, ref.region, name)} is not found."
        )
    return kms_key, ref
