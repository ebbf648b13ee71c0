"""Decides one needed permission of a request, from the policies and grants that apply."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori.gate.asked import Asked, Need
from kagimori.gate.conditions.request_values import RequestValues
from kagimori.gate.grants_of_key import GrantsOfKey
from kagimori.rules.authorization.authorize import (
    Decision,
    KeyRules,
    decide,
    decide_assume_role,
    decide_retire,
)
from kagimori.rules.authorization.decision import too_costly
from kagimori.rules.identity.caller import Caller
from kagimori.rules.keys.grant import Grant
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import OutOfSteps

REMEMBERED_MAX: Final = 4096


class Remembered(Struct, frozen=True):
    """A permission that policies gave without a look at the request, and the steps it took.

    It holds for this caller and this key as they are: once one of them, or a policy, is another, it
    is another object. As long as it is remembered, neither object's id can be given to another.
    """

    caller: Caller
    kms_key: KmsKey
    decision: Decision
    steps: int


_REMEMBERED: Final[dict[tuple[int, int, str], Remembered]] = {}


def decision_on(
    asked: Asked, need: Need, presented: tuple[Grant, ...], question: Question | None = None
) -> Decision:
    """Return whether a need is met; `presented` are the grants of the request's grant tokens.

    INVARIANT(deny-by-default): a need that would cost more steps than the request has is not met.

    Raises:
        Absent: what decides is not in memory yet.
    """
    caller, kms_key = asked.caller, need.kms_key
    if kms_key is None or need.retires is not None or question is not None:
        return _decided(asked, need, presented, question or question_of(asked, need))
    name, steps = (id(caller), id(kms_key), need.action), asked.steps
    known = _REMEMBERED.get(name)
    if known is not None and known.steps <= steps.left:
        steps.left -= known.steps
        return known.decision
    before, question = steps.left, question_of(asked, need)
    decision = _decided(asked, need, presented, question)
    # Allowed by policies: no grant was looked at, and none of those presented could have a say.
    if decision.allowed and decision.grant is None and not question.values.were_read:
        if len(_REMEMBERED) >= REMEMBERED_MAX:
            _REMEMBERED.clear()
        plain = replace(decision, question=Question(question.action, question.resource))
        _REMEMBERED[name] = Remembered(caller, kms_key, plain, before - steps.left)
    return decision


def _decided(
    asked: Asked, need: Need, presented: tuple[Grant, ...], question: Question
) -> Decision:
    caller, kms_key = asked.caller, need.kms_key
    principal, rules = caller.principal, caller.identity_rules
    named_as = None if kms_key is None else asked.view.named_as(kms_key)
    try:
        if kms_key is None:
            if need.assumes is not None:
                return decide_assume_role(principal, rules, need.assumes, question)
            return decide(principal, rules, None, question)
        if need.retires is not None:
            return decide_retire(
                principal, rules, need.retires, kms_key.account_id, question, named_as=named_as
            )
        key_rules = KeyRules(
            kms_key.arn,
            kms_key.account_id,
            kms_key.compiled_policy,
            GrantsOfKey(asked, kms_key),
            named_as,
        )
        return decide(
            principal, rules, key_rules, question, presented=presented, proposed=need.proposed
        )
    except OutOfSteps:
        return too_costly(principal, question, named_as)


def question_of(asked: Asked, need: Need) -> Question:
    """Return the question that a need puts to the policies."""
    resource = need.resource if need.kms_key is None else need.kms_key.arn
    return Question(
        need.action,
        resource,
        RequestValues(asked, need),
        need.encryption_context,
        asked.caller.source_arn,
    )
