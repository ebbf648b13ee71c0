"""STS, step by step."""

import json

import pytest

from kagimori.gate.may_they import authorize_all
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.replies import NewSession
from kit.trial import ACCOUNT, Trial, allow

SESSION = NewSession("secret", b"token")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
        "Action": "sts:AssumeRole",
    },
}


@pytest.fixture
def trial():
    made = Trial()
    made.user("alice", allow("sts:AssumeRole"))
    made.call("CreateRole", service="iam", RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    return made


def decided(trial, name, by, **members):
    """Return the facts of a call up to its command, once it is allowed."""
    operation = OPERATIONS["sts", name]
    asked = trial.asked(name, service="sts", by=by, **members)
    facts = operation.look_up(asked)
    authorize_all(asked, facts.needs)
    return operation.read(asked, facts)


def test_everybody_learns_who_they_are(trial):
    alice = trial.user("alice")
    tried = trial.call("GetCallerIdentity", service="sts", by=alice)
    assert tried.answer["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert tried.needs == []


def test_a_session_begins_now_and_ends_in_an_hour(trial):
    alice = trial.user("alice", allow("sts:AssumeRole"))
    facts = decided(trial, "AssumeRole", alice, RoleArn=ROLE, RoleSessionName="session")
    assert (facts.session.issued_at, facts.session.expires_at) == (trial.now, trial.now + 3600)
    assert facts.session.session_name == "session"
    assert facts.access_key_id.startswith("ASIA")


@pytest.mark.parametrize("role", [ROLE, ROLE + "2"])
def test_who_may_not_assume_a_role_does_not_learn_whether_it_exists(trial, role):
    bob = trial.user("bob")
    with pytest.raises(AccessDeniedException, match="not authorized to perform: sts:AssumeRole"):
        decided(trial, "AssumeRole", bob, RoleArn=role, RoleSessionName="session")


def test_a_longer_session_than_the_role_allows_is_refused(trial):
    alice = trial.user("alice", allow("sts:AssumeRole"))
    with pytest.raises(ValidationError):
        decided(
            trial,
            "AssumeRole",
            alice,
            RoleArn=ROLE,
            RoleSessionName="session",
            DurationSeconds=43_200,
        )


def test_a_user_gets_a_session_of_its_own_and_a_session_gets_none(trial):
    alice = trial.user("alice")
    tried = trial.call("GetSessionToken", SESSION, service="sts", by=alice, DurationSeconds=900)
    assert tried.needs == []
    made = tried.answer["Credentials"]
    assert made["SecretAccessKey"] == "secret"
    assert made["Expiration"] == trial.now + 900
    assert "secret" not in str(tried.outcome.response_elements)


def test_a_federated_user_has_a_name_and_no_more_than_its_maker(trial):
    alice = trial.user("alice", allow("sts:GetFederationToken"))
    tried = trial.call("GetFederationToken", SESSION, service="sts", by=alice, Name="bob")
    assert tried.answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    with pytest.raises(AccessDeniedException):
        trial.call("GetFederationToken", service="sts", by=trial.user("carol"), Name="bob")
