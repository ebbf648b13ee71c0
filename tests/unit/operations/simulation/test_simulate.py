"""The policy simulator, step by step."""

import json

import pytest

from kagimori.rules.identity.refusals import InvalidInput, NoSuchEntity
from kagimori.rules.refusal import AccessDeniedException
from kit.trial import ACCOUNT, Trial, allow, deny

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def trial():
    made = Trial()
    made.user("alice", allow("kms:Encrypt", "kms:Decrypt"), deny("kms:Decrypt"))
    return made


def decisions(trial, name="SimulatePrincipalPolicy", **members):
    answer = trial.call(name, service="iam", **members).answer
    return {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}


def test_a_principal_is_simulated_with_what_it_has(trial):
    found = decisions(
        trial,
        PolicySourceArn=ALICE,
        ActionNames=["kms:Encrypt", "kms:Decrypt", "kms:CreateKey"],
    )
    assert found == {
        "kms:Encrypt": "allowed",
        "kms:Decrypt": "explicitDeny",
        "kms:CreateKey": "implicitDeny",
    }


def test_policies_that_are_given_count_beside_those_there_are(trial):
    found = decisions(
        trial,
        PolicySourceArn=ALICE,
        ActionNames=["kms:CreateKey"],
        PolicyInputList=[policy(allow("kms:CreateKey"))],
    )
    assert found == {"kms:CreateKey": "allowed"}


def test_a_boundary_that_is_given_limits_what_there_is(trial):
    found = decisions(
        trial,
        PolicySourceArn=ALICE,
        ActionNames=["kms:Encrypt"],
        PermissionsBoundaryPolicyInputList=[policy(allow("iam:*"))],
    )
    assert found == {"kms:Encrypt": "implicitDeny"}


def test_a_custom_policy_needs_nobody_to_have_it(trial):
    found = decisions(
        trial,
        "SimulateCustomPolicy",
        ActionNames=["s3:GetObject"],
        PolicyInputList=[policy(allow("s3:Get*"))],
    )
    assert found == {"s3:GetObject": "allowed"}


@pytest.mark.parametrize(
    ("arn", "refusal"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/nobody", NoSuchEntity),
        (f"arn:aws:iam::{ACCOUNT}:thing/alice", InvalidInput),
    ],
)
def test_a_principal_that_is_none_is_refused(trial, arn, refusal):
    with pytest.raises(refusal):
        decisions(trial, PolicySourceArn=arn, ActionNames=["kms:Encrypt"])


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_who_may_not_simulate_does_not_learn_who_exists(trial, name):
    with pytest.raises(AccessDeniedException):
        decisions(
            trial,
            by=trial.user("bob"),
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/{name}",
            ActionNames=["kms:Encrypt"],
        )


def test_context_keys_are_those_that_the_policies_ask_for(trial):
    asking = {**allow("kms:*"), "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    answer = trial.call(
        "GetContextKeysForCustomPolicy", service="iam", PolicyInputList=[policy(asking)]
    ).answer
    assert answer["ContextKeyNames"] == ["aws:SecureTransport"]
