"""The refusal of a request that is beyond a quota, with the text of its service.

Source: KMS Developer Guide, "Throttling AWS KMS requests"; Service Quotas API Reference, "Common
Errors"; AWS's common error types.
"""

from collections.abc import Mapping
from typing import Final

from kagimori.rules.refusal import Refusal, ThrottlingException

_KMS: Final = (
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
)
_OTHERS: Final = "Rate exceeded"


class TooManyRequestsException(Refusal):
    pass


_KINDS: Final[Mapping[str, type[Refusal]]] = {"servicequotas": TooManyRequestsException}


def throttled(service: str) -> Refusal:
    """Return the refusal that a service gives; its Query services call it `Throttling`."""
    kind = _KINDS.get(service, ThrottlingException)
    return kind(_KMS if service == "kms" else _OTHERS)
