"""What a policy may say and what is refused, row by row from the reference, 5.2, 9.1, 9.3, 23.1."""

import json

import pytest

from kagimori.rules.policy.document import (
    Kind,
    MalformedPolicy,
    parse_policy,
    pretty,
    principals_named,
)
from kagimori.rules.policy.json_text import NotJson
from kagimori.rules.refusal import (
    InvalidArnException,
    LimitExceededException,
    MalformedPolicyDocumentException,
)

A = "111122223333"
ROLE = f"arn:aws:iam::{A}:role/app/R"
BAD_ARN = "An ARN in the specified key policy is invalid."
NO_PRINCIPAL = "Policy contains a statement with no principal."
BAD_PRINCIPAL = "Policy contains a statement with one or more invalid principals."
REFUSED = (MalformedPolicyDocumentException, MalformedPolicy)


def policy(kind=Kind.KEY, *, drop=(), version="2012-10-17", **changed):
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:*", "Resource": "*"}
    if kind is Kind.IDENTITY:
        del statement["Principal"]
    if kind is Kind.TRUST:
        statement["Action"] = "sts:AssumeRole"
        del statement["Resource"]
    statement.update(changed)
    for name in drop:
        del statement[name]
    return json.dumps({"Version": version, "Statement": [statement]}, ensure_ascii=False)


def refusal(text, kind=Kind.KEY):
    with pytest.raises((*REFUSED, InvalidArnException)) as raised:
        parse_policy(text, kind)
    return raised.value


@pytest.mark.parametrize("kind", list(Kind))
def test_a_plain_policy_of_each_kind_is_taken(kind):
    assert len(parse_policy(policy(kind), kind).statements) == 1


@pytest.mark.parametrize(
    "element",
    [
        "*",
        {"AWS": "*"},
        {"AWS": A},
        {"AWS": f"arn:aws:iam::{A}:root"},
        {"AWS": f"arn:aws:iam::{A}:user/path/to/u"},
        {
            "AWS": [
                ROLE,
                f"arn:aws:sts::{A}:assumed-role/R/s@x",
                f"arn:aws:sts::{A}:federated-user/F",
            ]
        },
        {"Service": "backup.amazonaws.com"},
        {"AWS": ROLE, "Service": ["ec2.amazonaws.com", "delivery.logs.amazonaws.com"]},
    ],
)
def test_each_form_of_principal_is_taken(element):
    assert parse_policy(policy(Principal=element), Kind.KEY).statements[0].principals is not None


def test_arns_must_be_of_the_partition_that_a_policy_is_written_in():
    text = policy(Principal={"AWS": f"arn:aws-cn:iam::{A}:user/u"})
    assert parse_policy(text, Kind.KEY, partition="aws-cn")
    assert parse_policy(text, Kind.KEY, stored=True)
    assert type(refusal(text)) is InvalidArnException


@pytest.mark.parametrize(
    ("element", "error", "message"),
    [
        ({"AWS": f"arn:aws:iam::{A}:group/G"}, InvalidArnException, BAD_ARN),
        ({"AWS": f"arn:aws:iam::{A}:user/*"}, InvalidArnException, BAD_ARN),
        ({"AWS": "arn:aws:iam::1:role/R"}, InvalidArnException, BAD_ARN),
        ({"AWS": "arn:" + ":" * 20000}, InvalidArnException, BAD_ARN),
        ({"AWS": f"arn:aws:iam::{A}:ROLE/R"}, InvalidArnException, BAD_ARN),
        ({"AWS": "11112222333*"}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"AWS": "²" * 12}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"AWS": "AROAEXAMPLEEXAMPLE12"}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"AWS": []}, MalformedPolicyDocumentException, NO_PRINCIPAL),
        ({"AWS": [1]}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"Service": "*"}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"Federated": "accounts.google.com"}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({"CanonicalUser": "x"}, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        ({}, MalformedPolicyDocumentException, NO_PRINCIPAL),
        ("nobody", MalformedPolicyDocumentException, BAD_PRINCIPAL),
        (None, MalformedPolicyDocumentException, BAD_PRINCIPAL),
        (["*"], MalformedPolicyDocumentException, BAD_PRINCIPAL),
    ],
)
def test_a_bad_principal_is_refused_with_its_own_text(element, error, message):
    refused = refusal(policy(Principal=element))
    assert type(refused) is error
    assert str(refused) == message


