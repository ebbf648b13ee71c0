"""CloudTrail's LookupEvents and ListPublicKeys, over the audit trail.

Source: CloudTrail API Reference, LookupEvents and ListPublicKeys; CloudTrail User
Guide, "CloudTrail digest file structure".
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Trail
from kagimori.rules.chain.public_key import AuditPublicKey
from kagimori.rules.partitions import partition_of
from kagimori.rules.records.lookup import (
    EVENTS_KEPT_SECONDS,
    EventQuery,
    FoundEvent,
    shown_events,
    spot_of,
    token_of,
)
from kagimori.rules.records.refusals import (
    InvalidLookupAttributesException,
    InvalidTimeRangeException,
    InvalidTokenException,
    OperationNotPermittedException,
)

PAGE_MAX: Final = 50
PUBLIC_KEY_SECONDS: Final = 100 * 365 * 86_400  # it has no end, but must name one


class Search(Facts):
    """A query and the events found, with one more than the page if there are more."""

    query: EventQuery | None = None
    found: Sequence[FoundEvent] = ()


class LookupEvents(Operation[Search, None]):
    """Events of the caller's own account and the request's region, newest first.

    DIFFERS(aws): where the deployment does not serve the region of its partition's global
    services, events of IAM and of the global endpoint of STS are found in each of its regions.
    """

    service = "cloudtrail"
    read_only = True

    def __init__(self, trail: Trail | None = None) -> None:
        self._trail = trail

    def look_up(self, asked: Asked) -> Search:
        return Search((Need("cloudtrail:LookupEvents"),))

    def read(self, asked: Asked, facts: Search) -> Search:
        if self._trail is None:
            raise OperationNotPermittedException("There is no audit index here.")
        query = _query(asked)
        # DIFFERS(aws): there are no Insights events, so that nothing of that category is found.
        insights = asked.call.input.EventCategory is not None
        found = () if insights else self._trail.events(asked.raw.request_id, query)
        return Search(facts.needs, query=query, found=found)

    def finish(self, asked: Request, facts: Search, reply: None) -> Outcome:
        query, found = facts.query, facts.found
        if query is None:
            return Outcome({"Events": []})
        answer: dict[str, Any] = {"Events": shown_events(found[: query.limit])}
        if len(found) > query.limit:
            answer["NextToken"] = token_of(query, found[query.limit - 1].spot)
        return Outcome(answer)


class PublicKeys(Facts):
    """The key (PEM) that digests are verified with, once it was made."""

    pem: bytes | None = None


class ListPublicKeys(Operation[PublicKeys, None]):
    """The key that digests are signed with: one for all regions, and for ever.

    DIFFERS(aws): CloudTrail has others in each region, and from time to time.
    """

    service = "cloudtrail"
    read_only = True

    def __init__(self, trail: Trail | None = None) -> None:
        self._trail = trail

    def look_up(self, asked: Asked) -> PublicKeys:
        return PublicKeys((Need("cloudtrail:ListPublicKeys"),))

    def read(self, asked: Asked, facts: PublicKeys) -> PublicKeys:
        given = asked.call.input
        if given.NextToken:
            raise InvalidTokenException("Reserved for future use.")
        if _moment(given.StartTime, asked.now) > _moment(given.EndTime, asked.now):
            raise InvalidTimeRangeException("Start time must be before end time")
        if self._trail is None:
            return facts
        return PublicKeys(facts.needs, pem=self._trail.public_key(asked.raw.request_id))

    def finish(self, asked: Request, facts: PublicKeys, reply: None) -> Outcome:
        begins = asked.settings.tracking_started_at
        until = _moment(asked.call.input.EndTime, asked.now)
        if facts.pem is None or until < int(begins):
            return Outcome({"PublicKeyList": []})
        key = AuditPublicKey(facts.pem)
        shown = {
            "Value": key.pkcs1,
            "ValidityStartTime": begins,
            "ValidityEndTime": begins + PUBLIC_KEY_SECONDS,
            "Fingerprint": key.fingerprint,
        }
        return Outcome({"PublicKeyList": [shown]})


def _moment(given: float | None, now: float) -> float:
    return now if given is None else given


def _query(asked: Request) -> EventQuery:
    given, now = asked.call.input, asked.now
    attributes = given.LookupAttributes or []
    if len(attributes) > 1:
        raise InvalidLookupAttributesException("You can only specify one lookup attribute")
    oldest = now - EVENTS_KEPT_SECONDS
    start = oldest if given.StartTime is None else max(given.StartTime, oldest)
    end = now + 1 if given.EndTime is None else given.EndTime
    if given.StartTime is not None and given.EndTime is not None and given.StartTime > end:
        raise InvalidTimeRangeException("Start time must be before end time")
    query = EventQuery(
        account_id=asked.caller.account_id,
        region=asked.call.region,
        attribute=_attribute(attributes[0]) if attributes else None,
        start=int(start),
        end=int(end),
        after=None,
        limit=given.MaxResults or PAGE_MAX,
        global_region=_unserved_global_region(asked),
    )
    return replace(query, after=spot_of(given.NextToken or None, query))


def _unserved_global_region(asked: Request) -> str | None:
    """Return the region of the partition's global services, if it is neither served nor asked."""
    region = partition_of(asked.call.region).global_region
    is_served = region in asked.settings.regions or region == asked.call.region
    return None if is_served else region


def _attribute(given: Any) -> tuple[str, str]:
    key, value = given.AttributeKey, given.AttributeValue
    if key == "ReadOnly" and value not in ("true", "false"):
        raise InvalidLookupAttributesException("The value of ReadOnly is true or false")
    if not value:
        raise InvalidLookupAttributesException(f"{key} has no value")
    return key, value
