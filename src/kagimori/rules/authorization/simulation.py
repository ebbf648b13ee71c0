"""IAM's policy simulator: evaluates one question with the code that decides real requests.

Source: IAM API Reference, SimulateCustomPolicy, EvaluationResult, Statement.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

from msgspec import Struct

from kagimori.rules.authorization.authorize import decide
from kagimori.rules.authorization.caller_findings import CallerFindings
from kagimori.rules.authorization.decision import Decision, IdentityRules, KeyRules, Side
from kagimori.rules.folding import fold
from kagimori.rules.keys.grant import GrantTerms
from kagimori.rules.policy.context_keys import statement_keys, without_repeats
from kagimori.rules.policy.evaluate import CompiledPolicy, Effect, evaluate
from kagimori.rules.policy.explain import explain
from kagimori.rules.policy.positions import Span, statement_spans
from kagimori.rules.policy.principal import Principal
from kagimori.rules.policy.question import Question

# How many characters of a policy's text are looked through for its statements in one step.
_CHARACTERS_OF_STEP: Final = 8


class Verdict(IntEnum):
    """A decision in the simulator's words, from the mildest to the most restrictive."""

    allowed = 0
    implicitDeny = 1  # noqa: N815 - AWS's word
    explicitDeny = 2  # noqa: N815 - AWS's word


class SourcedPolicy(Struct, frozen=True):
    """A policy and where it is from; `source` is AWS's PolicySourceType.

    An inline policy has its `holder`: noun and name of who bears it, and its own name.
    """

    policy_id: str
    source: str
    text: str
    compiled: CompiledPolicy
    arn: str | None = None
    holder: tuple[str, str, str] | None = None


class Scene(Struct, frozen=True):
    """Everything that a simulation depends on, apart from the question.

    `organization` are the levels from root to account, each the policies that apply there; None
    without organization.
    """

    principal: Principal
    policies: tuple[SourcedPolicy, ...]
    boundary: SourcedPolicy | None = None
    organization: tuple[tuple[CompiledPolicy, ...], ...] | None = None

    @property
    def identity_rules(self) -> IdentityRules:
        boundary = None if self.boundary is None else self.boundary.compiled
        return IdentityRules(tuple(policy.compiled for policy in self.policies), boundary)


class Matched(Struct, frozen=True):
    """A statement (or, without a place, a grant) that made the decision."""

    policy_id: str
    source: str
    span: Span | None = None


class Simulated(Struct, frozen=True):
    """The result of a simulation; `by_policy_type` is set only across accounts."""

    verdict: Verdict
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]
    allowed_by_boundary: bool | None = None
    allowed_by_organization: bool | None = None
    by_policy_type: dict[str, Verdict] = {}


def simulate(
    scene: Scene,
    question: Question,
    *,
    owner: str,
    resource_policy: SourcedPolicy | None = None,
    key_rules: KeyRules | None = None,
    proposed: GrantTerms | None = None,
) -> Simulated:
    """Return the result for one question; `owner` is the account of the resource.

    With `key_rules` the resource is a KMS key, of which `resource_policy` is the key policy.
    """
    principal, rules = scene.principal, scene.identity_rules
    is_local = principal.account_id == owner
    written = None if resource_policy is None else resource_policy.compiled
    if key_rules is not None:
        decision = decide(principal, rules, key_rules, question, proposed=proposed)
    elif written is not None:
        decision = _by_resource_policy(principal, rules, written, question, is_local=is_local)
    else:
        decision = decide(principal, rules, None, question)
    organization = _organization(scene, question)
    verdict = max(_verdict(decision), organization or Verdict.allowed)
    considered = (*scene.policies, *((resource_policy,) if resource_policy else ()))
    if verdict is Verdict.allowed and decision.grant is not None:
        matched: tuple[Matched, ...] = (Matched(f"grant/{decision.grant.grant_id}", "resource"),)
    else:
        matched = tuple(_matched(considered, scene, question, verdict))
    findings = CallerFindings(principal, rules, question)
    return Simulated(
        verdict,
        matched,
        without_repeats(_missing(considered, question)),
        None if scene.boundary is None else findings.boundary_allows,
        None if organization is None else organization is Verdict.allowed,
        {} if is_local else _by_policy_type(findings, written, question, rules),
    )


