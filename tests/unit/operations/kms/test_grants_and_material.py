"""Grants, rotation and imported material of KMS keys, step by step."""

import pytest

from kagimori.rules.refusal import (
    AccessDeniedException,
    DryRunOperationException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
)
from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, ImportParameters, NewKey
from kit.trial import ACCOUNT, NOW, Trial

MADE = NewKey(bytes(32), b"token", b"")
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
IMPORTED = {
    "ImportToken": b"token",
    "EncryptedKeyMaterial": b"wrapped",
    "ExpirationModel": "KEY_MATERIAL_EXPIRES",
    "ValidTo": NOW + 3600,
}


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def key_id(trial):
    return trial.call("CreateKey", MADE).answer["KeyMetadata"]["KeyId"]


@pytest.fixture
def alice(trial):
    return trial.user("alice")


@pytest.fixture
def external(trial):
    made = trial.call("CreateKey", Origin="EXTERNAL").answer["KeyMetadata"]
    assert made["KeyState"] == "PendingImport"
    return made["KeyId"]


def granted(trial, key_id, **members):
    return trial.call(
        "CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Encrypt"], **members
    ).answer


def encrypts(trial, key_id, by, **members):
    return trial.call("Encrypt", Bytes(b"c"), by=by, KeyId=key_id, Plaintext=b"p", **members)


def test_a_grant_lets_its_grantee_in_until_it_is_revoked(trial, key_id, alice):
    with pytest.raises(AccessDeniedException):
        encrypts(trial, key_id, alice)
    grant = granted(trial, key_id)
    encrypts(trial, key_id, alice)
    trial.call("RevokeGrant", KeyId=key_id, GrantId=grant["GrantId"])
    with pytest.raises(AccessDeniedException):
        encrypts(trial, key_id, alice)


def test_a_constraint_holds_a_grant_to_its_context(trial, key_id, alice):
    granted(trial, key_id, Constraints={"EncryptionContextEquals": {"tenant": "acme"}})
    encrypts(trial, key_id, alice, EncryptionContext={"tenant": "acme"})
    with pytest.raises(AccessDeniedException):
        encrypts(trial, key_id, alice, EncryptionContext={"tenant": "other"})


def test_the_same_grant_by_the_same_name_is_there_once(trial, key_id, alice):
    first, second = granted(trial, key_id, Name="n"), granted(trial, key_id, Name="n")
    assert first["GrantId"] == second["GrantId"]
    assert len(trial.call("ListGrants", KeyId=key_id).answer["Grants"]) == 1


def test_a_retiring_principal_retires_its_grant_and_no_other(trial, key_id, alice):
    grant = granted(trial, key_id, RetiringPrincipal=ALICE)
    with pytest.raises(AccessDeniedException):
        trial.call("RetireGrant", by=trial.user("bob"), GrantToken=grant["GrantToken"])
    trial.call("RetireGrant", by=alice, GrantToken=grant["GrantToken"])
    with pytest.raises(NotFoundException):
        trial.call("RetireGrant", by=alice, GrantToken=grant["GrantToken"])


def test_a_dry_run_makes_no_grant(trial, key_id, alice):
    with pytest.raises(DryRunOperationException):
        granted(trial, key_id, DryRun=True)
    assert trial.call("ListGrants", KeyId=key_id).answer["Grants"] == []


def test_rotation_is_switched_and_shown(trial, key_id):
    trial.call("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    shown = trial.call("GetKeyRotationStatus", KeyId=key_id).answer
    assert (shown["KeyRotationEnabled"], shown["RotationPeriodInDays"]) == (True, 90)
    trial.call("DisableKeyRotation", KeyId=key_id)
    assert not trial.call("GetKeyRotationStatus", KeyId=key_id).answer["KeyRotationEnabled"]


def test_a_rotation_that_was_asked_for_is_shown_as_begun(trial, key_id):
    trial.call("RotateKeyOnDemand", KeyId=key_id)
    shown = trial.call("GetKeyRotationStatus", KeyId=key_id).answer
    assert shown["OnDemandRotationStartDate"] == NOW


def test_imported_material_makes_a_key_work_until_it_is_deleted(trial, external):
    parameters = trial.call(
        "GetParametersForImport",
        ImportParameters(b"token", b"public"),
        KeyId=external,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    assert parameters.answer["ParametersValidTo"] > NOW
    with pytest.raises(KMSInvalidStateException):
        encrypts(trial, external, None)
    tried = trial.call("ImportKeyMaterial", MADE, KeyId=external, **IMPORTED)
    assert type(tried.command) is commands.ImportMaterial
    encrypts(trial, external, None)
    shown = trial.call("DescribeKey", KeyId=external).answer["KeyMetadata"]
    assert (shown["KeyState"], shown["ValidTo"]) == ("Enabled", NOW + 3600)
    trial.call("DeleteImportedKeyMaterial", KeyId=external)
    with pytest.raises(KMSInvalidStateException):
        encrypts(trial, external, None)


def test_material_is_imported_into_keys_made_for_it_alone(trial, key_id):
    with pytest.raises(UnsupportedOperationException):
        trial.call("ImportKeyMaterial", MADE, KeyId=key_id, **IMPORTED)


def test_tags_are_set_listed_and_removed(trial, key_id):
    trial.call("TagResource", KeyId=key_id, Tags=[{"TagKey": "k", "TagValue": "v"}])
    tags = trial.call("ListResourceTags", KeyId=key_id).answer["Tags"]
    assert tags == [{"TagKey": "k", "TagValue": "v"}]
    trial.call("UntagResource", KeyId=key_id, TagKeys=["k"])
    assert trial.call("ListResourceTags", KeyId=key_id).answer["Tags"] == []
