"""The managed policies of AWS: those that tools name are there, and each can be read."""

import pytest

from kagimori.rules.identity.aws_managed import aws_managed_policies, aws_managed_policy
from kagimori.rules.policy.document import Kind, parse_policy


@pytest.mark.parametrize(
    "name",
    [
        "AWSDenyAll",
        "AdministratorAccess",
        "IAMFullAccess",
        "IAMReadOnlyAccess",
        "PowerUserAccess",
        "ReadOnlyAccess",
        "SecurityAudit",
        "job-function/ViewOnlyAccess",
        "service-role/AWSLambdaBasicExecutionRole",
    ],
)
def test_what_tools_attach_is_there(name):
    arn = f"arn:aws:iam::aws:policy/{name}"
    assert aws_managed_policy(arn).arn == arn


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_each_is_a_policy_that_iam_takes_and_has_an_id_of_its_own(partition):
    policies = aws_managed_policies(partition)
    assert len({policy.unique_id for policy in policies}) == len(policies)
    for policy in policies:
        assert parse_policy(policy.default.text, Kind.IDENTITY, partition=partition).statements