def _by_resource_policy(
    principal: Principal,
    rules: IdentityRules,
    written: CompiledPolicy,
    question: Question,
    *,
    is_local: bool,
) -> Decision:
    """Return the decision for a resource of another kind, for which either side may speak.

    Source: IAM User Guide, reference_policies_evaluation-logic (within and across accounts).
    """
    findings = CallerFindings(principal, rules, question)
    has_boundary = rules.boundary is not None
    found = evaluate(written, question, principal, has_boundary=has_boundary)
    denied = findings.denied(found)
    if denied is not None:
        return denied
    if findings.suffices(found.way, is_local=is_local):
        return findings.allow(Side.RESOURCE, found)
    return findings.by_account() if is_local else findings.deny(Side.RESOURCE)


def _verdict(decision: Decision) -> Verdict:
    if decision.allowed:
        return Verdict.allowed
    return Verdict.explicitDeny if decision.explicit else Verdict.implicitDeny


def _of_effects(effects: Iterable[Effect]) -> Verdict:
    found = set(effects)
    if Effect.DENY in found:
        return Verdict.explicitDeny
    return Verdict.allowed if Effect.ALLOW in found else Verdict.implicitDeny


def _organization(scene: Scene, question: Question) -> Verdict | None:
    """Return the decision of the organization's policies: every level must allow."""
    if scene.organization is None:
        return None
    levels = (
        _of_effects(evaluate(policy, question).effect for policy in level)
        for level in scene.organization
    )
    return max(levels, default=Verdict.allowed)


def _matched(
    considered: Iterable[SourcedPolicy], scene: Scene, question: Question, verdict: Verdict
) -> Iterator[Matched]:
    """Yield the statements that apply and say what was decided."""
    if verdict is Verdict.implicitDeny:
        return
    has_boundary = scene.boundary is not None
    for policy in considered:
        explanation = explain(policy.compiled, question, scene.principal, has_boundary=has_boundary)
        applying = [
            trace
            for trace in explanation.statements
            if not trace.misfits and trace.allows is (verdict is Verdict.allowed)
        ]
        question.values.steps.take(len(policy.text) // _CHARACTERS_OF_STEP)
        spans = statement_spans(policy.text) if applying and policy.text else ()
        for trace in applying:
            span = spans[trace.index] if trace.index < len(spans) else None
            yield Matched(policy.policy_id, policy.source, span)


def _missing(considered: Iterable[SourcedPolicy], question: Question) -> Iterator[str]:
    """Yield the keys that statements about this action and resource ask for and nobody gave."""
    for policy in considered:
        policy.compiled.take_steps(question)
        variables = policy.compiled.document.has_variables
        for statement in policy.compiled.statements:
            if statement.concerns(question.action) and statement.fits_resource(question):
                for key in statement_keys(statement.written, variables=variables):
                    if _is_absent(question, key):
                        yield key


def _is_absent(question: Question, key: str) -> bool:
    try:
        return question.values.lookup(fold(key)) is None
    except Exception:  # noqa: BLE001 - a value that cannot be had is not there
        return True


def _by_policy_type(
    findings: CallerFindings,
    written: CompiledPolicy | None,
    question: Question,
    rules: IdentityRules,
) -> dict[str, Verdict]:
    has_boundary = rules.boundary is not None
    effects = {"IAM Policy": _of_effects([findings.identity.effect])}
    if written is not None:
        found = evaluate(written, question, findings.principal, has_boundary=has_boundary)
        effects["Resource Policy"] = _of_effects([found.effect])
    if findings.boundary is not None:
        effects["Permissions Boundary Policy"] = _of_effects([findings.boundary.effect])
    return effects
