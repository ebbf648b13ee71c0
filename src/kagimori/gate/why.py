"""Explains a denial afterwards: the result of every policy, statement and grant.

The same tests are asked that decided (`rules/policy/explain.py`), so the explanation cannot differ
from the decision.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from kagimori.entities.tables import GRANTS
from kagimori.gate.asked import Asked, Need
from kagimori.gate.decisions import decision_on, question_of
from kagimori.gate.grants_of_key import presented_grants
from kagimori.gate.identities import role_at
from kagimori.ports import Absent
from kagimori.rules.authorization.authorize import CROSS_ACCOUNT_ACTIONS
from kagimori.rules.authorization.decision import Decision, Side
from kagimori.rules.authorization.denial import Denial, Denials
from kagimori.rules.authorization.smallest_change import (
    Advice,
    Considered,
    Evaluated,
    smallest_change,
)
from kagimori.rules.folding import fold
from kagimori.rules.keys.grant import Grant
from kagimori.rules.keys.grant_shortfalls import Shortfall, shortfalls
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.context_keys import context_keys
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori.rules.policy.explain import Misfit, StatementTrace, explain, principals_written
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import OutOfSteps

# A grantee may have tens of thousands of grants: so many are looked at, and the nearest shown.
GRANTS_LOOKED_AT_MAX: Final = 100
GRANTS_SHOWN_MAX: Final = 10
STATEMENTS_SHOWN_MAX: Final = 100
CONDITIONS_SHOWN_MAX: Final = 50


def denial_of(asked: Asked, needs: Iterable[Need]) -> Denial | None:
    """Return the first need that is denied, with everything that was weighed; None if none is.

    Raises:
        Absent: what would be shown is not in memory.
    """
    presented = presented_grants(asked)
    for need in needs:
        question = question_of(asked, need)
        decision = decision_on(asked, need, presented, question)
        if decision.allowed:
            continue
        caller = asked.caller
        policies = [(evaluated, policy) for evaluated, policy in _policies(asked, need, question)]
        considered = _considered(asked, need, tuple(evaluated for evaluated, _ in policies))
        grants = _grants(asked, need, question)
        advice = _advice(asked, need, decision, considered)
        return Denial(
            request_id=asked.raw.request_id,
            account_id=caller.account_id,
            owner=considered.resource_account or caller.account_id,
            at=asked.now,
            caller=caller.principal.arn,
            caller_id=caller.user_id,
            action=question.action,
            resource=question.resource,
            reason=decision.message(),
            explicit=any(evaluated.denies for evaluated in considered.policies),
            policies=[_policy(evaluated) for evaluated in considered.policies],
            grants=[_grant(*one) for one in grants],
            matched=[one for evaluated, policy in policies for one in _denying(evaluated, policy)],
            conditions=_conditions(question, [policy for _, policy in policies]),
            suggestion="; and ".join(advice.needed),
            lacking=[side.value for side in advice.lacking],
            alternatives=[*advice.near, *_near_grants(grants)],
        )
    return None


def remember_denial(denials: Denials, asked: Asked, needs: Iterable[Need]) -> None:
    """Keep the whole decision for `kagimori why`; the caller gets the message that AWS sends."""
    if denials.is_full:
        return
    try:
        denial = denial_of(asked, needs)
    except (Absent, OutOfSteps):
        return  # explaining more would need more reading or weighing than a denial is worth
    if denial is not None:
        denials.add(denial)


def _advice(asked: Asked, need: Need, decision: Decision, considered: Considered) -> Advice:
    if need.assumes is not None and role_at(asked.view.whole, need.resource) is None:
        return Advice((f"make the role {need.resource}: there is none",), ())
    if need.retires is not None and decision.side is Side.RESOURCE:
        name = f"grant {need.retires.grant_id}"
        return Advice((f"have the retiring principal of {name} ask, or revoke it instead",), ())
    return smallest_change(decision, considered)


def _policies(
    asked: Asked, need: Need, question: Question
) -> Iterator[tuple[Evaluated, CompiledPolicy]]:
    """Yield every policy that is weighed, with what it says to each of its statements."""
    rules, principal = asked.caller.identity_rules, asked.caller.principal
    has_boundary = rules.boundary is not None
    if need.kms_key is not None and need.retires is None:
        policy = need.kms_key.compiled_policy
        explanation = explain(policy, question, principal, has_boundary=has_boundary)
        yield Evaluated("key policy", Side.RESOURCE, explanation), policy
    if need.assumes is not None:
        policy = need.assumes.trust_policy
        explanation = explain(policy, question, principal, has_boundary=has_boundary)
        yield Evaluated("role trust policy", Side.TRUST, explanation), policy
    for policy in rules.identity_policies:
        name = f"identity policy {policy.name}".strip()
        yield Evaluated(name, Side.IDENTITY, explain(policy, question)), policy
    if rules.boundary is not None:
        name = f"permissions boundary {rules.boundary.name}".strip()
        yield Evaluated(name, Side.BOUNDARY, explain(rules.boundary, question)), rules.boundary
    for policy in rules.session_policies or ():
        yield Evaluated("session policy", Side.SESSION, explain(policy, question)), policy


def _considered(asked: Asked, need: Need, policies: tuple[Evaluated, ...]) -> Considered:
    rules, principal = asked.caller.identity_rules, asked.caller.principal
    owner = None
    if need.kms_key is not None:
        owner = need.kms_key.account_id
    elif need.assumes is not None:
        owner = need.assumes.account_id
    is_federated = principal.kind is PrincipalKind.FEDERATED_USER
    return Considered(
        policies,
        is_bounded=rules.boundary is not None,
        is_narrowed=rules.session_policies is not None or is_federated,
        resource_account=owner,
        works_across=need.assumes is not None or need.action in CROSS_ACCOUNT_ACTIONS,
    )


def _policy(evaluated: Evaluated) -> dict[str, Any]:
    statements = evaluated.explanation.statements
    shown: dict[str, Any] = {
        "policy": evaluated.name,
        "says": evaluated.explanation.finding.effect.value,
        "statements": [_statement(trace) for trace in statements[:STATEMENTS_SHOWN_MAX]],
    }
    if len(statements) > STATEMENTS_SHOWN_MAX:
        shown["statements_more"] = len(statements) - STATEMENTS_SHOWN_MAX
    return shown


def _statement(trace: StatementTrace) -> dict[str, Any]:
    return {
        "statement": trace.sid or f"number {trace.index + 1}",
        "effect": "Allow" if trace.allows else "Deny",
        "named": trace.way.name.lower(),
        "applies": not trace.misfits,
        "misfits": [_misfit(misfit) for misfit in trace.misfits],
    }


def _misfit(misfit: Misfit) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "element": misfit.element.value,
        "written": list(misfit.written),
        "request": list(misfit.found),
    }
    if misfit.condition is not None:
        shown["key"] = misfit.condition.key
        shown["operator"] = misfit.condition.operator
    return shown


def _denying(evaluated: Evaluated, policy: CompiledPolicy) -> Iterator[dict[str, Any]]:
    """Yield the Deny statements that apply, as they are written."""
    for trace in evaluated.denies:
        written = policy.statements[trace.index].written
        yield {
            "policy": evaluated.name,
            "statement": written.sid,
            "principals": list(principals_written(policy.statements[trace.index])),
            "actions": list(written.actions or ()),
            "resources": list(written.resources or ()),
            "conditions": {one.key: list(one.operands) for one in written.conditions},
        }


# --- grants ---------------------------------------------------------------------------------------


def _grants(
    asked: Asked, need: Need, question: Question
) -> list[tuple[Grant, tuple[Shortfall, ...]]]:
    """Return the caller's grants on the key that came closest, with what they lack."""
    if need.kms_key is None or need.retires is not None:
        return []
    found = [
        (grant, shortfalls(grant, question, need.proposed))
        for grant in islice(_grants_to(asked, need.kms_key), GRANTS_LOOKED_AT_MAX)
    ]
    return sorted(found, key=lambda one: len(one[1]))[:GRANTS_SHOWN_MAX]


