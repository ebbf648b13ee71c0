"""What `kagimori why` is told: for each statement, the elements that did not fit."""

import json

from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import Effect, compile_policy, evaluate
from kagimori.rules.policy.explain import Element, explain
from unit.rules.policy.cast import KEY, compiled, naming, question, role_arn, statement, user


def test_every_element_that_did_not_fit_is_told():
    policy = compiled(
        {
            **naming(role_arn(), action="kms:Decrypt", resource=KEY + "x"),
            "Condition": {
                "StringEquals": {"aws:UserAgent": "a", "aws:Referer": "r"},
                "Bool": {"aws:SecureTransport": "true"},
            },
        },
        kind=Kind.KEY,
    )
    asked = question(values={"aws:useragent": "b", "aws:securetransport": "true"})
    (trace,) = explain(policy, asked, user()).statements
    told = [(m.element, m.condition.key if m.condition else "", m.found) for m in trace.misfits]
    assert told == [
        (Element.ACTION, "", ("kms:Encrypt",)),
        (Element.RESOURCE, "", (KEY,)),
        (Element.PRINCIPAL, "", tuple(name for _kind, name in user().names)),
        (Element.CONDITION, "aws:UserAgent", ("b",)),
        (Element.CONDITION, "aws:Referer", ()),
    ]


def test_the_statement_that_decided_is_told_with_its_policy():
    policy = compiled(statement(), statement("Deny", Sid="no"))
    explained = explain(policy, question())
    assert explained.finding.effect is Effect.DENY
    assert explained.finding.statement.written.sid == "no"
    assert [trace.misfits for trace in explained.statements] == [(), ()]


def test_a_value_that_cannot_be_had_is_shown_as_none():
    def broken():
        raise RuntimeError

    policy = compiled(statement(Condition={"StringEquals": {"aws:UserAgent": "a"}}))
    (trace,) = explain(policy, question(values={"aws:useragent": broken})).statements
    assert trace.misfits[0].found == ()


def allowed_on(resource, written, *, version="2012-10-17", values=None):
    text = json.dumps({"Version": version, "Statement": [written]})
    policy = compile_policy(parse_policy(text, Kind.IDENTITY, stored=True))
    return evaluate(policy, question(resource=resource, values=values)).effect


def test_variables_in_a_resource_are_data_and_without_value_name_nothing():
    pattern = "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"
    one = statement(resource=pattern)
    tag = {"aws:principaltag/key": "abc"}
    assert allowed_on("arn:aws:kms:r:1:key/abc", one, values=tag) is Effect.ALLOW
    assert (
        allowed_on("arn:aws:kms:r:1:key/abc", one, values={"aws:principaltag/key": "*"})
        is Effect.NONE
    )
    assert allowed_on("arn:aws:kms:r:1:key/abc", one) is Effect.NONE
    assert (
        allowed_on("arn:aws:kms:r:1:key/abc", one, values=tag, version="2008-10-17") is Effect.NONE
    )


def test_an_exception_without_value_widens_no_allow_and_narrows_no_deny():
    pattern = "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"
    for effect, expected in (("Allow", Effect.NONE), ("Deny", Effect.DENY)):
        one = {
            "Effect": effect,
            "Action": "*",
            "NotResource": [pattern, "arn:aws:kms:*:*:key/other"],
        }
        assert allowed_on("arn:aws:kms:r:1:key/abc", one) is expected
        tag = {"aws:principaltag/key": "abc"}
        assert allowed_on("arn:aws:kms:r:1:key/abc", one, values=tag) is Effect.NONE


def test_a_resource_with_a_broken_provider_fails_closed():
    def broken():
        raise RuntimeError

    for effect, expected in (("Allow", Effect.NONE), ("Deny", Effect.DENY)):
        one = statement(effect, resource="arn:aws:kms:*:*:key/${aws:userid}")
        assert allowed_on("arn:aws:kms:r:1:key/abc", one, values={"aws:userid": broken}) is expected


def test_the_actions_remembered_are_bounded():
    policy = compiled(statement())
    for number in range(2000):
        assert evaluate(policy, question(f"kms:X{number}")).effect is Effect.ALLOW
    assert len(policy.remembered) <= 512


def test_not_action_speaks_of_every_other_action_of_every_service():
    policy = compiled({"Effect": "Allow", "NotAction": ["kms:Encrypt", "iam:*"], "Resource": "*"})
    assert evaluate(policy, question("kms:Encrypt")).effect is Effect.NONE
    assert evaluate(policy, question("kms:Decrypt")).effect is Effect.ALLOW
    assert evaluate(policy, question("iam:CreateUser")).effect is Effect.NONE


def test_a_policy_that_names_principals_gives_nothing_to_nobody():
    policy = compiled(naming("*"), kind=Kind.KEY)
    assert evaluate(policy, question()).effect is Effect.NONE
    assert evaluate(compiled(naming("*", "Deny"), kind=Kind.KEY), question()).effect is Effect.DENY
