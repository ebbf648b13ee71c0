"""Service Quotas' own refusals.

Source: Service Quotas API Reference, ListServiceQuotas and RequestServiceQuotaIncrease.
"""

from kagimori.rules.refusal import Refusal


class NoSuchResourceException(Refusal):
    pass


class IllegalArgumentException(Refusal):
    pass


class InvalidPaginationTokenException(Refusal):
    pass


class ResourceAlreadyExistsException(Refusal):
    pass
