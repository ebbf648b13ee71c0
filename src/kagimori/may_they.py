"""May they: each need of a request, put to `authorize`; the one door to every operation."""

from kagimori.operations.operation import Asked, Need
from kagimori.rules.authorization import Allowed, KeyRules, authorize
from kagimori.rules.policy.question import Question
from kagimori.operations.request_values import RequestValues


def authorize_all(asked: Asked, needs: tuple[Need, ...]) -> tuple[Allowed, ...]:
    """Return a permission for each need.

    INVARIANT(deny-by-default): a need without a permission raises; nothing else makes one.

    Raises:
        AccessDeniedException: one of them is not allowed.
    """
    return tuple([_authorize(asked, need) for need in needs])


def _authorize(asked: Asked, need: Need) -> Allowed:
    caller, kms_key = asked.caller, need.kms_key
    values = RequestValues(asked, need)
    if kms_key is None:
        question = Question(need.action, need.resource, values)
        return authorize(caller.principal, caller.identity_rules, None, question)
    question = Question(need.action, kms_key.arn, values, need.encryption_context)
    rules = KeyRules(kms_key.arn, kms_key.account_id, kms_key.compiled_policy)
    return authorize(caller.principal, caller.identity_rules, rules, question)
