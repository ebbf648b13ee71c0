"""Service Quotas over the request quotas of the caller's account in the request's region.

Source: Service Quotas API Reference, ListServiceQuotas, GetServiceQuota and
RequestServiceQuotaIncrease.
"""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.entities.tables import ACCOUNT_QUOTAS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import F, Facts, Operation, Outcome, R
from kagimori.operations.pages import marker_of, start_of
from kagimori.operations.servicequotas.refusals import (
    IllegalArgumentException,
    InvalidPaginationTokenException,
    NoSuchResourceException,
    ResourceAlreadyExistsException,
)
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.quotas.account_quotas import (
    AccountQuotas,
    Applied,
    RequestedRate,
    applied_quotas,
)
from kagimori.rules.quotas.rates import RATE_MAX
from kagimori.rules.refusal import InvalidMarkerException

PAGE_MAX: Final = 100
_NAMES: Final = {
    "kms": "AWS Key Management Service (AWS KMS)",
    "sts": "AWS Security Token Service (AWS STS)",
    "cloudtrail": "AWS CloudTrail",
}
# Tokens here have the letters of base64, markers elsewhere those that are safe in URLs.
_TO_TOKEN: Final = str.maketrans("-_", "+/")
_TO_MARKER: Final = str.maketrans("+/", "-_")
_PERIOD: Final = {"PeriodValue": 1, "PeriodUnit": "SECOND"}


class FoundQuotas(Facts):
    """The quotas of the service that is asked about, and the own numbers of the account."""

    quotas: Sequence[Applied] = ()
    own: AccountQuotas | None = None
    request_id: str = ""


class _OfService(Operation[F, R]):
    """An operation about the quotas of one service."""

    service = "servicequotas"

    def need(self, asked: Asked) -> Need:
        return Need(f"servicequotas:{self.name}")


class ListServiceQuotas(_OfService[FoundQuotas, None]):
    read_only = True

    def look_up(self, asked: Asked) -> FoundQuotas:
        return FoundQuotas((self.need(asked),))

    def read(self, asked: Asked, facts: FoundQuotas) -> FoundQuotas:
        found = _found(asked, facts)
        code = asked.call.input.QuotaCode
        if code is None:
            return found
        return FoundQuotas(facts.needs, quotas=[_named(found.quotas, code)])

    def finish(self, asked: Request, facts: FoundQuotas, reply: None) -> Outcome:
        given = asked.call.input
        scope = (self.name, asked.caller.account_id, asked.call.region, given.ServiceCode)
        token = (given.NextToken or "").translate(_TO_MARKER) or None
        try:
            (after,) = start_of(token, *scope) or ("",)
        except InvalidMarkerException:
            raise InvalidPaginationTokenException("Invalid NextToken") from None
        limit = given.MaxResults or PAGE_MAX
        # There are no quotas of single resources here.
        is_there = given.QuotaAppliedAtLevel != "RESOURCE"
        rest = [one for one in facts.quotas if is_there and one.group.key > after]
        answer: dict[str, Any] = {"Quotas": [_shown(asked, one) for one in rest[:limit]]}
        if len(rest) > limit:
            marker = marker_of([rest[limit - 1].group.key], *scope)
            answer["NextToken"] = marker.translate(_TO_TOKEN)
        return Outcome(answer)


class GetServiceQuota(_OfService[FoundQuotas, None]):
    read_only = True

    def look_up(self, asked: Asked) -> FoundQuotas:
        return FoundQuotas((self.need(asked),))

    def read(self, asked: Asked, facts: FoundQuotas) -> FoundQuotas:
        found = _found(asked, facts)
        return FoundQuotas(facts.needs, quotas=[_named(found.quotas, asked.call.input.QuotaCode)])

    def finish(self, asked: Request, facts: FoundQuotas, reply: None) -> Outcome:
        return Outcome({"Quota": _shown(asked, facts.quotas[0])})


