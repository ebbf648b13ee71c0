"""Keys and aliases of KMS, step by step."""

import json

import pytest

from kagimori.ports import ExpectAtMost
from kagimori.rules.policy import key_policies
from kagimori.rules.policy.evaluate import compile_policy
from kagimori.rules.refusal import (
    AccessDeniedException,
    AlreadyExistsException,
    DisabledException,
    KMSInvalidStateException,
    MalformedPolicyDocumentException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary.commands import Encrypt, GenerateKey
from kagimori_boundary.replies import Bytes, NewKey, Tokens
from kit.trial import ACCOUNT, OTHER, Trial, allow

MADE = NewKey(bytes(32), b"token", b"")


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def key_id(trial):
    return trial.call("CreateKey", MADE).answer["KeyMetadata"]["KeyId"]


def test_a_key_is_made_in_the_hsm_and_recorded_as_a_resource(trial):
    tried = trial.call("CreateKey", MADE, Description="d", Tags=[{"TagKey": "k", "TagValue": "v"}])
    assert isinstance(tried.command, GenerateKey)
    assert tried.needs == ["kms:CreateKey", "kms:TagResource"]
    metadata = tried.answer["KeyMetadata"]
    assert (metadata["Description"], metadata["KeyState"]) == ("d", "Enabled")
    assert tried.outcome.made == (("111122223333", metadata["Arn"]),)


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({"KeySpec": "RSA_2048"}, ValidationException),
        ({"KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY"}, ValidationException),
        ({"Origin": "AWS_CLOUDHSM"}, ValidationException),
        ({"Policy": "{}"}, MalformedPolicyDocumentException),
    ],
)
def test_a_key_that_cannot_be(trial, members, refusal):
    with pytest.raises(refusal):
        trial.call("CreateKey", MADE, **members)


def test_a_disabled_key_is_not_used(trial, key_id):
    trial.call("DisableKey", KeyId=key_id)
    with pytest.raises(DisabledException):
        trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    trial.call("EnableKey", KeyId=key_id)
    tried = trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    assert isinstance(tried.command, Encrypt)
    assert tried.answer["CiphertextBlob"] == b"c"


def test_a_key_that_is_to_be_deleted_is_not_used_until_that_is_cancelled(trial, key_id):
    answer = trial.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7).answer
    assert answer["DeletionDate"] == trial.now + 7 * 86_400
    with pytest.raises(KMSInvalidStateException):
        trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    trial.call("CancelKeyDeletion", KeyId=key_id)
    metadata = trial.call("DescribeKey", KeyId=key_id).answer["KeyMetadata"]
    assert metadata["KeyState"] == "Disabled"


