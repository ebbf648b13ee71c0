"""A permission is remembered only if it depends on the caller, the key and the action alone."""

from uuid import uuid4

import msgspec
import pytest

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate import decisions
from kagimori.gate.asked import Need
from kagimori.gate.decisions import decision_on
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import REQUEST_STEPS_MAX
from kagimori_boundary.replies import NewKey
from kit.trial import ACCOUNT, OTHER, REGION, Trial, allow

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
EVERYTHING = allow("kms:*") | {"Principal": ROOT}
OF_ACME = {"StringEquals": {"kms:EncryptionContext:tenant": "acme"}}
ACME, OTHERS = {"tenant": "acme"}, {"tenant": "others"}


@pytest.fixture(autouse=True)
def remembered():
    decisions._REMEMBERED.clear()
    yield decisions._REMEMBERED
    decisions._REMEMBERED.clear()


@pytest.fixture
def trial():
    return Trial()


def key_with(trial, *statements):
    policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": [EVERYTHING, *statements]})
    material = NewKey(uuid4().bytes * 2, b"token", b"")
    made = trial.call("CreateKey", material, Policy=policy.decode()).answer["KeyMetadata"]
    return trial.view.one(KMS_KEYS, (ACCOUNT, REGION, made["KeyId"]))


def decided(trial, caller, key, context=None, action="kms:Encrypt"):
    """Return whether the caller is allowed, and the steps that are left then."""
    given = {"KeyId": key.key_id, "Plaintext": b"p", "EncryptionContext": context or {}}
    asked = trial.asked("Encrypt", by=caller, **given)
    decision = decision_on(asked, Need(action, key, encryption_context=context), ())
    return decision.allowed, asked.steps.left


def test_a_plain_permission_is_remembered_with_its_steps_and_without_the_request(trial, remembered):
    alice, key = trial.user("alice", allow("kms:Encrypt")), key_with(trial)
    decided(trial, alice, key)  # from here on the statements of the action are known
    remembered.clear()
    first = decided(trial, alice, key, ACME)
    assert [one.caller for one in remembered.values()] == [alice]
    assert decided(trial, alice, key, OTHERS) == first == (True, first[1])
    (kept,) = remembered.values()
    assert kept.decision.question == Question("kms:Encrypt", key.arn)
    assert first[1] == REQUEST_STEPS_MAX - kept.steps


def test_it_is_of_one_action_one_key_and_one_caller(trial, remembered):
    alice, key = trial.user("alice", allow("kms:Encrypt")), key_with(trial)
    bob = trial.user("bob", allow("kms:Decrypt"))
    assert decided(trial, alice, key)[0]
    assert not decided(trial, alice, key, action="kms:Decrypt")[0]
    assert not decided(trial, bob, key)[0]
    assert len(remembered) == 1, "no refusal is remembered"
    refusing = EVERYTHING | {"Effect": "Deny", "Action": "kms:Encrypt"}
    elsewhere = key_with(trial, refusing)
    assert not decided(trial, alice, elsewhere)[0]


@pytest.mark.parametrize("where", ["identity", "key"])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_what_a_condition_decides_is_decided_for_each_request(trial, remembered, where, effect):
    if where == "identity":
        other = [] if effect == "Allow" else [allow("kms:Encrypt")]
        mine = allow("kms:Encrypt") | {"Effect": effect, "Condition": OF_ACME}
        alice, key = trial.user("alice", mine, *other), key_with(trial)
    else:
        alice = trial.user("alice", *([] if effect == "Allow" else [allow("kms:Encrypt")]))
        named = {"AWS": alice.principal.arn}
        statement = {"Effect": effect, "Principal": named, "Action": "kms:Encrypt"}
        key = key_with(trial, statement | {"Resource": "*", "Condition": OF_ACME})
    for _ in range(2):
        assert decided(trial, alice, key, ACME)[0] is (effect == "Allow")
        assert decided(trial, alice, key, OTHERS)[0] is (effect == "Deny")
    assert not remembered


def test_a_variable_in_a_resource_is_looked_up_for_each_request(trial, remembered):
    mine = allow("kms:Encrypt") | {"Resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"}
    alice, key = trial.user("alice", mine), key_with(trial)
    assert not decided(trial, alice, key)[0]
    assert not remembered


def test_what_a_grant_allows_is_looked_up_for_each_request(trial, remembered):
    alice, key = trial.user("alice"), key_with(trial)
    arn = alice.principal.arn
    made = trial.call("CreateGrant", KeyId=key.key_id, GranteePrincipal=arn, Operations=["Encrypt"])
    remembered.clear()
    assert decided(trial, alice, key)[0]
    assert not remembered
    trial.call("RevokeGrant", KeyId=key.key_id, GrantId=made.answer["GrantId"])
    remembered.clear()
    assert not decided(trial, alice, key)[0]


def test_a_changed_policy_is_another_key_and_another_user_another_caller(trial):
    alice, key = trial.user("alice", allow("kms:Encrypt")), key_with(trial)
    assert decided(trial, alice, key)[0]
    refusing = EVERYTHING | {"Effect": "Deny", "Action": "kms:Encrypt"}
    policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": [EVERYTHING, refusing]})
    trial.call("PutKeyPolicy", KeyId=key.key_id, Policy=policy.decode())
    changed = trial.view.one(KMS_KEYS, (ACCOUNT, REGION, key.key_id))
    assert not decided(trial, alice, changed)[0]
    assert decided(trial, alice, key)[0]
    assert not decided(trial, trial.user("alice"), key)[0]


def test_nothing_is_remembered_for_a_stranger_that_is_not_let_in(trial, remembered):
    mallory, key = trial.user("mallory", allow("kms:Encrypt"), account=OTHER), key_with(trial)
    assert not decided(trial, mallory, key)[0]
    assert not remembered


def test_with_too_few_steps_left_it_is_decided_anew(trial, remembered):
    alice, key = trial.user("alice", allow("kms:Encrypt")), key_with(trial)
    assert decided(trial, alice, key)[0]
    ((name, kept),) = remembered.items()
    remembered[name] = msgspec.structs.replace(kept, steps=10)
    asked = trial.asked("Encrypt", by=alice, KeyId=key.key_id, Plaintext=b"p")
    asked.steps.left = 9
    before = remembered[name]
    decision_on(asked, Need("kms:Encrypt", key), ())
    assert remembered[name] is not before


def test_what_is_remembered_is_bounded(trial, remembered, monkeypatch):
    monkeypatch.setattr(decisions, "REMEMBERED_MAX", 3)
    alice = trial.user("alice", allow("kms:Encrypt"))
    for _ in range(8):
        assert decided(trial, alice, key_with(trial))[0]
        assert len(remembered) <= 3
