"""Builds the answers of the policy simulator.

Source: IAM API Reference, EvaluationResult, ResourceSpecificResult, Statement.
"""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.operations.simulation.resources import EVERYTHING, Resource
from kagimori.rules.authorization.simulation import Matched, Simulated, Verdict
from kagimori.rules.policy.context_keys import without_repeats
from kagimori.rules.policy.positions import Position

_KEY: Final = "arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}"
_ALIAS: Final = "arn:${Partition}:kms:${Region}:${Account}:alias/${Alias}"
_ROLE: Final = "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"
# The form of the ARNs that an action is about, where it is about any of ours.
_TEMPLATES: Final = {
    "kms:createalias": _ALIAS,
    "kms:createkey": EVERYTHING,
    "kms:deletealias": _ALIAS,
    "kms:generaterandom": EVERYTHING,
    "kms:listaliases": EVERYTHING,
    "kms:listkeys": EVERYTHING,
    "sts:assumerole": _ROLE,
}


def shown_result(
    action: str, folded: str, results: Sequence[tuple[Resource, Simulated]]
) -> dict[str, Any]:
    """Return the result of one action on all resources together, and on each."""
    verdict = max(result.verdict for _, result in results)
    deciding = [result for _, result in results if result.verdict is verdict]
    default = _KEY if folded.startswith("kms:") else EVERYTHING
    named = [(resource, result) for resource, result in results if resource.arn != EVERYTHING]
    shown: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": _TEMPLATES.get(folded, default),
        "EvalDecision": verdict.name,
        "MatchedStatements": _matched([one for result in deciding for one in result.matched]),
        "MissingContextValues": list(
            without_repeats(key for _, result in results for key in result.missing)
        ),
    }
    shown.update(_details([result for _, result in results], named=bool(named)))
    if named:
        shown["ResourceSpecificResults"] = [_of_resource(*one) for one in named]
    return shown


def _of_resource(resource: Resource, result: Simulated) -> dict[str, Any]:
    details = _details([result], named=True)
    details.pop("OrganizationsDecisionDetail", None)
    return {
        "EvalResourceName": resource.arn,
        "EvalResourceDecision": result.verdict.name,
        "MatchedStatements": _matched(result.matched),
        "MissingContextValues": list(result.missing),
        **details,
    }


def _details(results: Sequence[Simulated], *, named: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    by_type: dict[str, Verdict] = {}
    for result in results:
        for kind, verdict in result.by_policy_type.items():
            by_type[kind] = max(verdict, by_type.get(kind, Verdict.allowed))
    stopped = any(result.allowed_by_organization is False for result in results)
    if (named or by_type) and not stopped:
        shown["EvalDecisionDetails"] = {kind: verdict.name for kind, verdict in by_type.items()}
    bounds = [result.allowed_by_boundary for result in results]
    if None not in bounds:
        shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": all(bounds)}
    organization = [result.allowed_by_organization for result in results]
    if None not in organization:
        shown["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": all(organization)}
    return shown


def _matched(matched: Sequence[Matched]) -> list[dict[str, Any]]:
    return [_statement(one) for one in dict.fromkeys(matched)]


def _statement(matched: Matched) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "SourcePolicyId": matched.policy_id,
        "SourcePolicyType": matched.source,
    }
    if matched.span is not None:
        shown["StartPosition"] = _position(matched.span.start)
        shown["EndPosition"] = _position(matched.span.end)
    return shown


def _position(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}
