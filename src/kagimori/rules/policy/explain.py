"""The same evaluation, slowly: for each statement, which of its elements did not fit and why.

It asks the very tests that `evaluate` asks, of every statement and every element, and so cannot
mean anything else; for `kagimori why` and the policy simulator, never on the path of a request.

Source: IAM User Guide, "Policy evaluation logic".
"""

from enum import Enum

from msgspec import Struct

from kagimori.rules.folding import fold

from .condition import Condition
from .evaluate import NOTHING, CompiledPolicy, CompiledStatement, Finding
from .principal import Principal, Way
from .question import Question


class Element(Enum):
    """The elements of a statement that can fail to fit."""

    ACTION = "Action"
    RESOURCE = "Resource"
    PRINCIPAL = "Principal"
    CONDITION = "Condition"


class Misfit(Struct, frozen=True):
    """One element that did not fit: what was written and what the request had."""

    element: Element
    written: tuple[str, ...]
    found: tuple[str, ...]
    condition: Condition | None = None


class StatementTrace(Struct, frozen=True):
    """One statement: it applies exactly when it has no misfits."""

    index: int
    sid: str
    allows: bool
    way: Way
    misfits: tuple[Misfit, ...]


class Explanation(Struct, frozen=True):
    """The result of a policy, with the part of each statement."""

    policy_name: str
    finding: Finding
    statements: tuple[StatementTrace, ...]


def explain(
    policy: CompiledPolicy,
    question: Question,
    principal: Principal | None = None,
    *,
    has_boundary: bool = False,
) -> Explanation:
    """Return the finding of `evaluate` together with the trace of every statement."""
    policy.take_steps(question)
    traces: list[StatementTrace] = []
    finding = NOTHING
    for statement in policy.statements:
        way = statement.way(principal, has_boundary=has_boundary)
        misfits = _misfits(statement, question, principal, way)
        written = statement.written
        traces.append(StatementTrace(statement.index, written.sid, written.allows, way, misfits))
        if not misfits:
            finding = _stronger(finding, statement.finding(way))
    return Explanation(policy.name, finding, tuple(traces))


def _stronger(one: Finding, other: Finding) -> Finding:
    """Return the finding that decides: the first Deny, else the first of the strongest Allows."""
    if one.statement is None:
        return other
    one_denies = not one.statement.allows
    other_denies = other.statement is not None and not other.statement.allows
    if one_denies or other_denies:
        return one if one_denies else other
    return other if other.way > one.way else one


def _misfits(
    statement: CompiledStatement, question: Question, principal: Principal | None, way: Way
) -> tuple[Misfit, ...]:
    written = statement.written
    misfits: list[Misfit] = []
    if not statement.concerns(question.action):
        misfits.append(Misfit(Element.ACTION, written.actions or (), (question.action,)))
    if not statement.fits_resource(question):
        misfits.append(Misfit(Element.RESOURCE, written.resources or (), (question.resource,)))
    if way is Way.NONE:
        names = () if principal is None else tuple(name for _kind, name in principal.names)
        misfits.append(Misfit(Element.PRINCIPAL, principals_written(statement), names))
    for condition, holds in zip(written.conditions, statement.tests, strict=True):
        if not holds(question.values):
            found = _values_found(question, condition.key)
            misfits.append(Misfit(Element.CONDITION, condition.operands, found, condition))
    return tuple(misfits)


def principals_written(statement: CompiledStatement) -> tuple[str, ...]:
    """Return the names in a Principal or NotPrincipal element, in the form that is compared."""
    named = statement.principals
    if named is None:
        return ()
    listed = named.accounts | named.names | named.services | named.federated
    return (*(("*",) if named.everyone else ()), *sorted(listed))


def _values_found(question: Question, key: str) -> tuple[str, ...]:
    try:
        return question.values.lookup(fold(key)) or ()
    except Exception:  # noqa: BLE001 - a value that cannot be had is shown as none
        return ()
