"""Policies of a request are parsed for those alone whom it is allowed: anybody may send one."""

import pytest

from kagimori.operations.registry import OPERATIONS
from kagimori.rules.identity.refusals import PackedPolicyTooLarge
from kagimori.rules.policy import document
from kagimori.rules.refusal import Refusal
from kit.trial import ACCOUNT, MODELS, Trial
from model_samples import least_request, members_of

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
POLICY = '{"Version":"2012-10-17","Statement":[]}'
_SAMPLES = {
    "RoleArn": ROLE,
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p",
    "PolicySourceArn": USER,
    "KeyId": "12345678-1234-1234-1234-123456789012",
    "ReplicaRegion": "eu-west-1",
}
# Their callers are known by what the request itself shows, and need no permission.
_OF_NOBODY = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


def with_policies():
    """Yield each operation that takes a policy, and the members that are policies."""
    for service in ("kms", "iam", "sts"):
        for operation in MODELS[service].operations:
            taken = {
                name: POLICY if shape.type_name == "string" else [POLICY]
                for name, shape in members_of(service, operation).items()
                if name in ("Policy", "ResourcePolicy")
                or "PolicyDocument" in name
                or (name.endswith("PolicyInputList") and shape.member.type_name == "string")
            }
            if taken and (service, operation) in OPERATIONS and operation not in _OF_NOBODY:
                yield service, operation, taken


CASES = list(with_policies())


def test_there_are_such_operations():
    assert {"AssumeRole", "PutKeyPolicy", "CreateRole", "SimulateCustomPolicy"} <= {
        operation for _, operation, _ in CASES
    }


@pytest.mark.parametrize(("service", "operation", "policies"), CASES, ids=str)
def test_a_policy_is_not_parsed_for_who_may_not(service, operation, policies, monkeypatch):
    trial = Trial()
    stranger = trial.user("mallory")
    given = {**least_request(service, operation), **policies}
    given |= {name: one for name, one in _SAMPLES.items() if name in given}
    parsed, read_text = [], document._read_text

    def noting(text):
        parsed.append(text)
        return read_text(text)

    monkeypatch.setattr(document, "_read_text", noting)
    with pytest.raises(Refusal) as refused:
        trial.call(operation, service=service, by=stranger, **given)
    assert refused.value.code in ("AccessDenied", "AccessDeniedException", "NotFoundException")
    assert POLICY not in parsed


def test_its_size_is_looked_at_first():
    """Where the service model has no bound of its own."""
    trial = Trial()
    stranger = trial.user("mallory")
    given = {**least_request("sts", "AssumeRole"), "Policy": "x" * 2049, "RoleArn": ROLE}
    with pytest.raises(PackedPolicyTooLarge):
        trial.call("AssumeRole", service="sts", by=stranger, **given)
