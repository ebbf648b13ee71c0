"""From what a caller writes as `KeyId` to the KMS key it names.

Source: reference, section 2.2; for keys of other accounts nothing is revealed but a denial.
"""

from typing import NoReturn

from kagimori.entities.tables import ALIASES, KMS_KEYS
from kagimori.gate.asked import Asked
from kagimori.rules.identity.caller import Caller
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.names import KeyRef, alias_arn, key_arn, parse_key_ref
from kagimori.rules.refusal import AccessDeniedException, NotFoundException


def key_named(
    asked: Asked, text: str, action: str, *, aliases: bool = True
) -> tuple[KmsKey, KeyRef]:
    """Return the KMS key that `text` names, and how it was named.

    Raises:
        NotFoundException, InvalidArnException: nothing the caller may know of has this name.
        AccessDeniedException: it would be another account's, and is not there.
    """
    call, caller = asked.call, asked.caller
    ref = parse_key_ref(text, account_id=caller.account_id, region=call.region, aliases=aliases)
    key_id = ref.key_id
    if key_id is None:
        key_id = _alias(asked, ref, action).target_key_id
    kms_key: KmsKey | None = asked.view.one(KMS_KEYS, (ref.account_id, ref.region, key_id))
    if kms_key is None:
        arn = key_arn(ref.account_id, ref.region, key_id)
        if ref.account_id != caller.account_id:
            refuse_foreign(caller, action, arn)
        raise NotFoundException(f"Key '{arn}' does not exist")
    return kms_key, ref


def refuse_foreign(caller: Caller, action: str, arn: str) -> NoReturn:
    """Refuse as if a key policy of the other account had been silent, whether or not it exists."""
    raise AccessDeniedException(
        f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action"
    )


def _alias(asked: Asked, ref: KeyRef, action: str) -> Alias:
    name = ref.alias_name or ""
    alias: Alias | None = asked.view.one(ALIASES, (ref.account_id, ref.region, name))
    if alias is None:
        arn = alias_arn(ref.account_id, ref.region, name)
        if ref.account_id != asked.caller.account_id:
            refuse_foreign(asked.caller, action, arn)
        raise NotFoundException(f"Alias {arn} is not found.")
    return alias
