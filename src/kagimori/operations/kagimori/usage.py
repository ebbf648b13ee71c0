"""GetUsage: who used what in a month, and what AWS would have charged for it."""

from typing import Any

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import account_asked
from kagimori.operations.kagimori.bills import bill_members
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.operation import Facts, Outcome
from kagimori.operations.pages import marker_of, start_of
from kagimori.rules.metering.bill import month_of
from kagimori.rules.metering.usage import (
    OPERATION,
    NoMonth,
    UsageEntry,
    UsagePage,
    UsageQuery,
    period_of,
)
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.refusal import InvalidMarkerException, ValidationException

PAGE_DEFAULT = 100
_ACTION = "kagimori:GetUsage"


class FoundUsage(Facts):
    page: UsagePage = UsagePage(())


class GetUsage(Inspecting[FoundUsage]):
    """Usage of the caller's account; operators see that of all accounts."""

    def look_up(self, asked: Asked) -> FoundUsage:
        account_asked(asked, _ACTION)
        return FoundUsage((Need(_ACTION),))

    def read(self, asked: Asked, facts: FoundUsage) -> FoundUsage:
        page = self.inspector.usage(asker(asked), _query(asked))
        return FoundUsage(facts.needs, page=page)

    def finish(self, asked: Request, facts: FoundUsage, reply: None) -> Outcome:
        page = facts.page
        answer: dict[str, Any] = {
            "Month": _month(asked),
            "GroupBy": _group(asked),
            "Entries": [_entry_members(entry) for entry in page.entries],
            "Bills": [bill_members(bill) for bill in page.bills],
        }
        if page.following is not None:
            answer["NextToken"] = marker_of(page.following, *_scope(asked))
        return Outcome(answer)


def _query(asked: Asked) -> UsageQuery:
    given = asked.call.input
    try:
        period = period_of(_month(asked), asked.now)
    except NoMonth:
        raise ValidationException(f"{given.Month} is not a month like 2026-11.") from None
    try:
        after = start_of(given.NextToken, *_scope(asked), parts=4)
    except InvalidMarkerException:
        raise InvalidNextTokenException("Invalid token") from None
    return UsageQuery(
        account_id=account_asked(asked, _ACTION),
        period=period,
        group=_group(asked),
        after=None if after is None else (after[0], after[1], after[2], after[3]),
        limit=given.MaxResults or PAGE_DEFAULT,
        with_bills=after is None,
    )


def _month(asked: Request) -> str:
    return str(asked.call.input.Month or month_of(asked.now))


def _group(asked: Request) -> str:
    return str(asked.call.input.GroupBy or OPERATION)


def _scope(asked: Request) -> tuple[str, ...]:
    account = account_asked(asked, _ACTION) or ""
    return (asked.call.operation, asked.caller.account_id, account, _month(asked), _group(asked))


def _entry_members(entry: UsageEntry) -> dict[str, Any]:
    return {
        "AccountId": entry.account_id or None,
        "Region": entry.region or None,
        "Service": entry.service or None,
        "Name": entry.name or None,
        "Requests": entry.requests,
        "BilledRequests": entry.billed,
        "VersionHours": list(entry.version_hours),
    }
