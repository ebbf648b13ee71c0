"""Principals in key policies, trust policies and grants: they must be named, and exist."""

import json

import pytest

from kagimori.gate.asked import Settings
from kagimori.rules.identity.refusals import MalformedPolicyDocument
from kagimori.rules.refusal import InvalidArnException, MalformedPolicyDocumentException
from kit.hsm import reply_to
from kit.iam_story import iam_story
from kit.trial import ACCOUNT, OTHER, REGION, Trial, allow

NOWHERE = "999999999999"
UNKNOWN = (
    f"arn:aws:iam::{NOWHERE}:root",
    NOWHERE,
    f"arn:aws:sts::{NOWHERE}:federated-user/bob",
    f"arn:aws:iam::{NOWHERE}:user/bob",
    f"arn:aws:iam::{OTHER}:user/nobody",
    f"arn:aws:sts::{OTHER}:assumed-role/nobody/session",
)
KNOWN = (f"arn:aws:iam::{OTHER}:root", OTHER, f"arn:aws:sts::{OTHER}:federated-user/bob")
INVALID = "Policy contains a statement with one or more invalid principals."


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def key_id(trial):
    return trial.call("CreateKey", reply_to).answer["KeyMetadata"]["KeyId"]


def key_policy(principal, **more):
    ours = {**allow("kms:*"), "Principal": {"AWS": ACCOUNT}}
    theirs = {**allow("kms:Encrypt"), "Principal": principal, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [ours, theirs]})


def trust_policy(principal):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    if principal is None:
        del statement["Principal"]
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def create_role(trial, principal):
    trust = trust_policy(principal)
    trial.call("CreateRole", service="iam", RoleName="r", AssumeRolePolicyDocument=trust)


@pytest.mark.parametrize("arn", UNKNOWN)
def test_who_does_not_exist_is_refused(trial, key_id, arn):
    policy = key_policy({"AWS": [f"arn:aws:iam::{ACCOUNT}:root", arn]})
    for name, members in (("PutKeyPolicy", {"KeyId": key_id}), ("CreateKey", {})):
        with pytest.raises(MalformedPolicyDocumentException) as refused:
            trial.call(name, reply_to, **members, Policy=policy)
        assert refused.value.message == INVALID
    with pytest.raises(MalformedPolicyDocument, match='Invalid principal in policy: "AWS":"arn:'):
        create_role(trial, {"AWS": arn})
    for party in ("GranteePrincipal", "RetiringPrincipal"):
        parties = {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", party: arn}
        with pytest.raises(InvalidArnException):
            trial.call("CreateGrant", KeyId=key_id, Operations=["Encrypt"], **parties)


@pytest.mark.parametrize("arn", KNOWN)
def test_accounts_that_exist_are_taken(trial, key_id, arn):
    trial.call("PutKeyPolicy", KeyId=key_id, Policy=key_policy({"AWS": arn}))
    create_role(trial, {"AWS": arn})
    trial.call("CreateGrant", KeyId=key_id, Operations=["Encrypt"], GranteePrincipal=arn)


def test_an_exception_to_a_denial_must_exist_as_well(trial, key_id):
    policy = json.loads(key_policy(None, Effect="Deny"))
    del policy["Statement"][1]["Principal"]
    policy["Statement"][1]["NotPrincipal"] = {"AWS": [ACCOUNT, NOWHERE]}
    with pytest.raises(MalformedPolicyDocumentException, match="invalid principals"):
        trial.call("PutKeyPolicy", KeyId=key_id, Policy=json.dumps(policy))


def test_a_server_for_tests_takes_accounts_that_do_not_exist(trial, key_id, monkeypatch):
    settings = Settings(frozenset((REGION,)), home_region=REGION, unknown_principals=True)
    asked = trial.asked
    monkeypatch.setattr(trial, "asked", lambda *a, **m: _with(asked(*a, **m), settings))
    trial.call("PutKeyPolicy", KeyId=key_id, Policy=key_policy({"AWS": NOWHERE}))
    create_role(trial, {"AWS": NOWHERE})
    trial.call("CreateGrant", KeyId=key_id, Operations=["Encrypt"], GranteePrincipal=NOWHERE)


def _with(asked, settings):
    asked.settings = settings
    return asked


NOBODY = [None, {}, {"AWS": []}, {"AWS": [], "Service": []}]


@pytest.mark.parametrize("principal", NOBODY)
def test_a_trust_policy_that_names_nobody_is_refused_in_iams_words(trial, principal):
    with pytest.raises(MalformedPolicyDocument) as refused:
        create_role(trial, principal)
    assert refused.value.message == (
        "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
        "The passed in policy has a statement with no principals!"
    )


@pytest.mark.parametrize("principal", NOBODY[1:])
def test_a_key_policy_that_names_nobody_is_refused_in_the_words_of_kms(trial, key_id, principal):
    with pytest.raises(MalformedPolicyDocumentException, match="with no principal"):
        trial.call("PutKeyPolicy", KeyId=key_id, Policy=key_policy(principal))


def test_an_empty_list_beside_somebody_counts_as_nothing(trial, key_id):
    principal = {"AWS": [], "Service": "backup.amazonaws.com"}
    trial.call("PutKeyPolicy", KeyId=key_id, Policy=key_policy(principal))
    create_role(trial, principal)


PATHS = ["///", "/a//b/", "/:/", "/%/", "/user/role/", "/!~/"]


@pytest.mark.parametrize("path", PATHS)
def test_whoever_can_be_made_can_be_named(trial, key_id, path):
    alice = trial.call("CreateUser", service="iam", UserName="alice", Path=path).answer["User"]
    trial.call("PutKeyPolicy", KeyId=key_id, Policy=key_policy({"AWS": alice["Arn"]}))
    caller = trial.caller_named("alice")
    trial.call("Encrypt", reply_to, by=caller, KeyId=key_id, Plaintext=b"p")
    create_role(trial, {"AWS": alice["Arn"]})
    given = {"PolicySourceArn": alice["Arn"], "ActionNames": ["kms:Encrypt"]}
    trial.call("SimulatePrincipalPolicy", service="iam", **given)


@pytest.mark.parametrize("path", ["///", "/a//b/", "/:/", "/user/role/"])
def test_all_of_iam_works_with_any_path(trial, path):
    def moved(value):
        if isinstance(value, list):
            return [moved(one) for one in value]
        is_text = isinstance(value, str)
        return value.replace("/team/", path).replace("/staff/", path) if is_text else value

    def call(name, by=None, **given):
        if name != "CreatePolicy":  # managed policies have narrower paths
            given = {m: value if m == "PolicyArn" else moved(value) for m, value in given.items()}
        caller = by and trial.caller_named(by)
        return trial.call(name, reply_to, service="iam", by=caller, **given).answer

    iam_story(call)
