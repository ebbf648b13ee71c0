"""Refusals of CloudTrail.

Source: the exception shapes of the service model (2013-11-01); CloudTrail API Reference,
LookupEvents.
"""

from kagimori.rules.refusal import Refusal


class InvalidLookupAttributesException(Refusal):
    pass


class InvalidTimeRangeException(Refusal):
    pass


class InvalidNextTokenException(Refusal):
    pass


class InvalidTokenException(Refusal):
    pass


class OperationNotPermittedException(Refusal):
    pass
