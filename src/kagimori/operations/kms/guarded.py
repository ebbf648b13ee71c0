"""The look at a key's guard before it is made unusable."""

from kagimori.entities.tables import KEY_GUARDS, KEY_USAGES
from kagimori.gate.asked import Asked
from kagimori.rules.keys.key_guard import KeyGuard, check_guard
from kagimori.rules.keys.kms_key import KmsKey


def check_unused(asked: Asked, kms_key: KmsKey) -> None:
    """Check that the guard of the key's account, if it has one, lets go of the key.

    Raises:
        KMSInvalidStateException: the key was used lately.
        Absent: that is not known yet.
    """
    guard: KeyGuard | None = asked.view.one(KEY_GUARDS, (kms_key.account_id,))
    if guard is None or guard.days is None:
        return
    name = (kms_key.account_id, kms_key.region, kms_key.key_id)
    written = asked.view.page(KEY_USAGES, name, None, 1)  # a page: never from memory
    usage = asked.usages.newest(name, written[0] if written else None)
    check_guard(guard, kms_key, usage, operation=asked.call.operation, now=asked.now)
