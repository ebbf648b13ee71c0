"""boto3 and IAM's policy simulator: the evaluator that decides, asked in advance.

Source: the model of IAM (2010-05-08), SimulateCustomPolicy and SimulatePrincipalPolicy.
"""

import json

import pytest

from kagimori.operations.simulation.values import Entries
from serving import refused

FOREIGN_USER = "arn:aws:iam::444455556666:user/bob"
NOBODY = "nobody-of-that-name"


@pytest.fixture(scope="module")
def iam(server):
    client = server.client("iam")
    yield client
    client.close()


@pytest.fixture
def alice(iam):
    """A user, gone afterwards with what it has."""
    user = iam.create_user(UserName="alice-simulated", Tags=[{"Key": "team", "Value": "red"}])
    yield user["User"]
    for name in iam.list_user_policies(UserName="alice-simulated")["PolicyNames"]:
        iam.delete_user_policy(UserName="alice-simulated", PolicyName=name)
    iam.delete_user(UserName="alice-simulated")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action="kms:*", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action="kms:*", resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def entry(key, *values, kind="string"):
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": kind}


def custom(iam, *policies, action="s3:GetObject", **more):
    """Return the one result of a simulation."""
    answer = iam.simulate_custom_policy(
        PolicyInputList=list(policies), ActionNames=[action], **more
    )
    assert answer["IsTruncated"] is False
    (result,) = answer["EvaluationResults"]
    return result


# --- policies given -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([allow("s3:*")], "allowed"),
        ([allow("s3:Put*")], "implicitDeny"),
        ([allow("s3:*"), deny("s3:Get*")], "explicitDeny"),
        ([deny("s3:Get*")], "explicitDeny"),
    ],
)
def test_the_three_decisions(iam, statements, decision):
    assert custom(iam, policy(*statements))["EvalDecision"] == decision


def test_the_statement_that_decides_is_told_with_its_place(iam):
    text = '{"Version": "2012-10-17", "Statement": [' + json.dumps(allow("s3:*")) + "]}"
    result = custom(iam, policy(allow("ec2:*")), text)
    assert result["MatchedStatements"] == [
        {
            "SourcePolicyId": "PolicyInputList.2",
            "SourcePolicyType": "none",
            "StartPosition": {"Line": 1, "Column": 41},
            "EndPosition": {"Line": 1, "Column": 41 + len(json.dumps(allow("s3:*")))},
        }
    ]
    assert result["EvalResourceName"] == "*"
    assert "ResourceSpecificResults" not in result
    assert "EvalDecisionDetails" not in result


def test_a_deny_is_the_only_statement_told(iam):
    result = custom(iam, policy(allow("s3:*"), deny("s3:*")))
    assert len(result["MatchedStatements"]) == 1


def test_each_resource_is_told_and_the_most_restrictive_decides(iam):
    arns = [f"arn:aws:s3:::bucket/{name}" for name in ("a", "b", "c")]
    statements = [allow("s3:*", arns[:2]), deny("s3:*", arns[1])]
    result = custom(iam, policy(*statements), ResourceArns=arns)
    each = {one["EvalResourceName"]: one for one in result["ResourceSpecificResults"]}
    decisions = [each[arn]["EvalResourceDecision"] for arn in arns]
    assert decisions == ["allowed", "explicitDeny", "implicitDeny"]
    assert result["EvalDecision"] == "explicitDeny"
    assert result["EvalDecisionDetails"] == {}


def test_a_boundary_is_told(iam):
    given = {"PermissionsBoundaryPolicyInputList": [policy(allow("ec2:*"))]}
    result = custom(iam, policy(allow("s3:*")), **given)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    result = custom(iam, policy(allow("ec2:*")), action="ec2:Run", **given)
    assert result["EvalDecision"] == "allowed"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}


