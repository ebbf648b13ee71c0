"""The KMS key that a request of the admin service is about."""

from kagimori.entities.tables import ALIASES, KMS_KEYS
from kagimori.gate.asked import Asked
from kagimori.gate.operators import deployment_view, foreign, reach_of
from kagimori.ports import View
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.names import KeyRef, parse_key_ref
from kagimori.rules.refusal import NotFoundException


def key_ref(asked: Asked, action: str, *, aliases: bool) -> KeyRef:
    """Return the key that `KeyId` names.

    What another account owns is refused before anything is looked up.

    Raises:
        AccessDeniedException: it is another account's, whether it exists or not.
        InvalidArnException, NotFoundException: nothing can have this name here.
    """
    reach = reach_of(asked, action)
    ref = parse_key_ref(
        asked.call.input.KeyId,
        account_id=asked.caller.account_id,
        region=asked.call.region,
        aliases=aliases,
    )
    if reach is not None and ref.account_id != reach:
        raise foreign(asked, action)
    return ref


def key_at(asked: Asked, ref: KeyRef, action: str) -> KmsKey | None:
    """Return the key of that name, None if there is none within the caller's reach.

    Raises:
        Absent: it is not in memory yet.
    """
    is_operator = reach_of(asked, action) is None
    view: View = deployment_view(asked, action) if is_operator else asked.view
    key_id = ref.key_id
    if ref.alias_name is not None:
        alias = view.one(ALIASES, (ref.account_id, ref.region, ref.alias_name))
        key_id = None if alias is None else alias.target_key_id
    if key_id is None:
        return None
    found: KmsKey | None = view.one(KMS_KEYS, (ref.account_id, ref.region, key_id))
    return found


def no_such_key(asked: Asked) -> NotFoundException:
    return NotFoundException(f"Key '{asked.call.input.KeyId}' does not exist")