def test_a_statement_without_principal_is_refused_as_such():
    assert str(refusal(policy(drop=["Principal"]))) == NO_PRINCIPAL
    assert str(refusal(policy(Principal={"AWS": [], "Service": []}))) == NO_PRINCIPAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"Statement": []}',
        '{"Statement": [1]}',
        '{"Statement": {}, "Statement": {}}',
        '{"Version": "2013-01-01", "Statement": []}',
        '{"Version": 2012, "Statement": []}',
        policy(Effect="allow"),
        policy(Effect=["Allow"]),
        policy(drop=["Effect"]),
        policy(drop=["Action"]),
        policy(drop=["Resource"]),
        policy(drop=["Principal"]),
        policy(Action=[]),
        policy(Resource=[]),
        policy(Action=1),
        policy(Action=None),
        policy(NotAction="kms:*"),
        policy(Sid=1),
        policy(Unknown="x"),
        policy(Condition=[]),
        policy(Condition={"StringEquals": "x"}),
        policy(Condition={"StringEquals": {"aws:a": None}}),
        policy(Condition={"StringEquals": {"aws:a": [["x"]]}}),
        policy(Condition={"StringEquals": {"aws:a": []}}),
        policy(Condition={"Nonsense": {"aws:a": "x"}}),
        policy(Condition={"NumericEquals": {"aws:a": "x"}}),
        policy(Condition={"StringEquals": {"aws:a": "NaN"}}).replace('"NaN"', "NaN"),
        policy(drop=["Principal"], NotPrincipal={"AWS": A}),
        policy(Effect="Deny", NotPrincipal={"AWS": A}),
        "[" * 30000,
        '{"a":' * 6000,
        policy(Sid="\u0100"),
        policy(Sid="\u212a"),
        '{"Statement": "\ud800"}',
    ],
)
def test_a_key_policy_without_sense_is_refused(text):
    assert type(refusal(text)) is MalformedPolicyDocumentException


@pytest.mark.parametrize(
    "text",
    [
        policy(Action="nonsense"),
        policy(Action=["kms:NoSuchAction", "*"]),
        policy(Resource="arn:aws:kms:us-east-1:444455556666:key/other"),
        policy(Resource="nonsense"),
        policy(Sid="spaces are allowed é"),
        policy(Effect="Deny", drop=["Principal"], NotPrincipal={"AWS": [A, ROLE]}),
        policy(Condition={"Bool": {"kms:GrantIsForAWSResource": True}}),
        policy(Condition={"NumericLessThan": {"kms:RotationPeriodInDays": 365}}),
        policy(version="2008-10-17", Condition={"StringEquals": {"aws:a": "${"}}),
    ],
)
def test_a_key_policy_that_is_only_useless_is_taken(text):
    assert parse_policy(text, Kind.KEY)


def test_scalars_compare_as_the_strings_they_are_written_as():
    text = policy(Condition={"StringEquals": {"aws:a": [True, 1, 1.50, "x"]}}).replace(
        "1.5,", "1.50,"
    )
    assert parse_policy(text, Kind.KEY).statements[0].conditions[0].operands == (
        "true",
        "1",
        "1.50",
        "x",
    )


def test_a_key_policy_holds_32768_bytes_and_not_one_more():
    text = policy()
    assert parse_policy(text + " " * (32768 - len(text)), Kind.KEY)
    with pytest.raises(LimitExceededException):
        parse_policy(text + " " * (32769 - len(text)), Kind.KEY)


