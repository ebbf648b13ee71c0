"""What IAM takes and refuses of identity policies, and in which order: see the IAM User Guide."""

import json

import pytest

from kagimori.rules.policy.document import Kind, MalformedPolicy, parse_policy

BUCKET = "arn:aws:s3:::bucket"
LEGACY = "The policy failed legacy parsing"
SYNTAX = "Syntax errors in policy."
VERSION = "Policy document must be version 2012-10-17 or greater."
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
MISSING = object()


def text(*statements, version="2012-10-17", **more):
    document = {
        "Version": version,
        "Statement": statements[0] if len(statements) == 1 else statements,
    }
    if version is MISSING:
        del document["Version"]
    return json.dumps({**document, **more})


def one(effect="Allow", action="s3:ListBucket", resource=BUCKET, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def without(name, **members):
    statement = one(**members)
    del statement[name]
    return statement


def dated(value, **members):
    return one(Condition={"DateLessThan": {"aws:CurrentTime": value}}, **members)


REFUSED = [
    (text(one(), version=MISSING), VERSION),
    (text(one(), version="2008-10-17"), VERSION),
    (text(one(), version="2013-10-17"), SYNTAX),
    (text(one("DENY"), version=MISSING), VERSION),
    (text(one("denY")), LEGACY),
    (text(one("maybe")), SYNTAX),
    (text(one(Condition={"Like": {"a": "1"}})), SYNTAX),
    (text(one(Condition={"ForAnyValue::StringEquals": {"a": "1"}})), SYNTAX),
    (text(dated("soon")), LEGACY),
    (text(dated("2016-13")), LEGACY),
    (text(dated("9223372036854775808")), LEGACY),
    (text(dated("2016-12-13t2:00:00.593194+1")), LEGACY),
    (text(dated("soon", resource="arn:error:s3:::bucket")), LEGACY),
    (text(one(resource="arn:aws:s3::bucket")), LEGACY),
    (text(one(resource=["arn:aws::::bucket"])), LEGACY),
    (text(without("Action", resource="arn:aws:s3::bucket")), LEGACY),
    (text(one(resource="nothing")), 'Resource nothing must be in ARN format or "*".'),
    (text(one(resource="")), 'Resource  must be in ARN format or "*".'),
    (text(one(action="a:b:c", resource="no")), 'Resource no must be in ARN format or "*".'),
    (
        text(one(resource="arn:aws")),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        text(one(resource="arn:aws-cn:s3:::b")),
        'Partition "aws-cn" is not valid for resource "arn:aws-cn:s3:::b".',
    ),
    (text(one(resource="a:b")), 'Partition "b" is not valid for resource "arn:b:*:*:*:*".'),
    (text(one(resource="aws:s3:::b")), 'Partition "s3" is not valid for resource "arn:s3:::b:*".'),
    (
        text(one(resource="arn:aws:iam:us-east-1::user/u")),
        "IAM resource arn:aws:iam:us-east-1::user/u cannot contain region information.",
    ),
    (
        text(one(resource="arn:aws:s3:us-east-1::b")),
        "Resource arn:aws:s3:us-east-1::b can not contain region information.",
    ),
    (
        text(one(resource="arn:aws:iam:::bucket")),
        (
            'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, '
            "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, "
            "oidc-provider/, report/, access-report/."
        ),
    ),
    (text(one(Sid="s"), one(Sid="s")), "Statement IDs (SID) in a single policy must be unique."),
    (text({"Effect": "Deny"}, one()), "Policy statement must contain actions."),
    (text(one(action=[])), "Policy statement must contain actions."),
    (text(one(action="ListBucket")), VENDOR),
    (text(without("Resource", action="ListBucket")), VENDOR),
    (text(one(action="a a:ListBucket")), "Vendor a a is not valid"),
    (text(one(action="s3:List:Bucket")), "Actions/Condition can contain only one colon."),
    (text(without("Resource")), "Policy statement must contain resources."),
]


@pytest.mark.parametrize(("written", "message"), REFUSED)
def test_iam_refuses_in_its_order_and_words(written, message):
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(written, Kind.IDENTITY)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "statement",
    [
        one(action="service-prefix:action-name"),
        one(action="iam: any thing "),
        one(action="s3.s:ListBucket"),
        one(action="*"),
        one(resource="arn:aws:nothing"),
        one(resource="arn:aws:iam::*:user/${aws:username}"),
        one(resource="arn:aws:iam::111122223333:*"),
        one(resource="arn:aws:s3:eu-central-1:111122223333:accesspoint/a"),
        one(Condition={}),
        one(Condition={"Like": {}}),
        one(Condition={"StringEquals": {"a": "b"}}),
        one(Condition={"DateGreaterThan": {"a": []}}),
        dated("01T"),
        dated("-292275054"),
        dated("2016-12-13t2:00:00.593194+23"),
        {"Effect": "Deny", "NotAction": "s3:ListBucket", "NotResource": "*"},
    ],
)
def test_iam_takes(statement):
    assert parse_policy(text(statement), Kind.IDENTITY).statements


def test_what_was_stored_is_read_whatever_its_version():
    written = text(one(resource="arn:aws:iam:::bucket"), version=MISSING)
    assert parse_policy(written, Kind.IDENTITY, stored=True).statements


SID = (
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
    "expression [0-9A-Za-z]*"
)
SIDS = ["with_underscore", "with space", "with-dash", "é", "a\n", "k\u212a", "1.2"]


@pytest.mark.parametrize("sid", SIDS)
def test_a_sid_of_iam_has_letters_and_digits_alone(sid):
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Sid": sid}
    for written, kind in ((text(one(Sid=sid)), Kind.IDENTITY), (text(trust), Kind.TRUST)):
        with pytest.raises(MalformedPolicy) as refused:
            parse_policy(written, kind)
        if sid.isascii() or sid == "é":
            assert str(refused.value) == SID


@pytest.mark.parametrize("sid", ["with_underscore", "with space", "with-dash", "é", "1.2", ""])
def test_a_sid_of_a_key_policy_may_have_more(sid):
    statement = one(action="kms:*", resource="*", Sid=sid, Principal="*")
    assert parse_policy(text(statement), Kind.KEY).statements[0].sid == sid


def test_a_sid_may_be_empty_in_each_statement():
    assert len(parse_policy(text(one(Sid=""), one(Sid="")), Kind.IDENTITY).statements) == 2
