"""ReplayQuotas: recorded requests, replayed through the quotas of a profile."""

from typing import Any, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import account_asked
from kagimori.operations.kagimori.bills import bill_members
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.operation import Facts, Outcome
from kagimori.rules.metering.twin import ThrottledMinute, TwinFound, TwinQuery
from kagimori.rules.quotas.profile import AWS
from kagimori.rules.refusal import ValidationException

SINCE_SECONDS: Final = 30 * 86_400
# What is older than the quotas of a region can be said to matter.
RANGE_SECONDS_MAX: Final = 400 * 86_400
_ACTION: Final = "kagimori:ReplayQuotas"


class FoundTwin(Facts):
    found: TwinFound | None = None


class ReplayQuotas(Inspecting[FoundTwin]):
    """Requests of the caller's account; operators may replay those of all accounts."""

    def look_up(self, asked: Asked) -> FoundTwin:
        account_asked(asked, _ACTION)
        return FoundTwin((Need(_ACTION),))

    def read(self, asked: Asked, facts: FoundTwin) -> FoundTwin:
        found = self.inspector.replay_requests(asker(asked), _query(asked))
        return FoundTwin(facts.needs, found=found)

    def finish(self, asked: Request, facts: FoundTwin, reply: None) -> Outcome:
        query, found = _query(asked), facts.found
        if found is None:
            return Outcome({})
        return Outcome(
            {
                "Profile": query.profile,
                "StartTime": query.since,
                "EndTime": query.until,
                "Requests": found.replayed.requests,
                "Throttled": found.replayed.throttled,
                "Minutes": [_minute_members(one) for one in found.replayed.minutes],
                "MinutesOmitted": found.replayed.minutes_omitted,
                "Bills": [bill_members(bill) for bill in found.bills],
            }
        )


def _query(asked: Request) -> TwinQuery:
    given = asked.call.input
    until = asked.now if given.EndTime is None else min(given.EndTime, asked.now)
    since = until - SINCE_SECONDS if given.StartTime is None else given.StartTime
    if not 0 <= until - since <= RANGE_SECONDS_MAX or since < 0:
        raise ValidationException(
            f"StartTime must be before EndTime, by {RANGE_SECONDS_MAX // 86_400} days at most."
        )
    return TwinQuery(account_asked(asked, _ACTION), given.Profile or AWS, since, until)


def _minute_members(one: ThrottledMinute) -> dict[str, Any]:
    return {
        "Minute": one.minute,
        "AccountId": one.account_id,
        "Region": one.region,
        "GroupName": one.group,
        "Requests": one.requests,
        "Throttled": one.throttled,
    }
