"""CloudTrail's operations over a trail in memory, step by step."""

import pytest

from kagimori.operations.cloudtrail.events import LookupEvents
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.records.refusals import (
    InvalidLookupAttributesException,
    InvalidTimeRangeException,
    OperationNotPermittedException,
)
from kagimori.rules.refusal import AccessDeniedException
from kit.trial import NOW, Trial, allow


class Trail:
    """No events; remembers what was looked for."""

    def __init__(self):
        self.queries = []

    def events(self, request_id, query):
        self.queries.append(query)
        return ()


@pytest.fixture
def trail(monkeypatch):
    made = Trail()
    monkeypatch.setitem(OPERATIONS, ("cloudtrail", "LookupEvents"), LookupEvents(made))
    return made


def look_up(trial=None, **members):
    return (trial or Trial()).call("LookupEvents", service="cloudtrail", **members)


def test_events_of_the_callers_account_and_region_are_looked_for(trail):
    assert look_up(region="eu-west-1").answer == {"Events": []}
    (query,) = trail.queries
    assert (query.account_id, query.region, query.end) == ("111122223333", "eu-west-1", NOW + 1)


def test_a_denied_caller_causes_no_look_into_the_trail(trail):
    trial = Trial()
    with pytest.raises(AccessDeniedException):
        look_up(trial, by=trial.user("alice", allow("kms:*")))
    assert trail.queries == []


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({"StartTime": NOW, "EndTime": NOW - 60}, InvalidTimeRangeException),
        (
            {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "maybe"}]},
            InvalidLookupAttributesException,
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": "e"}] * 2},
            InvalidLookupAttributesException,
        ),
    ],
)
def test_a_look_up_that_cannot_be(trail, members, refusal):
    with pytest.raises(refusal):
        look_up(**members)


def test_without_a_trail_there_is_nothing_to_look_into():
    with pytest.raises(OperationNotPermittedException):
        look_up()
