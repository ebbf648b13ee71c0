"""SearchEvents: events of the whole trail, in pages."""

from typing import Any, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import account_asked
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.operation import Facts, Outcome
from kagimori.rules.records.event_search import (
    EventPage,
    EventSearch,
    event_members,
    places_of,
    token_of,
)
from kagimori.rules.records.filter import RecordFilter

PAGE_DEFAULT: Final = 100
_ACTION = "kagimori:SearchEvents"


class FoundPage(Facts):
    search: EventSearch | None = None
    page: EventPage | None = None


class SearchEvents(Inspecting[FoundPage]):
    """Events of the caller's account; operators see those of all accounts."""

    def look_up(self, asked: Asked) -> FoundPage:
        account_asked(asked, _ACTION)
        return FoundPage((Need(_ACTION),))

    def read(self, asked: Asked, facts: FoundPage) -> FoundPage:
        search = _search(asked)
        places = places_of(asked.call.input.NextToken, search.fingerprint(asked.caller.account_id))
        found = self.inspector.search(asker(asked), search, places)
        return FoundPage(facts.needs, search=search, page=found)

    def finish(self, asked: Request, facts: FoundPage, reply: None) -> Outcome:
        search, found = facts.search, facts.page
        if search is None or found is None:
            return Outcome({"Events": []})
        answer: dict[str, Any] = {"Events": [event_members(*event) for event in found.events]}
        token = token_of(found.places, search.fingerprint(asked.caller.account_id))
        if not found.is_end:
            answer["NextToken"] = token
        elif not search.newest_first:
            answer["PositionToken"] = token
        return Outcome(answer)


def _search(asked: Asked) -> EventSearch:
    given = asked.call.input
    return EventSearch(
        RecordFilter(
            key=given.KeyId,
            who=given.Caller,
            event=given.EventName,
            since=given.StartTime,
            until=given.EndTime,
            failed=bool(given.FailedOnly),
            source=given.EventSource,
            error=given.ErrorCode,
            read_only=given.ReadOnly,
            request_id=given.RequestId,
            event_id=given.EventId,
        ),
        account_asked(asked, _ACTION),
        given.Order == "NEWEST_FIRST",
        given.MaxResults or PAGE_DEFAULT,
        at_end=bool(given.StartAtEnd) and given.NextToken is None,
    )