@pytest.mark.parametrize(
    "key", ["kms:EncryptionContext:app", "KMS:encryptioncontext:x", "aws:RequestTag/k"]
)
def test_for_all_values_on_a_single_value_is_overly_permissive(key):
    refused = refusal(policy(Condition={"ForAllValues:StringEquals": {key: "x"}}))
    assert str(refused).startswith("OverlyPermissiveCondition: ")


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_is_text():
    written = policy(Sid="name")
    refused = refusal(written.replace("name", r"\udfff"))
    assert str(refused) == "This policy contains invalid Json"
    assert parse_policy(written.replace("name", r"\ud83d\udd11"), Kind.KEY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (policy(Kind.IDENTITY, Principal="*"), "Policy document should not specify a principal."),
        (policy(Kind.IDENTITY, drop=["Action"]), "Policy statement must contain actions."),
        (policy(Kind.IDENTITY, drop=["Resource"]), "Policy statement must contain resources."),
        (policy(Kind.IDENTITY, Resource="key/x"), 'Resource key/x must be in ARN format or "*".'),
        (
            policy(Kind.IDENTITY, Resource="arn:aws:*"),
            "Vendor must be fully qualified and cannot contain regexes.",
        ),
        (
            policy(Kind.IDENTITY, Action="encrypt"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
    ],
)
def test_iam_refuses_with_its_own_texts(text, message):
    refused = refusal(text, Kind.IDENTITY)
    assert type(refused) is MalformedPolicy
    assert str(refused) == message


@pytest.mark.parametrize(
    "text",
    [
        policy(Kind.IDENTITY, Sid="with space"),
        policy(Kind.IDENTITY, Resource="arn:aws:kms:*:${aws:PrincipalAccount}:key/*"),
        policy(Kind.IDENTITY, Resource="arn:aws:kms:*:*:key/${oops"),
        json.dumps({"Statement": [json.loads(policy(Kind.IDENTITY, Sid="s"))["Statement"][0]] * 2}),
    ],
)
def test_iam_refuses_what_a_key_policy_might_say(text):
    assert type(refusal(text, Kind.IDENTITY)) is MalformedPolicy


@pytest.mark.parametrize(
    "text",
    [
        policy(Kind.TRUST, Resource="*"),
        policy(Kind.TRUST, Action="kms:Encrypt"),
        policy(Kind.TRUST, Principal={"AWS": "nobody"}),
        policy(Kind.TRUST, Effect="Deny", drop=["Principal"], NotPrincipal={"AWS": A}),
    ],
)
def test_a_trust_policy_speaks_of_sts_and_names_whom_it_trusts(text):
    assert type(refusal(text, Kind.TRUST)) is MalformedPolicy


def test_a_trust_policy_may_name_an_identity_provider():
    text = policy(Kind.TRUST, Principal={"Federated": "accounts.google.com"})
    assert parse_policy(text, Kind.TRUST).statements[0].principals.federated == {
        "accounts.google.com"
    }


def test_stored_text_is_read_though_it_would_not_be_taken_today():
    for text in (
        policy(drop=["Action"]),
        policy(drop=["Resource"]),
        policy(Condition={"Nonsense": {"a": "x"}}),
    ):
        assert parse_policy(text, Kind.KEY, stored=True)
    assert parse_policy(policy(Principal={"AWS": "AROAEXAMPLEEXAMPLE12"}), Kind.KEY, stored=True)


def test_the_principals_that_must_exist_are_listed():
    text = policy(Principal={"AWS": [A, ROLE, "*"], "Service": "ec2.amazonaws.com"})
    assert principals_named(parse_policy(text, Kind.KEY)) == {ROLE}


def test_a_policy_is_printed_as_jackson_prints():
    sent = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"a\\"é","Effect":"Allow","Principal":{"AWS":["111122223333"'
        ',"'
        + ROLE
        + '"]},"Action":["kms:*"],"Resource":"*","Condition":{"NumericEquals":{"aws:n":1.50}}},'
        '{"x":[],"y":{},"z":true}]}'
    )
    assert pretty(sent, "aws", {ROLE: "AROAEXAMPLEEXAMPLE12"}) == (
        '{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n    "Sid" : "a\\"é",\n    "Effect" : "Allow",\n'
        '    "Principal" : {\n      "AWS" : [ "arn:aws:iam::111122223333:root", "AROAEXAMPLEEXAMPLE12" ]\n    },\n'
        '    "Action" : [ "kms:*" ],\n    "Resource" : "*",\n    "Condition" : {\n      "NumericEquals" : {\n'
        '        "aws:n" : 1.50\n      }\n    }\n  }, {\n    "x" : [ ],\n    "y" : { },\n    "z" : true\n  } ]\n}'
    )


def test_printing_again_changes_nothing():
    assert pretty(pretty(policy(), "aws"), "aws") == pretty(policy(), "aws")


def test_text_that_is_not_json_cannot_be_printed():
    with pytest.raises(NotJson):
        pretty("{", "aws")
