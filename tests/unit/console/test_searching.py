"""Forms of the audit pages become members of SearchEvents; ARNs become addresses."""

import pytest

from kagimori_console.pages.audit.links import resource_address
from kagimori_console.pages.audit.searching import fields_of, members_of, seconds_of


def test_fields_become_members():
    given = {
        "name": " Decrypt ",
        "caller": "alice",
        "since": "2026-11-28T09:30",
        "kind": "changes",
        "failed": "yes",
        "unknown": "x",
        "error": "",
    }
    assert members_of(fields_of(given)) == {
        "EventName": "Decrypt",
        "Caller": "alice",
        "StartTime": 1795858200.0,
        "ReadOnly": False,
        "FailedOnly": True,
    }


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9:30"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"isoformat|month"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["2026-11-28T09:30", "2026-11-28T10:30+01:00", "1795858200"])
def test_times_are_in_utc_or_say_their_zone(text):
    assert seconds_of(text) == 1795858200.0


@pytest.mark.parametrize(
    ("arn", "address"),
    [
        ("arn:aws:kms:eu-central-1:111122223333:key/mrk-1", "/keys/mrk-1"),
        ("arn:aws:kms:eu-central-1:111122223333:key/../x?", "/keys/..%2Fx%3F"),
        ("arn:aws:iam::111122223333:user/a/b/alice", "/access/users/alice"),
        ("arn:aws:sts::111122223333:assumed-role/ops/bob", "/access/roles/ops"),
        ("arn:aws:kms:eu-central-1:111122223333:alias/x", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_what_has_a_page_has_an_address(arn, address):
    assert resource_address(arn) == address
