"""Why a request was denied: every policy and every statement, told slowly, after the fact.

The same tests are asked that decided (`rules/policy/explain.py`), so the telling cannot differ
from the decision.
"""

from collections.abc import Iterable
from typing import Any

from kagimori.operations.grants_of_key import GrantsOfKey
from kagimori.operations.operation import Asked, Need
from kagimori.operations.request_values import RequestValues
from kagimori.rules.authorization import decide
from kagimori.rules.decision import Decision, KeyRules, Side
from kagimori.rules.denial import Denial
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori.rules.policy.explain import Misfit, StatementTrace, explain
from kagimori.rules.policy.principal import Principal
from kagimori.rules.policy.question import Question


def denial_of(asked: Asked, needs: Iterable[Need], slot: str) -> Denial | None:
    """Return the first need that is denied, with everything that was weighed; None if none is."""
    caller = asked.caller
    for need in needs:
        if need.retires is not None:
            continue
        question, key_rules = _question(asked, need)
        decision = decide(
            caller.principal,
            caller.identity_rules,
            key_rules,
            question,
            proposed=need.proposed,
        )
        if not decision.allowed:
            return Denial(
                slot=slot,
                request_id=asked.raw.request_id,
                account_id=caller.account_id,
                at=asked.now,
                caller=caller.principal.arn,
                action=question.action,
                resource=question.resource,
                reason=decision.message(),
                policies=list(_policies(asked, key_rules, question)),
                grants=list(_grants(asked, key_rules, question)),
                suggestion=_suggestion(decision),
            )
    return None


def _question(asked: Asked, need: Need) -> tuple[Question, KeyRules | None]:
    values, key = RequestValues(asked, need), need.kms_key
    if key is None:
        return Question(need.action, need.resource, values), None
    question = Question(need.action, key.arn, values, need.encryption_context)
    rules = KeyRules(key.arn, key.account_id, key.compiled_policy, GrantsOfKey(asked, key))
    return question, rules


def _policies(
    asked: Asked, key_rules: KeyRules | None, question: Question
) -> Iterable[dict[str, Any]]:
    rules, principal = asked.caller.identity_rules, asked.caller.principal
    if key_rules is not None:
        has_boundary = rules.boundary is not None
        yield _told("key policy", key_rules.key_policy, question, principal, has_boundary)
    for policy in rules.identity_policies:
        yield _told(f"identity policy {policy.name}".strip(), policy, question)
    if rules.boundary is not None:
        yield _told("permissions boundary", rules.boundary, question)
    for policy in rules.session_policies or ():
        yield _told("session policy", policy, question)


def _told(
    name: str,
    policy: CompiledPolicy,
    question: Question,
    principal: Principal | None = None,
    has_boundary: bool = False,  # noqa: FBT001, FBT002 - handed through
) -> dict[str, Any]:
    explanation = explain(policy, question, principal, has_boundary=has_boundary)
    return {
        "policy": name,
        "says": explanation.finding.effect.value,
        "statements": [_statement(trace) for trace in explanation.statements],
    }


def _statement(trace: StatementTrace) -> dict[str, Any]:
    return {
        "statement": trace.sid or f"number {trace.index + 1}",
        "effect": "Allow" if trace.allows else "Deny",
        "named": trace.way.name.lower(),
        "applies": not trace.misfits,
        "misfits": [_misfit(misfit) for misfit in trace.misfits],
    }


def _misfit(misfit: Misfit) -> dict[str, Any]:
    told: dict[str, Any] = {
        "element": misfit.element.value,
        "written": list(misfit.written),
        "request": list(misfit.found),
    }
    if misfit.condition is not None:
        told["key"] = misfit.condition.key
        told["operator"] = misfit.condition.operator
    return told


def _grants(
    asked: Asked, key_rules: KeyRules | None, question: Question
) -> Iterable[dict[str, Any]]:
    if key_rules is None:
        return
    for _, name in asked.caller.principal.names:
        for grant in key_rules.grants.candidates(name, question):
            yield {
                "grant_id": grant.grant_id,
                "operations": sorted(grant.terms.operations),
                "encryption_context_equals": grant.terms.encryption_context_equals,
                "encryption_context_subset": grant.terms.encryption_context_subset,
                "source_arn": grant.terms.source_arn,
            }


def _suggestion(decision: Decision) -> str:
    """The smallest change that would allow it."""
    action, resource = decision.question.action, decision.question.resource
    caller = decision.principal.principal_arn
    if decision.explicit:
        statement = decision.statement_by.statement
        name = ""
        if statement is not None:
            name = statement.written.sid or f"number {statement.index + 1}"
        return f"narrow or remove the Deny statement {name} in the {decision.side.value}"
    if decision.side is Side.RESOURCE:
        return (
            f"add to the key policy a statement that allows {action} to {caller}, or a grant "
            "to it; for a caller of another account, its IAM policies must allow it as well"
        )
    return f"add to the {decision.side.value} a statement that allows {action} on {resource}"
