"""Bounds for what is not known: no known value makes an answer better than the favourable one."""

from itertools import product

import pytest

from kagimori.rules.policy.evaluate import Effect, evaluate
from kagimori.rules.policy.favourable import favourable
from unit.rules.policy.cast import compiled, question, statement

KEY, OTHER = "aws:referer", "aws:useragent"
STATEMENTS = [
    statement(),
    statement(Condition={"StringEquals": {"aws:Referer": "a"}}),
    statement(Condition={"StringNotEquals": {"aws:Referer": "a"}}),
    statement(Condition={"StringEquals": {"aws:UserAgent": "u", "aws:Referer": "a"}}),
    statement(Condition={"StringEquals": {"aws:UserAgent": "${aws:Referer}"}}),
    statement(resource="arn:aws:kms:*:*:key/${aws:Referer}"),
    statement("Deny", Condition={"StringEquals": {"aws:Referer": "a"}}),
    statement("Deny", Condition={"Null": {"aws:Referer": "true"}}),
    statement("Deny", Condition={"StringEquals": {"aws:UserAgent": "u"}}),
    statement("Deny", NotResource=None, resource="arn:aws:kms:*:*:key/${aws:Referer}"),
]
for one in STATEMENTS:
    one.pop("NotResource", None)
BETTER = {Effect.DENY: 0, Effect.NONE: 1, Effect.ALLOW: 2}


def unavailable():
    raise RuntimeError


@pytest.mark.parametrize("pair", list(product(STATEMENTS, STATEMENTS)))
def test_every_value_lies_between_the_bounds(pair):
    policy = compiled(*pair)
    best = favourable(policy, lambda key: key == KEY)
    for agent in ({}, {OTHER: "u"}, {OTHER: "a"}):
        lower = evaluate(policy, question(values={**agent, KEY: unavailable})).effect
        upper = evaluate(best, question(values={**agent, KEY: unavailable})).effect
        for given in ({}, {KEY: "a"}, {KEY: "u"}, {KEY: "1234abcd-12ab-34cd-56ef-1234567890ab"}):
            actual = evaluate(policy, question(values={**agent, **given})).effect
            assert BETTER[lower] <= BETTER[actual] <= BETTER[upper]


def test_what_is_known_stays():
    policy = compiled(*STATEMENTS[:1], STATEMENTS[8])
    best = favourable(policy, lambda key: key == KEY)
    assert [one.written for one in best.statements] == [one.written for one in policy.statements]
