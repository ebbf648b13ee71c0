"""The quota of KMS keys that an account may have in a region: customer managed ones, in any state.

Source: KMS Developer Guide, "Resource quotas" (AWS KMS keys: 100,000).
"""

from typing import Final

from kagimori.rules.keys.kms_key import CUSTOMER
from kagimori.rules.refusal import LimitExceededException

KMS_KEYS_MAX: Final = 100_000


def counted_with(account_id: str, region: str) -> tuple[str, str, str]:
    """Return the values of the group of keys that count together."""
    return account_id, region, CUSTOMER


def check_room(count: int, most: int) -> None:
    """Check that there may be one key more.

    Raises:
        LimitExceededException: there may not.
    """
    if count >= most:
        raise LimitExceededException(
            f"Key quota for this account in this region is {most} but the current usage is {count}."
        )
