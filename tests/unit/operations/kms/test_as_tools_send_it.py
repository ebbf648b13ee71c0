"""Requests as tools send them, answered as AWS answers them: policies left out, empty constraints."""

import json

import pytest

from kagimori.rules.refusal import (
    KMSInvalidStateException,
    MalformedPolicyDocumentException,
    ValidationException,
)
from kagimori_boundary.replies import NewKey
from kit.hsm import reply_to
from kit.sts_story import sts_trial
from kit.trial import ACCOUNT, Trial, allow

LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."


@pytest.fixture
def trial():
    return Trial()


def key_policy(*actions):
    statement = {**allow(*actions), "Principal": {"AWS": ACCOUNT}}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def made(trial, **members):
    return trial.call("CreateKey", reply_to, **members).answer["KeyMetadata"]


def test_a_policy_that_was_not_given_locks_nobody_out(trial):
    alice = trial.user("alice", allow("kms:CreateKey", "kms:ReplicateKey"))
    key_id = made(trial, by=alice, MultiRegion=True)["KeyId"]
    given = {"KeyId": key_id, "ReplicaRegion": "eu-west-1"}
    own = {"Policy": key_policy("kms:*")}
    for name, members in (("CreateKey", {}), ("ReplicateKey", given)):
        with pytest.raises(MalformedPolicyDocumentException) as refused:
            trial.call(name, reply_to, by=alice, **members, **own)
        assert refused.value.message == LOCKED_OUT
    trial.call("ReplicateKey", reply_to, by=alice, **given)
    trial.call("CreateKey", reply_to, by=alice, **own, BypassPolicyLockoutSafetyCheck=True)


@pytest.mark.parametrize("action", ["kms:Encrypt", "kms:PutKeyPolic"])
def test_a_policy_that_was_given_is_checked(trial, action):
    key_id = made(trial)["KeyId"]
    for name, members in (("CreateKey", {}), ("PutKeyPolicy", {"KeyId": key_id})):
        with pytest.raises(MalformedPolicyDocumentException) as refused:
            trial.call(name, reply_to, **members, Policy=key_policy(action))
        assert refused.value.message == LOCKED_OUT


CONTEXT = {"a": "b"}
CONSTRAINTS = [
    (
        {"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": {}},
        "EncryptionContextEquals",
    ),
    (
        {"EncryptionContextEquals": {}, "EncryptionContextSubset": CONTEXT},
        "EncryptionContextSubset",
    ),
    ({"EncryptionContextEquals": {}, "EncryptionContextSubset": {}}, None),
    ({"EncryptionContextEquals": {}}, None),
    ({}, None),
    (None, None),
]


@pytest.mark.parametrize(("constraints", "kept"), CONSTRAINTS)
def test_a_grant_keeps_no_empty_constraint(trial, constraints, kept):
    key_id = made(trial)["KeyId"]
    given = {"KeyId": key_id, "GranteePrincipal": ACCOUNT, "Operations": ["Encrypt"], "Name": "g"}
    first = trial.call("CreateGrant", **given, Constraints=constraints).answer
    (listed,) = trial.call("ListGrants", KeyId=key_id).answer["Grants"]
    assert listed.get("Constraints") == (None if kept is None else {kept: CONTEXT})
    # Terraform finds the grant it made before, however it wrote that there is no constraint.
    written_otherwise = None if kept is None else {kept: CONTEXT}
    again = trial.call("CreateGrant", **given, Constraints=written_otherwise).answer
    assert again["GrantId"] == first["GrantId"]


def test_two_constraints_are_one_too_many(trial):
    both = {"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}
    given = {"GranteePrincipal": ACCOUNT, "Operations": ["Encrypt"], "Constraints": both}
    with pytest.raises(ValidationException, match="More than one constraint supplied"):
        trial.call("CreateGrant", KeyId=made(trial)["KeyId"], **given)


@pytest.mark.parametrize("name", ["my:alias", "my alias", "my.alias", "myälias", "a\n", ":"])
@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias"])
def test_an_alias_has_letters_digits_and_three_signs(trial, operation, name):
    given = {"AliasName": f"alias/{name}", "TargetKeyId": made(trial)["KeyId"]}
    with pytest.raises((ValidationException, ValueError), match=r"invalid characters|regex"):
        trial.call(operation, **given)


@pytest.mark.parametrize("name", ["a/b_c-D9", "-", "/", "_"])
def test_such_an_alias_is_taken(trial, name):
    trial.call("CreateAlias", AliasName=f"alias/{name}", TargetKeyId=made(trial)["KeyId"])


def test_material_that_waits_names_the_key_by_its_arn(trial):
    key = made(trial, Origin="EXTERNAL")
    given = {
        "KeyId": key["KeyId"],
        "ImportToken": b"t",
        "EncryptedKeyMaterial": b"m",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
    for number in (1, 2):
        new = {"ImportType": "NEW_KEY_MATERIAL"} if number > 1 else {}
        trial.call("ImportKeyMaterial", material(number), **given, **new)
    with pytest.raises(KMSInvalidStateException) as refused:
        trial.call("ImportKeyMaterial", material(3), **given, ImportType="NEW_KEY_MATERIAL")
    assert refused.value.message == (
        f"New key material (id: {'03' * 32}) cannot be imported into KMS key {key['Arn']}, because "
        f"another key material (id: {'02' * 32}) is pending rotation."
    )


def material(number):
    return NewKey(bytes((number,)) * 32, b"token %d" % number, b"")


def test_federation_without_policies_has_a_packed_size_of_nothing():
    trial = sts_trial()
    alice = trial.caller_named("alice")

    def asked(name, **given):
        return trial.call(name, reply_to, service="sts", by=alice, **given).answer

    role = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "session"}
    assert asked("GetFederationToken", Name="fed")["PackedPolicySize"] == 0
    assert "PackedPolicySize" not in asked("AssumeRole", **role)
    tags = [{"Key": "k", "Value": "v"}]
    assert asked("GetFederationToken", Name="fed", Tags=tags)["PackedPolicySize"] > 0
    assert asked("AssumeRole", **role, Tags=tags)["PackedPolicySize"] > 0