@pytest.mark.parametrize(
    ("levels", "decision"),
    [
        ([[allow("*")], [allow("s3:*")]], "allowed"),
        ([[allow("*")], [allow("ec2:*")]], "implicitDeny"),
        ([[allow("*"), deny("s3:*")], [allow("*")]], "explicitDeny"),
    ],
)
def test_every_level_of_an_organization_must_allow(iam, levels, decision):
    given = [{"ServiceControlPolicyInputList": [policy(*level)]} for level in levels]
    result = custom(iam, policy(allow("s3:*")), OrderedOrganizationPolicyInputList=given)
    assert result["EvalDecision"] == decision
    allowed = decision == "allowed"
    assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": allowed}


# --- context --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "key", "operand", "kind", "value"),
    [
        ("StringEquals", "aws:UserAgent", "x", "string", "x"),
        ("NumericLessThan", "s3:max-keys", "10", "numeric", "9"),
        ("Bool", "aws:SecureTransport", "true", "boolean", "true"),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", "ip", "10.1.2.3"),
        ("DateLessThan", "aws:TokenIssueTime", "2026-01-01T00:00:00Z", "date", "2025-01-01"),
        ("BinaryEquals", "aws:Bytes", "AQID", "binary", "AQID"),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "a", "stringList", "a"),
    ],
)
def test_context_entries_of_every_type(iam, operator, key, operand, kind, value):
    text = policy(allow("s3:*", Condition={operator: {key: operand}}))
    assert custom(iam, text)["EvalDecision"] == "implicitDeny"
    assert custom(iam, text)["MissingContextValues"] == [key]
    given = [entry(key.upper(), value, kind=kind)]
    result = custom(iam, text, ContextEntries=given)
    assert result["EvalDecision"] == "allowed"
    assert result["MissingContextValues"] == []


@pytest.mark.parametrize(
    "given",
    [
        entry("s3:max-keys", "nine", kind="numeric"),
        entry("aws:SecureTransport", "perhaps", kind="boolean"),
        entry("aws:SourceIp", "10.0.0", kind="ip"),
        entry("aws:UserAgent", "a", "b"),
        {"ContextKeyType": "string"},
    ],
)
def test_values_of_another_type_are_refused(iam, given):
    with refused("InvalidInput"):
        custom(iam, policy(allow()), ContextEntries=[given])


def test_missing_keys_are_those_of_statements_about_the_action_and_resource(iam):
    elsewhere = allow("ec2:*", Condition={"StringEquals": {"aws:UserAgent": "x"}})
    here = allow("s3:*", Condition={"StringLike": {"aws:Referer": "${aws:username}*"}})
    result = custom(iam, policy(elsewhere, here))
    assert result["MissingContextValues"] == ["aws:Referer", "aws:username"]
    result = custom(iam, policy(elsewhere, {**here, "Resource": "arn:aws:s3:::b"}))
    assert result["MissingContextValues"] == []


# --- resource policies ----------------------------------------------------------------------------


def bucket_policy(arn):
    return policy({**allow("s3:*", "arn:aws:s3:::b/*"), "Principal": {"AWS": arn}})


def test_a_resource_policy_of_the_same_account_is_enough(iam, server):
    user = f"arn:aws:iam::{server.account}:user/{NOBODY}"
    result = custom(
        iam,
        policy(allow("ec2:*")),
        ResourceArns=["arn:aws:s3:::b/x"],
        ResourcePolicy=bucket_policy(user),
        CallerArn=user,
    )
    assert result["EvalDecision"] == "allowed"
    assert [one["SourcePolicyType"] for one in result["MatchedStatements"]] == ["resource"]


def test_across_accounts_both_must_allow(iam, server):
    given = {
        "ResourceArns": ["arn:aws:s3:::b/x"],
        "ResourcePolicy": bucket_policy(FOREIGN_USER),
        "CallerArn": FOREIGN_USER,
        "ResourceOwner": f"arn:aws:iam::{server.account}:root",
    }
    result = custom(iam, policy(allow("ec2:*")), **given)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {
        "IAM Policy": "implicitDeny",
        "Resource Policy": "allowed",
    }
    assert custom(iam, policy(allow("s3:*")), **given)["EvalDecision"] == "allowed"


