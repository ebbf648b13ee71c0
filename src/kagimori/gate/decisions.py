"""Decides one needed permission of a request, from the policies and grants that apply."""

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
from kagimori.rules.keys.grant import Grant
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import OutOfSteps


def decision_on(
    asked: Asked, need: Need, presented: tuple[Grant, ...], question: Question | None = None
) -> Decision:
    """Return whether a need is met; `presented` are the grants of the request's grant tokens.

    INVARIANT(deny-by-default): a need that would cost more steps than the request has is not met.

    Raises:
        Absent: what decides is not in memory yet.
    """
    question = question or question_of(asked, need)
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
