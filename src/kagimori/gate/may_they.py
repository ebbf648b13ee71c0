"""Authorizes a request: every permission that it needs must be allowed."""

from collections.abc import Iterable

from kagimori.gate.asked import Asked, Need
from kagimori.gate.decisions import decision_on
from kagimori.gate.grants_of_key import presented_grants
from kagimori.ports import Key
from kagimori.rules.authorization.authorize import Allowed, permission
from kagimori.rules.identity.session_limits import check_service_limits, check_session_limits


def authorize_all(asked: Asked, needs: tuple[Need, ...]) -> Allowed:
    """Return the permission to do what needs all of this.

    INVARIANT(deny-by-default): a need without a permission raises; nothing else makes one.

    Raises:
        AccessDeniedException: one of them is not allowed.
        InvalidSignatureException: a service shows what was used already.
        UnrecognizedClientException: temporary credentials that never work here.
        InvalidGrantTokenException: the request carries a grant token that is none.
        Absent: what decides is not in memory yet.
    """
    handed_out = asked.view.handed_out
    if handed_out:
        _check_named(handed_out, needs)
    caller, call = asked.caller, asked.call
    if caller.session is not None or caller.service is not None:
        check_session_limits(caller, call.service, call.operation)
    if caller.via is not None:
        check_service_limits(caller, caller.via, call)
    presented = presented_grants(asked)
    allowed = permission(*[decision_on(asked, need, presented) for need in needs])
    if caller.shown is not None:
        caller.shown.use()
    return allowed


class NotNamed(Exception):
    """An operation was handed another account's key or role, and asks for no permission on it."""


def _check_named(handed_out: Iterable[Key], needs: tuple[Need, ...]) -> None:
    """Check that each entity of another account is what some need is about.

    INVARIANT(deny-by-default): what was found elsewhere is of no use without a permission.
    """
    named = set[Key]()
    for need in needs:
        if need.kms_key is not None:
            named.add((need.kms_key.account_id, need.kms_key.region, need.kms_key.key_id))
        if need.assumes is not None:
            named.add((need.assumes.role_arn,))
    if not named.issuperset(handed_out):
        raise NotNamed
