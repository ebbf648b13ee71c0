"""CheckKeyPolicy answers as CreateKey would refuse, and makes nothing."""

import json

import pytest

from kagimori.entities.tables import KMS_KEYS
from kagimori.rules.refusal import AccessDeniedException
from kit.trial import ACCOUNT, Trial, allow


@pytest.fixture
def trial():
    return Trial()


def policy(principal, action="kms:*"):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def check(trial, text, **given):
    return trial.call("CheckKeyPolicy", service="kagimori", Policy=text, **given).answer


def test_a_good_policy_is_good(trial):
    text = policy({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    assert check(trial, text) == {"IsValid": True, "LocksOut": False}
    assert trial.view.all(KMS_KEYS) == []


def test_one_that_would_lock_the_caller_out_says_so(trial):
    alice = trial.user("alice", allow("*"))
    found = check(trial, policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "kms:Encrypt"))
    assert found == {
        "IsValid": True,
        "LocksOut": True,
        "Code": "MalformedPolicyDocumentException",
        "Reason": "The new key policy will not allow you to update the key policy in the future.",
    }
    text = policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    assert check(trial, text, by=alice)["LocksOut"] is False


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"Statement": []}', policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"})],
)
def test_what_is_no_policy_is_refused_with_the_reason(trial, text):
    found = check(trial, text)
    assert (found["IsValid"], found["LocksOut"]) == (False, False)
    assert found["Code"] == "MalformedPolicyDocumentException"


def test_it_is_for_those_who_may(trial):
    with pytest.raises(AccessDeniedException):
        check(trial, "{}", by=trial.user("alice", allow("kms:*")))