class RequestServiceQuotaIncrease(_OfService[FoundQuotas, None]):
    """Ask the operators for another number; `kagimori quota set` answers.

    DIFFERS(aws): a request stays PENDING until an operator sets a number; nobody is notified.
    """

    def look_up(self, asked: Asked) -> FoundQuotas:
        return FoundQuotas((self.need(asked),))

    def read(self, asked: Asked, facts: FoundQuotas) -> FoundQuotas:
        found = _found(asked, facts)
        quota = _named(found.quotas, asked.call.input.QuotaCode)
        return FoundQuotas(
            facts.needs, quotas=[quota], own=found.own, request_id=asked.draw().replace("-", "")
        )

    def ask(self, asked: Request, allowed: Allowed, facts: FoundQuotas) -> None:
        quota, desired = facts.quotas[0], asked.call.input.DesiredValue
        if quota.requested is not None:
            raise ResourceAlreadyExistsException(
                "Only one open service quota increase request is allowed per quota."
            )
        if not quota.group.adjustable or not quota.rate < desired <= RATE_MAX:
            raise IllegalArgumentException(
                "You must provide a quota value greater than the current quota value."
            )

    def finish(self, asked: Request, facts: FoundQuotas, reply: None) -> Outcome:
        quota, own, given = facts.quotas[0], facts.own, asked.call.input
        wanted = RequestedRate(
            request_id=facts.request_id,
            rate=given.DesiredValue,
            at=asked.now,
            by=asked.caller.principal.arn,
        )
        if own is None:
            after = AccountQuotas(
                account_id=asked.caller.account_id,
                region=asked.call.region,
                requested={quota.group.key: wanted},
            )
        else:
            after = changed(own, requested={**own.requested, quota.group.key: wanted})
        shown = {
            "Id": wanted.request_id,
            "ServiceCode": quota.group.service,
            "ServiceName": _NAMES[quota.group.service],
            "QuotaCode": quota.group.quota_code,
            "QuotaName": quota.group.name,
            "DesiredValue": wanted.rate,
            "Status": "PENDING",
            "Created": wanted.at,
            "LastUpdated": wanted.at,
            "Requester": f'{{"accountId":"{asked.caller.account_id}","callerArn":"{wanted.by}"}}',
            "QuotaArn": _arn(asked, quota),
            "GlobalQuota": False,
            "Unit": "None",
            "QuotaRequestedAtLevel": "ACCOUNT",
        }
        answer = {"RequestedQuota": shown}
        return Outcome(answer, (Put(ACCOUNT_QUOTAS, after, own),), answer)


def _found(asked: Asked, facts: FoundQuotas) -> FoundQuotas:
    service, settings = asked.call.input.ServiceCode, asked.settings
    if service not in _NAMES:
        raise NoSuchResourceException(
            "The request failed because the specified service does not exist."
        )
    own = asked.view.one(ACCOUNT_QUOTAS, (asked.caller.account_id, asked.call.region))
    quotas = applied_quotas(settings.quota_profile, settings.quota_rates, asked.call.region, own)
    return FoundQuotas(
        facts.needs, quotas=[one for one in quotas if one.group.service == service], own=own
    )


def _named(quotas: Sequence[Applied], code: str) -> Applied:
    for one in quotas:
        if one.group.quota_code == code:
            return one
    raise NoSuchResourceException(
        "The request failed because the specified service quota does not exist."
    )


def _arn(asked: Request, quota: Applied) -> str:
    group = quota.group
    return (
        f"arn:{asked.partition}:servicequotas:{asked.call.region}:{asked.caller.account_id}:"
        f"{group.service}/{group.quota_code}"
    )


def _shown(asked: Request, quota: Applied) -> dict[str, Any]:
    group = quota.group
    return {
        "ServiceCode": group.service,
        "ServiceName": _NAMES[group.service],
        "QuotaArn": _arn(asked, quota),
        "QuotaCode": group.quota_code,
        "QuotaName": group.name,
        "Value": quota.rate,
        "Unit": "None",
        "Adjustable": group.adjustable,
        "GlobalQuota": False,
        "Period": _PERIOD,
        "QuotaAppliedAtLevel": "ACCOUNT",
        "Description": f"{group.unit} a second",
    }
