"""May they: each need of a request must be permitted; the one door to every operation."""

from kagimori.gate.asked import Asked, Need
from kagimori.gate.decisions import decision_on
from kagimori.gate.grants_of_key import presented_grants
from kagimori.rules.authorization.authorize import Allowed, permission
from kagimori.rules.identity.session_limits import check_session_limits


def authorize_all(asked: Asked, needs: tuple[Need, ...]) -> Allowed:
    """Return the permission to do what needs all of this.

    INVARIANT(deny-by-default): a need without a permission raises; nothing else makes one.

    Raises:
        AccessDeniedException: one of them is not allowed.
        UnrecognizedClientException: temporary credentials that never work here.
        InvalidGrantTokenException: the request carries a grant token that is none.
        Absent: what decides is not in memory yet.
    """
    call = asked.call
    check_session_limits(asked.caller, call.service, call.operation)
    presented = presented_grants(asked)
    return permission(*[decision_on(asked, need, presented) for need in needs])