def test_an_alias_names_one_key_and_no_other_takes_its_name(trial, key_id):
    tried = trial.call("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    assert tried.needs == ["kms:CreateAlias", "kms:CreateAlias"]
    with pytest.raises(AlreadyExistsException):
        trial.call("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    assert trial.call("DescribeKey", KeyId="alias/a").answer["KeyMetadata"]["KeyId"] == key_id
    trial.call("DeleteAlias", AliasName="alias/a")
    with pytest.raises(NotFoundException):
        trial.call("DescribeKey", KeyId="alias/a")


def test_a_policy_is_stored_only_if_its_writer_stays_able_to_write_it(trial, key_id):
    nobody = {"Version": "2012-10-17", "Statement": [{**allow("kms:*"), "Principal": "*"}]}
    nobody["Statement"][0]["Effect"] = "Deny"
    with pytest.raises(MalformedPolicyDocumentException, match="update the key policy"):
        trial.call("PutKeyPolicy", KeyId=key_id, Policy=json.dumps(nobody))
    before = trial.call("GetKeyPolicy", KeyId=key_id).answer["Policy"]
    assert json.loads(before)["Statement"][0]["Effect"] == "Allow"


def test_a_grant_lets_its_grantee_in_until_it_is_revoked(trial, key_id):
    alice = trial.user("alice")
    principal = "arn:aws:iam::111122223333:user/alice"
    with pytest.raises(AccessDeniedException):
        trial.call("Encrypt", Bytes(b"c"), by=alice, KeyId=key_id, Plaintext=b"p")
    made = trial.call(
        "CreateGrant", KeyId=key_id, GranteePrincipal=principal, Operations=["Encrypt"]
    )
    trial.call("Encrypt", Bytes(b"c"), by=alice, KeyId=key_id, Plaintext=b"p")
    trial.call("RevokeGrant", KeyId=key_id, GrantId=made.answer["GrantId"])
    with pytest.raises(AccessDeniedException):
        trial.call("Encrypt", Bytes(b"c"), by=alice, KeyId=key_id, Plaintext=b"p")


def test_another_account_learns_nothing(trial, key_id):
    arn = trial.call("DescribeKey", KeyId=key_id).answer["KeyMetadata"]["Arn"]
    stranger = trial.user("bob", allow("kms:*"), account=OTHER)
    told = set()
    for named in (arn, arn.replace(key_id, "00000000-0000-0000-0000-000000000000")):
        with pytest.raises(AccessDeniedException) as refused:
            trial.call("DescribeKey", by=stranger, KeyId=named)
        told.add(refused.value.message.replace(named, "KEY"))
    assert len(told) == 1


def test_what_only_symmetric_keys_have(trial):
    signing = trial.call(
        "CreateKey",
        NewKey(bytes(32), b"t", b"public"),
        KeySpec="ECC_NIST_P256",
        KeyUsage="SIGN_VERIFY",
    )
    key_id = signing.answer["KeyMetadata"]["KeyId"]
    with pytest.raises(UnsupportedOperationException):
        trial.call("EnableKeyRotation", KeyId=key_id)
    assert trial.call("GetPublicKey", KeyId=key_id).answer["PublicKey"] == b"public"


@pytest.fixture
def compiled(monkeypatch):
    """Collect the texts of the policies that are compiled, however they come to it."""
    texts = []

    def counted(document, *arguments, **others):
        if document.statements:
            texts.append(document.statements[0].sid)
        return compile_policy(document, *arguments, **others)

    key_policies._shared_document.cache_clear()
    key_policies._shared_compiled.cache_clear()
    monkeypatch.setattr(key_policies, "compile_policy", counted)
    return texts


def _policy(sid):
    statement = {**allow("kms:*"), "Sid": sid, "Principal": {"AWS": ACCOUNT}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_is_compiled_once_for_its_check_and_the_next_use(trial, compiled):
    made = trial.call("CreateKey", MADE, Policy=_policy("first"))
    key_id = made.answer["KeyMetadata"]["KeyId"]
    trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    trial.call("PutKeyPolicy", KeyId=key_id, Policy=_policy("second"))
    trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    assert compiled == ["first", "second"]


def test_keys_with_the_same_policy_share_it_compiled(trial, compiled):
    for region in ("us-east-1", "eu-west-1"):
        made = trial.call("CreateKey", MADE, region=region, Policy=_policy("shared"))
        key_id = made.answer["KeyMetadata"]["KeyId"]
        trial.call("Encrypt", Bytes(b"c"), region=region, KeyId=key_id, Plaintext=b"p")
    assert compiled == ["shared"]


def test_a_key_has_no_more_aliases_than_it_may_though_many_are_made_at_once(trial):
    key_id = trial.call("CreateKey", MADE).answer["KeyMetadata"]["KeyId"]
    made = trial.call("CreateAlias", AliasName="alias/one", TargetKeyId=key_id)
    (expected,) = (one for one in made.outcome.writes if isinstance(one, ExpectAtMost))
    assert (expected.group, expected.values[-1], expected.most) == ("by_key", key_id, 50)


def test_a_change_of_something_else_compiles_no_policy(trial, compiled):
    key_id = trial.call("CreateKey", MADE).answer["KeyMetadata"]["KeyId"]
    for name in ("DisableKey", "EnableKey", "EnableKeyRotation", "DescribeKey"):
        trial.call(name, KeyId=key_id)
    trial.call("TagResource", KeyId=key_id, Tags=[{"TagKey": "k", "TagValue": "v"}])
    trial.call("Encrypt", Bytes(b"c"), KeyId=key_id, Plaintext=b"p")
    assert len(compiled) == 1


def test_a_replica_takes_over_the_policy_that_was_checked(trial, compiled):
    made = trial.call("CreateKey", MADE, MultiRegion=True, Policy=_policy("primary"))
    key_id = made.answer["KeyMetadata"]["KeyId"]
    trial.call(
        "ReplicateKey",
        Tokens([b"token"]),
        KeyId=key_id,
        ReplicaRegion="eu-west-1",
        Policy=_policy("replica"),
    )
    for region in ("us-east-1", "eu-west-1"):
        trial.call("Encrypt", Bytes(b"c"), region=region, KeyId=key_id, Plaintext=b"p")
    assert compiled == ["primary", "replica"]
