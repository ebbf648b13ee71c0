"""Dangerous actions are announced: asked for, signed, refused, performed, or done alone."""

import json

import pytest

from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.notice import NEEDLES, notices_of

ARN = "arn:aws:kms:us-east-1:444455556666:key/11111111-2222-4333-8444-555555555555"
TYPES = {
    "RequestApproval": "Kagimori Approval Requested",
    "SignApproval": "Kagimori Approval Signed",
    "RefuseApproval": "Kagimori Approval Refused",
    "ExecuteApproval": "Kagimori Approval Executed",
    "AddOperators": "Kagimori Dangerous Action Without Approval",
    "DestroyDomainKeys": "Kagimori Dangerous Action Without Approval",
    "RemoveSeal": "Kagimori Dangerous Action Without Approval",
    "ZeroizeHsm": "Kagimori Dangerous Action Without Approval",
}


def record(name, **members):
    whole = {
        "eventID": "11111111-2222-4333-8444-555555555555",
        "eventTime": "2026-01-31T12:00:00Z",
        "eventName": name,
        "eventSource": "kagimori.amazonaws.com",
        "recipientAccountId": "111122223333",
        "responseElements": {"approval": {"requestId": "00"}},
        **members,
    }
    return json.dumps(whole).encode()


def announced(line):
    assert any(needle in line for needle in NEEDLES), "it is looked at"
    return list(notices_of(decode_entry(line), line, ()))


@pytest.mark.parametrize("name", TYPES)
def test_each_step_is_an_event_with_the_whole_record(name):
    line = record(name)
    (notice,) = announced(line)
    assert (notice.detail_type, notice.source) == (TYPES[name], "kagimori")
    assert notice.account == "111122223333"
    assert json.loads(notice.as_json())["detail"] == json.loads(line)


def test_a_key_whose_policy_is_replaced_is_named_and_its_account():
    resources = [{"ARN": ARN, "accountId": "444455556666", "type": "AWS::KMS::Key"}]
    (notice,) = announced(record("ExecuteApproval", resources=resources))
    assert (notice.resources, notice.account) == ((ARN,), "444455556666")


def test_a_refused_attempt_and_a_look_are_no_events():
    assert announced(record("ExecuteApproval", errorCode="NotApprovedException")) == []
    assert announced(record("GetApproval")) == []
    other = record("ZeroizeHsm", eventSource="kms.amazonaws.com", errorCode="x")
    assert announced(other) == []
