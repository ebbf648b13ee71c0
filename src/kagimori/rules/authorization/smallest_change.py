"""Finds the smallest change of policies that would allow a denied request.

The policies are asked statement by statement (`policy/explain.py`), so that everything which
stands in the way is listed at once, not only what was met first.

Source: IAM User Guide, "Policy evaluation logic"; STS API Reference, AssumeRole.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from kagimori.rules.authorization.caller_findings import is_local_caller
from kagimori.rules.authorization.decision import Decision, Side
from kagimori.rules.policy.explain import Explanation, Misfit, StatementTrace
from kagimori.rules.policy.principal import Principal, PrincipalKind, Way

# How a policy names a caller that it names by `aws:PrincipalArn`.
_WAYS: Final = {
    PrincipalKind.ROLE_SESSION: Way.ROLE,
    PrincipalKind.FEDERATED_USER: Way.SESSION,
}


class Evaluated(Struct, frozen=True):
    """One policy that was evaluated: its name, its side, and its result."""

    name: str
    side: Side
    explanation: Explanation

    @property
    def denies(self) -> list[StatementTrace]:
        return [one for one in self.explanation.statements if not (one.allows or one.misfits)]

    @property
    def way(self) -> Way:
        """How the strongest of its Allows names the caller; Denies are not looked at."""
        ways = (one.way for one in self.explanation.statements if one.allows and not one.misfits)
        return max(ways, default=Way.NONE)

    @property
    def near(self) -> list[tuple[StatementTrace, Misfit]]:
        """The Allows that only one thing keeps from applying."""
        return [
            (one, one.misfits[0])
            for one in self.explanation.statements
            if one.allows and len(one.misfits) == 1
        ]


class Considered(Struct, frozen=True):
    """All policies that were evaluated; `resource_account` is None where IAM alone decides.

    `is_narrowed` is whether there is a session policy, though it may be none of substance;
    `works_across` whether the action works across accounts at all.
    """

    policies: tuple[Evaluated, ...]
    is_bounded: bool = False
    is_narrowed: bool = False
    resource_account: str | None = None
    works_across: bool = True


class Advice(Struct, frozen=True):
    """`needed`: all of it together allows the request. `near`: what is but one step away.

    `lacking` are the sides on which an Allow is needed.
    """

    needed: tuple[str, ...]
    near: tuple[str, ...]
    lacking: tuple[Side, ...] = ()


def smallest_change(decision: Decision, considered: Considered) -> Advice:
    """Return the changes that would allow a denied request."""
    denies = [
        f"narrow or remove the Deny statement {_name(trace)} of the {evaluated.name}"
        for evaluated in considered.policies
        for trace in evaluated.denies
    ]
    is_assumption = any(evaluated.side is Side.TRUST for evaluated in considered.policies)
    if is_assumption and decision.principal.kind is PrincipalKind.ROOT:
        return Advice(("assume the role as a user or a role: the root user cannot",), ())
    is_foreign = considered.resource_account is not None and not is_local_caller(
        decision.principal, considered.resource_account
    )
    if is_foreign and not considered.works_across:
        action = decision.question.action
        return Advice((f"ask from the key's own account: {action} works nowhere else",), ())
    lacking = tuple(_lacking(decision.principal, considered, is_foreign=is_foreign))
    wanted = [_wanted(side, decision) for side in lacking]
    return Advice((*denies, *wanted), tuple(_near(considered.policies, lacking)), lacking)


def _lacking(principal: Principal, considered: Considered, *, is_foreign: bool) -> Iterator[Side]:
    """Yield the sides whose Allow is missing, if no Deny stood in the way."""
    ways: dict[Side, Way] = {}
    for evaluated in considered.policies:
        ways[evaluated.side] = max(evaluated.way, ways.get(evaluated.side, Way.NONE))
    resource = next((side for side in (Side.RESOURCE, Side.TRUST) if side in ways), None)
    way = Way.ACCOUNT if resource is None else ways[resource]
    if way is Way.NONE and resource is not None:
        yield resource
        way = _WAYS.get(principal.kind, Way.USER)
    asks_account = is_foreign or way is Way.ACCOUNT
    is_root = principal.kind is PrincipalKind.ROOT
    if asks_account and not is_root and ways.get(Side.IDENTITY, Way.NONE) is Way.NONE:
        yield Side.IDENTITY
    is_user = way is Way.USER and principal.kind is not PrincipalKind.FEDERATED_USER
    if not asks_account and (way > Way.USER or is_user):
        return
    if considered.is_bounded and ways.get(Side.BOUNDARY, Way.NONE) is Way.NONE:
        yield Side.BOUNDARY
    if considered.is_narrowed and ways.get(Side.SESSION, Way.NONE) is Way.NONE:
        yield Side.SESSION


def _wanted(side: Side, decision: Decision) -> str:
    action, resource = decision.question.action, decision.question.resource
    caller = decision.principal.principal_arn or decision.principal.arn
    on = f"{action} on {resource}" if resource else action
    if side is Side.RESOURCE:
        return f"add to the key policy a statement that allows {action} to {caller}, or a grant"
    if side is Side.TRUST:
        return f"add to the trust policy of {resource} a statement that allows {action} to {caller}"
    if side is Side.BOUNDARY:
        return f"add to the permissions boundary of {caller} a statement that allows {on}"
    if side is Side.SESSION:
        return f"begin a session whose session policy allows {on}"
    return f"add to an identity policy of {caller} a statement that allows {on}"


def _near(policies: Iterable[Evaluated], lacking: tuple[Side, ...]) -> Iterator[str]:
    for evaluated in policies:
        if evaluated.side in lacking:
            for trace, misfit in evaluated.near:
                statement = f"statement {_name(trace)} of the {evaluated.name}"
                yield f"{statement} lacks one thing: {_of(misfit)}"


def _of(misfit: Misfit) -> str:
    what = misfit.element.value
    if misfit.condition is not None:
        what = f"{what} {misfit.condition.operator} {misfit.condition.key}"
    written = ", ".join(misfit.written) or "nothing"
    found = ", ".join(misfit.found) or "nothing"
    return f"{what} says {written}, and the request has {found}"


def _name(trace: StatementTrace) -> str:
    return repr(trace.sid) if trace.sid else f"number {trace.index + 1}"
