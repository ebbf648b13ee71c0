"""What deciding costs: counted in steps, bounded for each request, and never a matter of luck."""

import json
import sys

import pytest

from kagimori.rules.authorization.authorize import decide
from kagimori.rules.policy.condition import Condition, compile_condition
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import Effect, compile_policy, evaluate
from kagimori.rules.policy.explain import explain
from kagimori.rules.policy.match import cost_of, glob
from kagimori.rules.policy.positions import statement_spans
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import REQUEST_STEPS_MAX, OutOfSteps, Steps
from kagimori.rules.policy.template import BadVariable, parse_template
from kagimori.rules.policy.values import VALUE_CHARACTERS_MAX, Values
from unit.rules.policy.cast import KEY, compiled, question, rules, statement, user

AGENT = "aws:UserAgent"
SOME = 100_000
LONGEST = "a" * VALUE_CHARACTERS_MAX


def lines_run(work):
    """The lines of Python that run: a measure of work that no other process changes."""
    count = 0

    def on_event(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        work()
    except (BadVariable, OutOfSteps):
        pass
    finally:
        sys.settrace(before)
    return count


def policy_of(conditions, effect="Allow"):
    return compiled(statement(effect, Condition=conditions))


@pytest.mark.parametrize(
    "text",
    [
        "${" + " " * 60_000,
        "${" + " a" * 30_000,
        "${" * 30_000,
        "${a" * 20_000 + "}" * 3,
        "${a" + " " * 60_000 + "}",
        "${a , '" + "'" * 60_000,
        "*?" * 30_000,
        "${a}" * 15_000,
    ],
)
def test_to_read_a_template_takes_a_few_lines_for_each_piece(text):
    work = lines_run(lambda: parse_template(text, variables=True, wildcards=True))
    assert work < 40 * (text.count("${") + text.count("*") + text.count("?") + 2)


@pytest.mark.parametrize(
    "pattern", ["*a" * 4096, "*a?" * 2730, "*?" * 4096, "?a*" * 2730, "a?" * 99]
)
@pytest.mark.parametrize("text", ["a" * 8192, "ab" * 4096, "a" * 8191 + "c"])
def test_no_match_takes_more_lines_than_its_pattern_and_text_have_characters(pattern, text):
    pieces = parse_template(pattern, variables=False, wildcards=True)
    test = glob(pieces)
    assert lines_run(lambda: test(text)) < 8 * (len(pattern) + len(text))


def test_a_pattern_that_needs_more_characters_than_there_are_is_not_tried():
    test = glob(parse_template("?" * 31_000, variables=False, wildcards=True))
    assert lines_run(lambda: test("a" * 30_000)) < 5


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("StringLike", "*?a*"),
        ("StringLike", "*a*b"),
        ("StringNotLike", "*?a*"),
        ("StringLike", "${aws:username}*?"),
        ("StringLike", "${aws:username, 'a'}" * 40 + "*?"),
        ("ArnLike", "*:*:*:*:*:*?a"),
        ("StringEqualsIgnoreCase", "a"),
        ("StringEquals", "${aws:username}"),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_the_worst_key_policy_and_the_longest_value_end_within_the_steps(operator, operand, effect):
    """31 KB of the dearest conditions, against the longest value a condition looks at."""
    size = len(json.dumps(operand)) + 1
    operands = [operand[:-1] + f"{n}" + operand[-1] for n in range(24_000 // (size + 4))]
    values = {"aws:useragent": LONGEST[:-1] + "é", "aws:username": LONGEST}
    policy = policy_of({operator: {AGENT: operands}}, effect)
    many = compiled(
        *(statement(effect, Condition={operator: {AGENT: one}}) for one in operands[:300])
    )
    for one in (policy, many):
        steps = Steps(SOME)  # not all, since counting lines is slow
        asked = Question("kms:Encrypt", KEY, Values(values, steps=steps))
        work = lines_run(lambda one=one, asked=asked: evaluate(one, asked))
        assert work < min(SOME, SOME - steps.left) + 40_000


def test_when_the_steps_are_used_up_neither_an_allow_nor_a_deny_hides_it():
    for effect in ("Allow", "Deny"):
        for operator in ("StringLike", "StringNotLike", "ArnLike", "NumericEquals"):
            policy = policy_of({operator: {AGENT: "1" if operator[0] == "N" else "*:*:*:*:*:*?"}})
            asked = Question(
                "kms:Encrypt", KEY, Values({"aws:useragent": "a" * 99}, steps=Steps(9))
            )
            with pytest.raises(OutOfSteps):
                evaluate(policy, asked)
        resource = compiled(statement(effect, resource=["arn:aws:kms:*:*:key/?" + "*?" * 20] * 9))
        with pytest.raises(OutOfSteps):
            evaluate(resource, Question("kms:Encrypt", KEY, Values({}, steps=Steps(99))))
        action = compiled(statement(effect, action=["kms:*?*?*?" + "*?" * 20] * 9))
        with pytest.raises(OutOfSteps):
            evaluate(action, Question("kms:Encrypt", KEY, Values({}, steps=Steps(99))))
        with pytest.raises(OutOfSteps):
            explain(action, Question("kms:Encrypt", KEY, Values({}, steps=Steps(99))))


def test_an_allow_that_is_found_does_not_help_when_weighing_on_costs_too_much():
    allow = compiled(statement())
    dear = policy_of({"StringLike": {AGENT: "*?a*"}}, "Deny")
    asked = Question("kms:Encrypt", KEY, Values({"aws:useragent": LONGEST}, steps=Steps(1000)))
    with pytest.raises(OutOfSteps):
        decide(user(), rules(allow, dear), None, asked)


def test_a_longer_value_than_conditions_look_at_fails_closed():
    for value, allowed, denied in ((LONGEST, True, True), (LONGEST + "a", False, True)):
        for given in (value, ["a", value]):
            condition = Condition("ForAnyValue:StringLike", AGENT, ("a*",))
            values = Values({"aws:useragent": given})
            for denies, expected in ((False, allowed), (True, denied)):
                holds = compile_condition(condition, denies=denies, variables=True)
                assert holds(values) is expected


def test_the_policies_of_a_caller_at_every_quota_cost_a_tenth_of_the_steps_at_most():
    """Ten managed policies of 6,144 characters and a key policy of 32 KB, as they are written."""
    arn = "arn:aws:kms:*:111122223333:key/%s*-?%s"
    one = [
        statement(
            resource=[arn % (number, at) for at in range(8)],
            Condition={
                "StringLike": {"kms:ViaService": ["s3.*.amazonaws.com", "ec2.*.amazonaws.com"]},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/team-*/admin?"},
            },
        )
        for number in range(130)
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": one}, separators=(",", ":"))
    assert len(text) > 10 * 6_144 + 32_768 - 40_000
    policy = compile_policy(parse_policy(text, Kind.IDENTITY))
    steps = Steps()
    values = {"kms:viaservice": "s3.eu-central-1.amazonaws.com", "aws:principalarn": KEY}
    found = evaluate(policy, Question("kms:Encrypt", KEY, Values(values, steps=steps)))
    assert found.effect is Effect.NONE
    assert REQUEST_STEPS_MAX - steps.left < REQUEST_STEPS_MAX // 10


def test_what_has_no_wildcard_costs_nothing():
    for text in ("", "a", "*", "a*", "*a", "a*b"):
        assert cost_of(parse_template(text, variables=False, wildcards=True)).per_character == 0
    steps = Steps()
    policy = compiled(statement(resource=KEY, Condition={"StringEquals": {AGENT: ["a", "b"]}}))
    asked = Question("kms:Encrypt", KEY, Values({"aws:useragent": "a"}, steps=steps))
    assert evaluate(policy, asked).effect is Effect.ALLOW
    assert evaluate(policy, asked).effect is Effect.ALLOW
    assert REQUEST_STEPS_MAX - steps.left <= 1


def test_where_statements_stand_is_found_in_one_pass():
    def work(statements):
        text = "[\n" + ",\n".join(['{"a":\n\n"b"}'] * statements) + "]"
        text = '{"Statement":' + text + "}"
        spans = []
        lines = lines_run(lambda: spans.extend(statement_spans(text)))
        assert len(spans) == statements
        assert spans[-1].end.line == 1 + 4 * (statements - 1) - (statements - 2) + 2
        return lines

    assert work(400) < 4.5 * work(100)


def test_a_question_without_a_request_has_its_own_steps():
    policy = policy_of({"StringLike": {AGENT: "*?a*"}})
    for _ in range(3):
        evaluate(policy, question())
    assert question().values.steps is not question().values.steps
