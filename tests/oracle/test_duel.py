"""The fast evaluator against the obvious one, and the laws both must keep.

Promise: deny-by-default.
"""

import os
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from kagimori.rules.authorization.authorize import decide
from kagimori.rules.policy.condition import Condition, compile_condition
from kagimori.rules.policy.document import Kind
from kagimori.rules.policy.evaluate import Effect, evaluate
from kagimori.rules.policy.explain import explain
from kagimori.rules.policy.values import Values
from oracle import conditions, evaluator
from oracle.worlds import (
    FAMILIES,
    SESSION,
    TEXTS,
    compiled,
    grant_of,
    grant_worlds,
    policies,
    principal_of,
    question_of,
    request_of,
    rules_of,
    statements,
    worlds,
)

EXAMPLES = int(os.environ.get("KAGIMORI_DUEL_EXAMPLES", "2000"))
duel = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
law = settings(duel, max_examples=max(EXAMPLES // 10, 10))


def is_allowed(world, *, with_key=True):
    identity, key = rules_of(world)
    return decide(
        principal_of(world["caller"]), identity, key if with_key else None, question_of(world)
    ).allowed


@duel
@given(worlds)
def test_both_evaluators_decide_alike(world):
    key = {"policy": world["key_policy"], "account": "111122223333", "grants": world["grants"]}
    expected = evaluator.decide(
        request_of(world), world["identity"], world["boundary"], world["sessions"], key
    )
    event(f"allowed: {expected}")
    assert is_allowed(world) is expected
    expected = evaluator.decide(
        request_of(world), world["identity"], world["boundary"], world["sessions"], None
    )
    assert is_allowed(world, with_key=False) is expected


@duel
@given(worlds, st.booleans())
def test_both_evaluators_find_alike_in_one_policy(world, bounded):
    for policy, kind in [
        (world["key_policy"], "key"),
        *((p, "identity") for p in world["identity"]),
    ]:
        ours = compiled(policy, Kind.KEY if kind == "key" else Kind.IDENTITY)
        found = evaluate(
            ours, question_of(world), principal_of(world["caller"]), has_boundary=bounded
        )
        says, ways = evaluator.judge(policy, {**request_of(world), "bounded": bounded}, kind)
        event(f"{kind}: {says}")
        assert found.effect.value.lower() == says
        if says == "allow":
            strongest = ["everyone", "session", "service", "user", "role", "account"]
            expected = next((way for way in strongest if way in ways), "everyone")
            assert found.way.name.lower() == expected


@duel
@given(grant_worlds, st.booleans())
def test_both_evaluators_decide_alike_where_grants_decide(world, is_presented):
    key = {"policy": world["key_policy"], "account": "111122223333", "grants": world["grants"]}
    expected = evaluator.decide(
        request_of(world), world["identity"], world["boundary"], world["sessions"], key
    )
    event(f"allowed: {expected}")
    identity, rules = rules_of(world)
    caller, question = principal_of(world["caller"]), question_of(world)
    if not is_presented:
        assert decide(caller, identity, rules, question).allowed is expected
        return
    presented = tuple(grant_of(n, g) for n, g in enumerate(world["grants"]))
    _, without = rules_of({**world, "grants": []})
    assert decide(caller, identity, without, question, presented=presented).allowed is expected


@law
@given(worlds, st.booleans())
def test_the_explanation_is_the_evaluation(world, bounded):
    for policy, kind in [
        (world["key_policy"], Kind.KEY),
        *((p, Kind.IDENTITY) for p in world["identity"]),
    ]:
        ours = compiled(policy, kind)
        caller, question = principal_of(world["caller"]), question_of(world)
        found = evaluate(ours, question, caller, has_boundary=bounded)
        explained = explain(ours, question, caller, has_boundary=bounded)
        assert explained.finding is found
        for trace in explained.statements:
            alone = {**policy, "Statement": [policy["Statement"][trace.index]]}
            effect = evaluate(compiled(alone, kind), question, caller, has_boundary=bounded).effect
            assert (effect is not Effect.NONE) is not bool(trace.misfits)


@law
@given(worlds, statements(in_key_policy=True), statements(in_key_policy=False))
def test_adding_a_deny_never_widens(world, key_deny, identity_deny):
    narrowed = deepcopy(world)
    key_deny["Effect"] = identity_deny["Effect"] = "Deny"
    narrowed["key_policy"]["Statement"].append(key_deny)
    narrowed["identity"].append({"Version": "2012-10-17", "Statement": [identity_deny]})
    # Of all that was added nothing may be an Allow: the second policy holds a Deny alone.
    assert is_allowed(world) or not is_allowed(narrowed)


@law
@given(worlds, st.data())
def test_removing_an_allow_never_widens(world, data):
    narrowed = deepcopy(world)
    for policy in [narrowed["key_policy"], *narrowed["identity"]]:
        allows = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
        if allows:
            policy["Statement"].remove(data.draw(st.sampled_from(allows)))
            policy["Statement"].append({"Effect": "Deny", "Action": "none:none", "Resource": "*"})
    if not narrowed["key_policy"]["Statement"][-1].get("Principal"):
        narrowed["key_policy"]["Statement"][-1].setdefault("Principal", "*")
        narrowed["key_policy"]["Statement"][-1].pop("NotPrincipal", None)
    assert is_allowed(world) or not is_allowed(narrowed)


@law
@given(worlds, st.data())
def test_the_order_of_statements_never_matters(world, data):
    turned = deepcopy(world)
    for policy in [turned["key_policy"], *turned["identity"]]:
        policy["Statement"] = data.draw(st.permutations(policy["Statement"]))
    turned["identity"].reverse()
    assert is_allowed(world) is is_allowed(turned)


@law
@given(worlds, policies(in_key_policy=False))
def test_a_boundary_or_a_session_policy_never_widens(world, policy):
    # A Deny with NotPrincipal hits whoever has a boundary: that narrows as well.
    free = {**world, "boundary": None, "sessions": None}
    if world["caller"]["kind"] == "federated user":
        free["sessions"] = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
    assert is_allowed(free) or not is_allowed({**free, "boundary": policy})
    assert is_allowed(free) or not is_allowed({**free, "sessions": [policy]})


@law
@given(
    worlds,
    st.sampled_from([{"Nonsense": {"aws:userid": "x"}}, {"StringEquals": {"kms:NoSuchKey": "x"}}]),
)
def test_an_unknown_operator_or_key_takes_an_allow_away(world, condition):
    for policy in [world["key_policy"], *world["identity"]]:
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                statement["Condition"] = {**statement.get("Condition", {}), **condition}
    world["grants"] = []
    assert not is_allowed(world)


@law
@given(worlds)
def test_an_unknown_operator_leaves_a_deny_in_force(world):
    denied = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    world["key_policy"]["Statement"].append(
        {**denied, "Condition": {"Nonsense": {"aws:userid": "x"}}}
    )
    assert not is_allowed(world)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantifier", ["", "ForAllValues:", "ForAnyValue:"])
def test_both_read_every_operator_on_every_operand_and_value_alike(family, quantifier):
    texts = [text for text in TEXTS if "\u212a" not in text] + [SESSION]
    for operand in texts:
        for denies in (True, False):
            condition = Condition(quantifier + family, "aws:UserAgent", (operand,))
            holds = compile_condition(condition, denies=denies, variables=True)
            for value in [None, *texts]:
                values = {} if value is None else {"aws:useragent": [value]}
                values["aws:principaltag/key"] = ["a*"]
                try:
                    expected = conditions.condition_holds(
                        condition.operator, condition.key, [operand], values, True, denies, False
                    )
                except conditions.Cannot:
                    expected = denies
                assert holds(Values(values)) is expected, (operand, value, denies)