def test_a_key_policy_given_takes_the_place_of_the_keys_own(iam, server, shared_key):
    user = f"arn:aws:iam::{server.account}:user/{NOBODY}"
    given = {"action": "kms:Decrypt", "ResourceArns": [shared_key], "CallerArn": user}
    assert custom(iam, policy(allow()), **given)["EvalDecision"] == "allowed"
    nobody = policy({**allow(), "Principal": {"AWS": FOREIGN_USER}})
    result = custom(iam, policy(allow()), ResourcePolicy=nobody, **given)
    assert result["EvalDecision"] == "implicitDeny"


# --- keys of ours ---------------------------------------------------------------------------------


def test_the_key_policy_and_its_grants_count(iam, kms, alice, key):
    def decision(**more):
        answer = iam.simulate_principal_policy(
            PolicySourceArn=alice["Arn"], ActionNames=["kms:decrypt"], ResourceArns=[key], **more
        )
        return answer["EvaluationResults"][0]

    assert decision()["EvalDecision"] == "implicitDeny"
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=alice["Arn"],
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": {"Dept": "Finance"}},
    )
    assert decision()["EvalDecision"] == "implicitDeny"
    context = [entry("kms:EncryptionContext:Dept", "Finance")]
    result = decision(ContextEntries=context)
    assert result["EvalDecision"] == "allowed"
    assert [one["SourcePolicyId"] for one in result["MatchedStatements"]] == [
        f"grant/{grant['GrantId']}"
    ]
    written = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    written["Statement"].append({**deny(), "Principal": {"AWS": alice["Arn"]}})
    kms.put_key_policy(KeyId=key, Policy=json.dumps(written))
    result = decision(ContextEntries=context)
    assert result["EvalDecision"] == "explicitDeny"
    (matched,) = result["ResourceSpecificResults"][0]["MatchedStatements"]
    assert matched["SourcePolicyId"] == key
    assert matched["SourcePolicyType"] == "resource"
    lines = kms.get_key_policy(KeyId=key)["Policy"].splitlines()
    assert (
        lines[matched["StartPosition"]["Line"] - 1][: matched["StartPosition"]["Column"]][-1] == "{"
    )


def test_the_simulation_tells_what_the_request_then_is_answered(iam, server, kms, alice, key):
    access = iam.create_access_key(UserName=alice["UserName"])["AccessKey"]
    client = server.client(access_key=access["AccessKeyId"], secret=access["SecretAccessKey"])
    tagged = allow(
        "kms:DescribeKey",
        Condition={"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}},
    )
    iam.put_user_policy(
        UserName=alice["UserName"], PolicyName="by-tag", PolicyDocument=policy(tagged)
    )

    def decision():
        answer = iam.simulate_principal_policy(
            PolicySourceArn=alice["Arn"], ActionNames=["kms:DescribeKey"], ResourceArns=[key]
        )
        return answer["EvaluationResults"][0]["EvalDecision"]

    assert decision() == "implicitDeny"
    with refused("AccessDeniedException"):
        client.describe_key(KeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "red"}])
    assert decision() == "allowed"
    client.describe_key(KeyId=key)
    client.close()
    iam.delete_access_key(UserName=alice["UserName"], AccessKeyId=access["AccessKeyId"])


def test_keys_of_other_accounts_are_judged_by_iam_alone(iam):
    foreign = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    result = custom(iam, policy(allow()), action="kms:Decrypt", ResourceArns=[foreign])
    assert result["EvalDecision"] == "allowed"


# --- policies that are attached -------------------------------------------------------------------


