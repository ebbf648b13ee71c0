"""An account is told its own side of a denial, and nothing of another's."""

import json

import pytest
from msgspec.structs import replace

from answers import misfits_of
from kagimori.front.json11 import encode
from kagimori.rules.authorization.denial import Denial
from kagimori.rules.authorization.denial_view import denial_members, visible_to

CALLERS, OWNERS, OTHERS = "111111111111", "222222222222", "333333333333"


def denial(owner=OWNERS):
    return Denial(
        slot="w0/1",
        request_id="r",
        account_id=CALLERS,
        owner=owner,
        at=1.5,
        caller=f"arn:aws:iam::{CALLERS}:user/alice",
        action="kms:Encrypt",
        resource="arn",
        reason="told",
        explicit=True,
        policies=[
            {"policy": "key policy", "says": "nothing", "statements": []},
            {"policy": "identity policy p", "says": "allow", "statements": []},
        ],
        grants=[{"grant_id": "g", "encryption_context_equals": {"Dept_A": "x"}}],
        matched=[{"policy": "identity policy p", "statement": "s", "conditions": {"aws:x": ["1"]}}],
        conditions={"aws:username": ["alice"]},
        suggestion="all of it",
        alternatives=["more"],
    )


@pytest.mark.parametrize("account_id", [None, CALLERS])
def test_within_one_account_all_is_told(account_id):
    whole = denial(owner=CALLERS)
    assert visible_to(whole, account_id) == whole


def test_operators_are_told_all():
    assert visible_to(denial(), None) == denial()


def test_the_caller_is_told_of_its_own_policies():
    told = visible_to(denial(), CALLERS)
    assert [one["policy"] for one in told.policies] == ["identity policy p"]
    assert told.explicit is True
    assert (told.grants, told.conditions, told.suggestion, told.alternatives) == ([], {}, "", [])


def test_the_owner_is_told_of_the_key():
    told = visible_to(denial(), OWNERS)
    assert [one["policy"] for one in told.policies] == ["key policy"]
    assert told.matched == []
    assert told.explicit is False
    assert told.grants == denial().grants
    assert (told.conditions, told.suggestion, told.alternatives) == ({}, "", [])


@pytest.mark.parametrize("owner", [CALLERS, OWNERS, ""])
def test_others_are_told_nothing(owner):
    assert visible_to(denial(owner=owner), OTHERS) is None


def test_members_have_the_wires_names_and_data_keeps_its_own():
    shown = denial_members(denial())
    assert shown["EventTime"] == 1.5
    assert shown["ResourceAccountId"] == OWNERS
    assert shown["Grants"][0]["EncryptionContextEquals"] == {"Dept_A": "x"}
    assert shown["Matched"][0]["Conditions"] == {"aws:x": ["1"]}
    assert "Slot" not in shown


@pytest.mark.parametrize(
    ("stored", "texts"),
    [
        (None, []),
        ("arn:aws:s3:::b", ["arn:aws:s3:::b"]),
        (["Decrypt", "Encrypt"], ["Decrypt", "Encrypt"]),
        ({"Dept": "IT", "B": ""}, ["Dept=IT", "B="]),
        (
            {"Operations": ["Encrypt"], "EncryptionContextEquals": {"a": "b"}},
            ['Operations=["Encrypt"]', 'EncryptionContextEquals={"a": "b"}'],
        ),
    ],
)
def test_whatever_a_shortfall_was_stored_as_it_is_told_as_texts(stored, texts):
    lack = {"what": "w", "written": stored, "request": stored}
    shown = denial_members(replace(denial(), grants=[{"grant_id": "g", "shortfalls": [lack]}]))
    told = {"What": "w", "Written": texts, "Request": texts}
    assert shown["Grants"][0]["Shortfalls"] == [told]
    answer = json.loads(encode({"Denial": shown}))
    assert misfits_of("kagimori", "GetDenial", answer) == []
