"""A filter of records takes those that are what it names, and no others."""

import json

import pytest

from kagimori.rules.records.filter import RecordFilter

RECORD = json.dumps(
    {
        "eventID": "11111111-0000-4000-8000-000000000001",
        "eventTime": "2026-11-28T09:30:00Z",
        "eventName": "DisableKey",
        "eventSource": "kms.amazonaws.com",
        "errorCode": "AccessDenied",
        "readOnly": False,
        "requestID": "22222222-0000-4000-8000-000000000002",
        "userIdentity": {"type": "IAMUser", "userName": "alice"},
    },
    separators=(",", ":"),
).encode()

NAMED = {
    "source": ("kms.amazonaws.com", "iam.amazonaws.com"),
    "error": ("AccessDenied", "Access"),
    "read_only": (False, True),
    "request_id": ("22222222-0000-4000-8000-000000000002", "22222222"),
    "event_id": ("11111111-0000-4000-8000-000000000001", "1111"),
    "event": ("DisableKey", "Disable"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_record_must_be_what_is_named(name):
    right, other = NAMED[name]
    wanted = RecordFilter(**{name: right})
    assert wanted.entry_in(RECORD) is not None
    assert all(needle in RECORD for needle in wanted.needles())
    assert RecordFilter(**{name: other}).entry_in(RECORD) is None


def test_the_error_of_an_answered_request_is_none():
    answered = RECORD.replace(b'"errorCode":"AccessDenied",', b"")
    assert RecordFilter(error="AccessDenied").entry_in(answered) is None