def test_where_policies_are_from_is_told(iam, alice):
    iam.put_user_policy(
        UserName=alice["UserName"], PolicyName="mine", PolicyDocument=policy(allow("s3:*"))
    )
    answer = iam.simulate_principal_policy(
        PolicySourceArn=alice["Arn"],
        PolicyInputList=[policy(allow("s3:Get*"))],
        ActionNames=["s3:GetObject"],
    )
    (result,) = answer["EvaluationResults"]
    told = {one["SourcePolicyId"]: one["SourcePolicyType"] for one in result["MatchedStatements"]}
    assert told == {"user_alice-simulated_mine": "user", "PolicyInputList.1": "none"}


@pytest.mark.parametrize(
    "identifier",
    [
        {"PolicyType": "inline"},
        {
            "InlinePolicyIdentifier": {
                "PolicyName": "mine",
                "AttachmentType": "user",
                "AttachmentName": "alice-simulated",
            }
        },
    ],
)
def test_policies_can_be_left_out(iam, alice, identifier):
    iam.put_user_policy(
        UserName=alice["UserName"], PolicyName="mine", PolicyDocument=policy(allow("s3:*"))
    )
    asked = {"PolicySourceArn": alice["Arn"], "ActionNames": ["s3:GetObject"]}
    answer = iam.simulate_principal_policy(**asked, PolicyExclusionList=[identifier])
    assert answer["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    answer = iam.simulate_principal_policy(**asked)
    assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


def test_context_keys_are_listed(iam, alice):
    written = allow(
        "s3:*",
        "arn:aws:s3:::b/${aws:username}/*",
        Condition={
            "StringEquals": {"aws:UserAgent": "x"},
            "Bool": {"AWS:useragent": "true", "aws:SecureTransport": "true"},
        },
    )
    keys = ["aws:UserAgent", "aws:SecureTransport", "aws:username"]
    found = iam.get_context_keys_for_custom_policy(PolicyInputList=[policy(written)])
    assert found["ContextKeyNames"] == keys
    iam.put_user_policy(
        UserName=alice["UserName"], PolicyName="mine", PolicyDocument=policy(written)
    )
    more = policy(allow(Condition={"Null": {"aws:Referer": "true"}}))
    found = iam.get_context_keys_for_principal_policy(
        PolicySourceArn=alice["Arn"], PolicyInputList=[more]
    )
    assert found["ContextKeyNames"] == [*keys, "aws:Referer"]


# --- pages and refusals ---------------------------------------------------------------------------


def test_pages(iam):
    actions = [f"s3:Get{number}" for number in range(7)]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[policy(allow("s3:*"))],
        ActionNames=actions,
        PaginationConfig={"PageSize": 3},
    )
    found = [one["EvalActionName"] for page in pages for one in page["EvaluationResults"]]
    assert found == actions


def test_a_page_is_shorter_where_there_is_much_to_weigh(iam):
    actions = [f"s3:Get{number}" for number in range(20)]
    many = policy(*[allow(f"s3:Put{number}") for number in range(100)])
    given = {"PolicyInputList": [many], "ActionNames": actions}
    arns = [f"arn:aws:s3:::b/{number}" for number in range(100)]
    answer = iam.simulate_custom_policy(**given, ResourceArns=arns)
    assert (len(answer["EvaluationResults"]), answer["IsTruncated"]) == (5, True)
    with refused("InvalidInput"):
        iam.simulate_custom_policy(**{**given, "PolicyInputList": [many] * 6}, ResourceArns=arns)


