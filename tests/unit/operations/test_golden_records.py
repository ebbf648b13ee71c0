"""A golden record for each operation of IAM, and for those of STS that can be asked in process.

What a record shows of request and answer is kept in `golden/`, as CloudTrail shows it. Where it is
meant to change, run `GOLDEN=write pytest` on this file, and read what changed.
"""

import json
import os
from pathlib import Path

import pytest

from kagimori.operations.registry import OPERATIONS
from kagimori.rules.records.progress import Progress
from kagimori.rules.records.record import record_of
from kit.hsm import SECRET, reply_to
from kit.iam_story import PASSWORD, iam_story
from kit.sts_story import sts_story, sts_trial
from kit.trial import RAW, REGION, Trial

GOLDEN = Path(__file__).parent / "golden"
SHOWN = ("eventName", "readOnly", "requestParameters", "responseElements", "resources")
ALWAYS = {
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestID",
    "eventID",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
    *SHOWN,
}
IN_PROCESS = {
    "iam": {name for service, name in OPERATIONS if service == "iam"},
    # The others open tokens: tests/protocol/test_records_of_sessions.py has their records.
    "sts": {name for service, name in OPERATIONS if service == "sts"}
    - {"AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"},
}
STORIES = {"iam": (iam_story, Trial), "sts": (sts_story, sts_trial)}


def records(service):
    """Return the record of each call of a service's story."""
    story, begin = STORIES[service]
    trial, kept = begin(), []

    def call(name, by=None, **given):
        caller = by and trial.caller_named(by)
        tried = trial.call(name, reply_to, service=service, by=caller, **given)
        asked = trial.asked(name, service=service, by=caller, **given)
        progress = Progress(
            RAW,
            {},
            service,
            name,
            REGION,
            asked.caller.access_key_id,
            OPERATIONS[service, name].read_only,
            asked.caller,
            asked.call,
            tried.facts.resources,
        )
        kept.append(json.loads(record_of(progress, tried.outcome, trial.draw(), trial.now)))
        return tried.answer

    story(call)
    return kept


@pytest.mark.parametrize("service", STORIES)
def test_each_operation_has_the_record_that_it_should_have(service):
    made = records(service)
    shown = [{name: record[name] for name in SHOWN} for record in made]
    file = GOLDEN / f"{service}.json"
    if os.environ.get("GOLDEN") == "write":
        lines = ",\n".join(json.dumps(one) for one in shown)
        file.write_text(f"[\n{lines}\n]\n")
    for one, golden in zip(shown, json.loads(file.read_text()), strict=True):
        assert one == golden
    assert {one["eventName"] for one in shown} == IN_PROCESS[service]


@pytest.mark.parametrize("service", STORIES)
def test_each_record_has_all_that_records_have_and_no_secret(service):
    for record in records(service):
        assert set(record) == ALWAYS, record["eventName"]
        text = json.dumps(record)
        assert SECRET not in text
        assert PASSWORD not in text
        assert not {"BASE32", "123456", "654321"} & set(text.replace('"', " ").split())
