"""Key policies compared: a change that may take anything away is found, whatever its form."""

import pytest

from kagimori_console.pages.key.policy_text import (
    CHARACTERS_MAX,
    difference,
    may_change,
    only_adds,
    parse,
    principals,
)

ROOT = "arn:aws:iam::111122223333:root"
ALICE = "arn:aws:iam::111122223333:user/alice"


def statement(effect="Allow", principal=ROOT, action="kms:*", **more):
    made = {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}
    return {**made, **more}


def policy(*statements, version="2012-10-17"):
    return {"Version": version, "Statement": list(statements)}


OLD = policy(statement(), statement("Deny", ALICE, "kms:Sign"))


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        policy(*OLD["Statement"], statement(principal=ALICE)),
        policy(OLD["Statement"][0]),  # without the denial
        policy(*reversed(OLD["Statement"])),
    ],
)
def test_more_permissions_or_fewer_denials_take_nothing_away(new):
    assert only_adds(OLD, new)


@pytest.mark.parametrize(
    "new",
    [
        None,
        policy(OLD["Statement"][1]),
        policy(statement(action="kms:Encrypt")),
        policy(statement(Condition={"Bool": {"aws:SecureTransport": "true"}})),
        policy(*OLD["Statement"], statement("Deny", "*")),
        policy(*OLD["Statement"], statement("deny", "*")),
        policy(*OLD["Statement"], version="2008-10-17"),
        policy(*OLD["Statement"], "x"),
        {"Version": "2012-10-17"},
    ],
)
def test_anything_else_may_take_something_away(new):
    assert not only_adds(OLD, new)


def test_without_the_present_policy_a_change_may_take_something_away():
    assert not only_adds(None, OLD)


def test_one_statement_need_not_be_in_a_list():
    alone = {"Version": "2012-10-17", "Statement": statement()}
    assert only_adds(alone, policy(statement()))
    assert [one.principal for one in may_change(alone)] == [ROOT]


@pytest.mark.parametrize(
    "text", ["", "x", "[]", '{"a": 1, "a": 2}', "[" * 30_000, " " * CHARACTERS_MAX + "{}"]
)
def test_what_is_no_policy_is_none(text):
    assert parse(text) is None


def test_the_difference_shows_lines_that_change_and_some_around():
    old = [str(n) for n in range(20)]
    new = [*old[:2], "two", *old[3:]]
    found = difference("\n".join(old), "\n".join(new))
    changed = [(one.kind, one.text) for one in found if one.kind != "same"]
    assert changed == [("removed", "2"), ("added", "two")]
    assert [one.text for one in found if one.kind == "same"] == ["0", "1", "3", "4", "5"]


def test_the_difference_of_very_long_texts_is_bounded():
    long = "x\n" * 20_000
    found = difference(long, "y")
    assert [one.kind for one in found[-2:]] == ["removed", "added"]


@pytest.mark.parametrize(
    "action", ["kms:*", "*", "KMS:putkeypolicy", "kms:Put*", ["kms:Get*", "kms:P?tKeyPolicy"]]
)
def test_who_may_change_the_policy_is_found(action):
    assert [one.principal for one in may_change(policy(statement(action=action)))] == [ROOT]


@pytest.mark.parametrize("action", ["kms:Get*", "s3:*", "kms:[P]utKeyPolicy", "", "?*" * 40])
def test_who_may_not_change_the_policy_is_not_shown(action):
    assert may_change(policy(statement(action=action))) == []


def test_all_actions_but_some_may_change_the_policy_too():
    made = statement(NotAction="kms:Sign", Condition={"Bool": {}})
    del made["Action"]
    (found,) = may_change(policy(made))
    assert found.bound
    assert may_change(policy({**made, "NotAction": "kms:Put*"})) == []


def test_principals_that_are_no_arns_have_their_type():
    made = statement(Principal={"AWS": [ROOT, "*"], "Service": "logs.amazonaws.com"})
    assert principals(made) == [ROOT, "*", "Service: logs.amazonaws.com"]
    assert principals(statement(Principal="*")) == ["*"]