@pytest.mark.parametrize(
    "more",
    [
        {"PolicyInputList": ["{"]},
        {"PolicyInputList": [policy({"Effect": "Allow"})]},
        {"ActionNames": ["s3:*"]},
        {"ActionNames": ["GetObject"]},
        {"ResourceArns": ["bucket"]},
        {"ResourceArns": ["arn:aws:s3:::b"] * 101},
        {"ResourceOwner": "alice"},
        {"ResourceHandlingOption": "EC2-Classic"},
        {"ResourceHandlingOption": "EC2-VPC-EBS"},
        {"CallerArn": "arn:aws:sts::444455556666:assumed-role/R/s"},
        {"ResourcePolicy": bucket_policy(FOREIGN_USER)},
        {"ResourcePolicy": "{}", "CallerArn": FOREIGN_USER},
        {
            "ResourcePolicy": bucket_policy(FOREIGN_USER),
            "CallerArn": FOREIGN_USER,
            "ResourceArns": ["arn:aws:iam::444455556666:role/R"],
        },
        {"PermissionsBoundaryPolicyInputList": [policy(allow())] * 2},
        {"Marker": "elsewhere"},
    ],
)
def test_what_is_no_simulation(iam, more):
    good = {"PolicyInputList": [policy(allow())], "ActionNames": ["s3:GetObject"]}
    with refused("InvalidInput"):
        iam.simulate_custom_policy(**{**good, **more})


@pytest.mark.parametrize("noun", ["user", "group", "role"])
def test_nobody_of_that_name(iam, server, noun):
    arn = f"arn:aws:iam::{server.account}:{noun}/{NOBODY}"
    message = f"The {noun} with name {NOBODY} cannot be found."
    with refused("NoSuchEntity", message, status=404):
        iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])
    with refused("NoSuchEntity", message, status=404):
        iam.get_context_keys_for_principal_policy(PolicySourceArn=arn)


def test_the_root_user_has_no_policies(iam, server):
    arn = f"arn:aws:iam::{server.account}:root"
    message = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
    with refused("InvalidInput", message):
        iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])


def test_simulating_needs_permission(iam, server, alice):
    access = iam.create_access_key(UserName=alice["UserName"])["AccessKey"]
    client = server.client(
        "iam", access_key=access["AccessKeyId"], secret=access["SecretAccessKey"]
    )
    with refused("AccessDenied", status=403):
        client.simulate_principal_policy(PolicySourceArn=alice["Arn"], ActionNames=["s3:GetObject"])
    with refused("AccessDenied", status=403):
        client.simulate_custom_policy(
            PolicyInputList=[policy(allow())], ActionNames=["s3:GetObject"]
        )
    client.close()
    iam.delete_access_key(UserName=alice["UserName"], AccessKeyId=access["AccessKeyId"])


def test_a_page_has_so_many_questions_and_no_more(iam):
    arns = [f"arn:aws:s3:::b/{number}" for number in range(100)]
    asked = {"ActionNames": [f"s3:A{n}" for n in range(50)], "ResourceArns": arns}
    answer = iam.simulate_custom_policy(PolicyInputList=[policy(allow("s3:*"))], **asked)
    assert (len(answer["EvaluationResults"]), answer["IsTruncated"]) == (20, True)


def test_the_encryption_context_is_put_together_once():
    class Entry:
        ContextKeyType, ContextKeyValues = "string", ["red"]
        ContextKeyName = "kms:EncryptionContext:team"

    entries = Entries([Entry])
    assert entries.encryption_context() is entries.encryption_context()
    assert entries.encryption_context() == {"team": "red"}


def test_a_simulation_never_takes_a_worker_for_long(iam):
    patterns = policy(allow("s3:*", [f"arn:aws:s3:::*{n}*a*b" for n in range(2000)]))
    asked = {"ActionNames": [f"s3:A{n}" for n in range(1000)], "MaxItems": 1000}
    page = iam.simulate_custom_policy(PolicyInputList=[patterns], **asked)
    assert page["IsTruncated"]
    assert 1 <= len(page["EvaluationResults"]) < 1000
    following = iam.simulate_custom_policy(
        PolicyInputList=[patterns], Marker=page["Marker"], **asked
    )
    number = len(page["EvaluationResults"])
    assert following["EvaluationResults"][0]["EvalActionName"] == f"s3:A{number}"
    values = {"ContextKeyName": "aws:x", "ContextKeyValues": ["a"] * 3000}
    with refused("InvalidInput"):
        iam.simulate_custom_policy(
            PolicyInputList=[patterns],
            ContextEntries=[{**values, "ContextKeyType": "stringList"}],
            **asked,
        )
