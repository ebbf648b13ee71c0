"""The wizard's draft, the kinds of keys it takes, and the policy it proposes."""

import json

import pytest

from kagimori_boundary.key_specs import SPECS
from kagimori_console.pages.keys import specs
from kagimori_console.pages.keys.access import principals_in
from kagimori_console.pages.keys.console_policy import USE, Chosen, proposed_policy, use_actions
from kagimori_console.pages.keys.draft import FIELDS, FIRST, draft_of, json_problem

ACCOUNT, ALICE = "111122223333", "arn:aws:iam::111122223333:user/alice"


def draft(**fields):
    found = FIRST
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        found = found.with_values(name.replace("_", "-"), *values)
    return found


def test_the_specs_are_those_that_there_are():
    offered = {(usage, spec) for usage, names in specs.SPECS_OF.items() for spec in names}
    assert offered == {(usage.value, spec.name) for spec in SPECS.values() for usage in spec.usages}
    assert set(specs.KEY_SPECS) == set(SPECS)
    for name, spec in SPECS.items():
        given = {"spec": name, "usage": spec.usages[0].value, "origin": specs.EXTERNAL}
        found = specs.problem_of(**given, key_store="", xks_key="", multi_region=False)
        assert (found is None) == spec.importable, name


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, []),
        ({"usage": "SIGN_VERIFY"}, ["usage"]),
        ({"origin": "MOON"}, ["origin"]),
        ({"origin": "AWS_CLOUDHSM"}, ["store"]),
        ({"origin": "AWS_CLOUDHSM", "store": "cks-1"}, []),
        ({"origin": "AWS_CLOUDHSM", "store": "cks-1", "multi": "yes"}, ["store-region"]),
        ({"origin": "AWS_CLOUDHSM", "store": "cks-1", "spec": "RSA_2048"}, ["store-spec"]),
        ({"origin": "EXTERNAL_KEY_STORE", "store": "cks-1"}, ["xks-key"]),
        ({"origin": "EXTERNAL", "multi": "yes"}, []),
    ],
)
def test_a_type_that_cannot_be_says_why(fields, problem):
    assert draft(**fields).problems("type") == problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"alias": "orders"}, []),
        ({"alias": " alias/orders "}, []),
        ({"alias": ""}, ["alias"]),
        ({"alias": "a b"}, ["alias"]),
        ({"alias": "aws/orders"}, ["alias-aws"]),
        ({"alias": "a", "tag_key": ["k", "k"], "tag_value": ["1", "2"]}, ["tags-many"]),
        ({"alias": "a", "tag_key": ["", "k"], "tag_value": ["1", "2"]}, ["tags"]),
        ({"alias": "a", "tag_key": ["AWS:k"], "tag_value": [""]}, ["tags"]),
        ({"alias": "a", "tag_key": ["", "k"], "tag_value": ["", ""]}, []),
    ],
)
def test_labels_that_cannot_be_say_why(fields, problem):
    assert draft(**fields).problems("labels") == problem


def test_each_step_hands_on_what_the_others_have():
    sent = [*FIRST.fields, ("alias", "a"), ("csrf", "x"), ("step", "type"), ("policy", "a\r\nb")]
    found = draft_of(sent)
    assert found.value("policy") == "a\nb"
    for step, names in FIELDS.items():
        handed = {name for name, _ in found.outside(step)}
        assert handed == {name for name, _ in found.fields} - set(names)
        assert not handed & {"csrf", "step"}


def policy(**fields):
    text = proposed_policy(draft(**fields).chosen, partition="aws", account_id=ACCOUNT)
    return {one["Sid"]: one for one in json.loads(text)["Statement"]}


def test_a_key_for_nobody_trusts_the_account_alone():
    assert list(policy()) == ["Enable IAM User Permissions"]


def test_the_four_statements_are_those_of_the_console():
    found = policy(administrator=ALICE, user=[ALICE], accounts="444455556666, 777788889999")
    assert list(found) == [
        "Enable IAM User Permissions",
        "Allow access for Key Administrators",
        "Allow use of the key",
        "Allow attachment of persistent resources",
    ]
    administer = found["Allow access for Key Administrators"]["Action"]
    assert {"kms:ScheduleKeyDeletion", "kms:RotateKeyOnDemand", "kms:Put*"} <= set(administer)
    assert found["Allow use of the key"]["Principal"]["AWS"] == [
        ALICE,
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::777788889999:root",
    ]
    assert found["Allow attachment of persistent resources"]["Condition"] == {
        "Bool": {"kms:GrantIsForAWSResource": "true"}
    }
    without = policy(administrator=ALICE, may_delete=[])["Allow access for Key Administrators"]
    assert "kms:ScheduleKeyDeletion" not in without["Action"]


@pytest.mark.parametrize("usage", sorted(USE))
def test_who_uses_a_key_may_do_what_its_kind_can(usage):
    chosen = Chosen([], False, [], [], usage, "RSA_2048", "AWS_KMS", False)
    assert set(USE[usage]) < set(use_actions(chosen))
    assert "kms:GenerateDataKey*" not in use_actions(chosen)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Statement": 3}', "[" * 100_000])
def test_what_is_no_policy_names_nobody(text):
    assert principals_in(text) == []


def test_principals_are_found_however_they_are_written():
    statements = [
        {"Principal": "*"},
        {"Principal": {"AWS": [ALICE, ALICE], "Service": "s3.amazonaws.com"}},
        {"NotPrincipal": "x"},
    ]
    assert principals_in(json.dumps({"Statement": statements})) == ["*", ALICE, "s3.amazonaws.com"]


def test_the_place_of_a_fault_in_json_is_found():
    assert json_problem('{"a": 1}') is None
    assert json_problem('{\n "a" }')[:2] == (2, 6)
    assert json_problem("[" * 100_000) is not None