def _grants_to(asked: Asked, key: KmsKey) -> Iterator[Grant]:
    """Yield grants that are in memory: none is read for the explanation alone."""
    names = dict.fromkeys(name for _, name in asked.caller.principal.names)
    for name in (*names, asked.caller.account_id):
        group = (key.account_id, key.region, key.key_id, name)
        try:
            grants = asked.view.whole.group(GRANTS, "by_grantee", group)
        except Absent:
            continue
        for stored in grants:
            yield stored.grant


def _grant(grant: Grant, lacks: tuple[Shortfall, ...]) -> dict[str, Any]:
    return {
        "grant_id": grant.grant_id,
        "grantee": grant.grantee,
        "operations": sorted(grant.terms.operations),
        "encryption_context_equals": grant.terms.encryption_context_equals,
        "encryption_context_subset": grant.terms.encryption_context_subset,
        "source_arn": grant.terms.source_arn,
        "shortfalls": [
            {"what": one.what, "written": one.has, "request": one.asked} for one in lacks
        ],
    }


def _near_grants(grants: Iterable[tuple[Grant, tuple[Shortfall, ...]]]) -> Iterator[str]:
    for grant, lacks in grants:
        if not lacks:
            yield f"grant {grant.grant_id} would do, if the caller's own account allowed it"
        elif len(lacks) == 1:
            one = lacks[0]
            yield (
                f"grant {grant.grant_id} lacks one thing: {one.what} says "
                f"{_listed(one.has)}, and the request has {_listed(one.asked)}"
            )


def _listed(texts: list[str]) -> str:
    return ", ".join(texts) or "nothing"


# --- the request's values -------------------------------------------------------------------------


def _conditions(question: Question, policies: Iterable[CompiledPolicy]) -> dict[str, list[str]]:
    """Return the values of the keys that the policies ask about, as far as there are any."""
    found: dict[str, list[str]] = {}
    keys = context_keys(policy.document for policy in policies)
    for key in keys[:CONDITIONS_SHOWN_MAX]:
        try:
            values = question.values.lookup(fold(key))
        except Exception:  # noqa: BLE001, S112 - a value that cannot be had is not shown
            continue
        if values is not None:
            found[key] = list(values)
    return found
