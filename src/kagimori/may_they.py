"""May they: each need of a request, put to `authorize`; the one door to every operation."""

from kagimori.operations.grants_of_key import GrantsOfKey, presented_grants
from kagimori.operations.operation import Asked, Need
from kagimori.operations.request_values import RequestValues
from kagimori.rules.authorization import (
    Allowed,
    KeyRules,
    authorize,
    authorize_assume_role,
    authorize_retire,
)
from kagimori.rules.identity.session_limits import check_session_limits
from kagimori.rules.keys.grant import Grant
from kagimori.rules.policy.question import Question


def authorize_all(asked: Asked, needs: tuple[Need, ...]) -> tuple[Allowed, ...]:
    """Return a permission for each need.

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
    return tuple([_authorize(asked, need, presented) for need in needs])


def _authorize(asked: Asked, need: Need, presented: tuple[Grant, ...]) -> Allowed:
    caller, kms_key = asked.caller, need.kms_key
    values = RequestValues(asked, need)
    if kms_key is None:
        question = Question(need.action, need.resource, values)
        if need.assumes is not None:
            return authorize_assume_role(
                caller.principal, caller.identity_rules, need.assumes, question
            )
        return authorize(caller.principal, caller.identity_rules, None, question)
    question = Question(need.action, kms_key.arn, values, need.encryption_context)
    if need.retires is not None:
        return authorize_retire(
            caller.principal, caller.identity_rules, need.retires, kms_key.account_id, question
        )
    rules = KeyRules(
        kms_key.arn, kms_key.account_id, kms_key.compiled_policy, GrantsOfKey(asked, kms_key)
    )
    return authorize(
        caller.principal,
        caller.identity_rules,
        rules,
        question,
        presented=presented,
        proposed=need.proposed,
    )
