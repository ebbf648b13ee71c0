"""The guard of an account: keys that were used lately are not made unusable.

DIFFERS(aws): an account may have a guard, which AWS has not; it answers KMSInvalidStateException,
which is modelled for all operations that it holds up. In policies the condition key
kms:TrailingDaysWithoutKeyUsage says the same, and works here as on AWS.
"""

from typing import Final

from msgspec import Struct

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.usage_record import KeyUsageRecord
from kagimori.rules.refusal import KMSInvalidStateException

DAYS_MAX: Final = 3650
_DAY_SECONDS: Final = 86_400


class KeyGuard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account's wish: keys used within so many days stay usable; None is no guard."""

    account_id: str
    days: int | None = None
    version: int = 1


def check_guard(
    guard: KeyGuard, kms_key: KmsKey, usage: KeyUsageRecord | None, *, operation: str, now: float
) -> None:
    """Check that a key may be made unusable.

    Raises:
        KMSInvalidStateException: it was used within the days of the guard; the message says by
            whom, or for another account's principal, by which account.
    """
    if guard.days is None or usage is None or usage.at < kms_key.created_at:
        return
    days = (now - usage.at) / _DAY_SECONDS
    if days >= guard.days:
        return
    who = f" by {usage.used_by}" if usage.used_by else ""
    raise KMSInvalidStateException(
        f"{kms_key.arn} was last used {_ago(days)} ({usage.operation}{who}). The key guard of "
        f"account {kms_key.account_id} refuses {operation} of keys that were used within "
        f"{guard.days} days."
    )


def _ago(days: float) -> str:
    whole = int(days)
    return "today" if whole == 0 else "1 day ago" if whole == 1 else f"{whole} days ago"
