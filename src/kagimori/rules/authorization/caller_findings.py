"""The caller's side of a decision: identity, boundary and session policies, each evaluated once.

Source: IAM User Guide, "Policy evaluation logic", "AWS global condition context keys" and
access_policies_boundaries.
"""

from typing import Final

from kagimori.rules.authorization.decision import Decision, IdentityRules, Side
from kagimori.rules.keys.grant import Grant
from kagimori.rules.policy.evaluate import NOTHING, CompiledPolicy, Effect, Finding, evaluate
from kagimori.rules.policy.principal import Principal, PrincipalKind, Way
from kagimori.rules.policy.question import Question


class CallerFindings:
    """The results of the caller's policies, and the decisions that follow from them."""

    __slots__ = (
        "boundary",
        "boundary_allows",
        "identity",
        "identity_allows",
        "is_root",
        "principal",
        "question",
        "session",
        "session_allows",
    )

    def __init__(self, principal: Principal, rules: IdentityRules, question: Question) -> None:
        self.principal = principal
        self.question = question
        self.is_root = principal.kind is PrincipalKind.ROOT
        self.identity = _of_all(rules.identity_policies, question)
        boundary = rules.boundary
        self.boundary = None if boundary is None else evaluate(boundary, question)
        sessions = rules.session_policies
        if sessions is None and principal.kind is PrincipalKind.FEDERATED_USER:
            sessions = ()  # a federated user without a session policy has no rights of its own
        self.session = None if sessions is None else _of_all(sessions, question)
        self.identity_allows = self.is_root or self.identity.effect is Effect.ALLOW
        self.boundary_allows = self.boundary is None or self.boundary.effect is Effect.ALLOW
        self.session_allows = self.session is None or self.session.effect is Effect.ALLOW

    def allow(self, side: Side, found: Finding = NOTHING, grant: Grant | None = None) -> Decision:
        return Decision(True, self.principal, self.question, side, False, found, grant)  # noqa: FBT003

    def deny(self, side: Side, found: Finding = NOTHING, **more: str) -> Decision:
        return Decision(
            allowed=False,
            principal=self.principal,
            question=self.question,
            side=side,
            explicit=found.effect is Effect.DENY,
            statement_by=found,
            whole_message=more.get("whole_message"),
        )

    def denied(self, resource: Finding = NOTHING) -> Decision | None:
        """Return the refusal of an explicit Deny, wherever it stands; who has no name has none."""
        for side, found in (
            (Side.IDENTITY, self.identity),
            (Side.RESOURCE, resource),
            (Side.BOUNDARY, self.boundary),
            (Side.SESSION, self.session),
        ):
            if found is not None and found.effect is Effect.DENY:
                return self.deny(side, found)
        if self.principal.kind is PrincipalKind.ANONYMOUS:
            return self.deny(Side.RESOURCE)
        return None

    def by_account(self) -> Decision:
        """Return the decision of the caller's own account."""
        if not self.identity_allows:
            return self.deny(Side.IDENTITY)
        if not self.boundary_allows:
            return self.deny(Side.BOUNDARY)
        if not self.session_allows:
            return self.deny(Side.SESSION)
        return self.allow(Side.ROOT if self.is_root else Side.IDENTITY, self.identity)

    def suffices(self, way: Way, *, is_local: bool) -> bool:
        """Return whether being named this way is enough, with what the caller's account says.

        Source: IAM User Guide, "Policy evaluation logic", the table of implicit denies.
        """
        if way is Way.NONE:
            return False
        limits_allow = self.boundary_allows and self.session_allows
        if not is_local or way is Way.ACCOUNT:
            return limits_allow and self.identity_allows
        if way is Way.ROLE:
            return limits_allow
        if way is Way.USER:
            return limits_allow or self.principal.kind is not PrincipalKind.FEDERATED_USER
        return True


def _of_all(policies: tuple[CompiledPolicy, ...], question: Question) -> Finding:
    """Return a Deny of any policy, else an Allow of any, else nothing."""
    best = NOTHING
    for policy in policies:
        found = evaluate(policy, question)
        if found.effect is Effect.DENY:
            return found
        if best is NOTHING:
            best = found
    return best


def is_local_caller(principal: Principal, account_id: str) -> bool:
    """Return whether the caller belongs to the account, or has none that could have a say."""
    return principal.account_id == account_id or principal.kind in _NO_ACCOUNT


_NO_ACCOUNT: Final = (PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY)
