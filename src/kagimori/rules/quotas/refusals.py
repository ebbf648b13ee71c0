"""The refusals of requests that are beyond a quota, or too many at once, as services word them.

Source: KMS Developer Guide, "Throttling AWS KMS requests"; Service Quotas API Reference, "Common
Errors"; AWS's common error types; IAM API Reference, ConcurrentModificationException.
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


class ConcurrentModification(Refusal):
    status = 409


_KINDS: Final[Mapping[str, type[Refusal]]] = {"servicequotas": TooManyRequestsException}


def throttled(service: str) -> Refusal:
    """Return the refusal that a service gives; its Query services call it `Throttling`."""
    kind = _KINDS.get(service, ThrottlingException)
    return kind(_KMS if service == "kms" else _OTHERS)


def contended(service: str) -> Refusal:
    """Return the refusal of a change that others came before, for as long as it was tried."""
    if service != "iam":
        return throttled(service)
    return ConcurrentModification(
        "The request was rejected because multiple requests to change this object were submitted "
        "simultaneously. Wait a few minutes and submit your request again."
    )
