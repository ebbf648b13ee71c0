"""Operators of the deployment: the identities of the account that `kagimori init` made.

What spans accounts is theirs alone. IAM policies of their account say which of them may do it; a
caller of another account is no operator, whatever policies say.

Source: docs/look-up/admin-api.md, "Who may".
"""

from kagimori.entities.tables import DENIALS
from kagimori.gate.asked import Asked, Request
from kagimori.ports import View
from kagimori.rules.authorization.denial import Denial
from kagimori.rules.authorization.denial_view import visible_to
from kagimori.rules.refusal import AccessDeniedException


def reach_of(asked: Request, action: str) -> str | None:
    """Return the one account that a caller may see; None is all of them.

    Raises:
        AccessDeniedException: a service asks, or somebody through a service.
    """
    caller = asked.caller
    if caller.via is not None or caller.service is not None or not caller.account_id:
        raise _denied(asked, action, "services cannot use the admin service")
    operators = asked.settings.operator_account_id
    return None if caller.account_id == operators else caller.account_id


def account_asked(asked: Request, action: str) -> str | None:
    """Return the account that a request with an AccountId is about; None is all of them.

    Raises:
        AccessDeniedException: another account's, by somebody who is no operator.
    """
    reach, named = reach_of(asked, action), asked.call.input.AccountId
    if reach is not None and named not in (None, reach):
        raise foreign(asked, action)
    return reach if named is None else str(named)


def check_operator(asked: Request, action: str) -> None:
    """Return if the caller is an operator; whether it is allowed the action is another question.

    Raises:
        AccessDeniedException: it is not.
    """
    if reach_of(asked, action) is not None:
        raise _denied(asked, action, "it is for the account that operates this deployment")


def deployment_view(asked: Asked, action: str) -> View:
    """Return the whole store, for an operator.

    Raises:
        AccessDeniedException: the caller is none.
    """
    check_operator(asked, action)
    return asked.view.whole


def denial_of_request(asked: Asked, request_id: str, action: str) -> Denial | None:
    """Return a denial as far as the caller's account may see it; None if it may not.

    Raises:
        Absent: it is not in memory yet.
    """
    found = asked.view.whole.page(DENIALS, (request_id,), None, 1, "by_request")
    return visible_to(found[0], reach_of(asked, action)) if found else None


def foreign(asked: Request, action: str) -> AccessDeniedException:
    """Return the refusal of what is, or would be, another account's: the same for both."""
    return _denied(asked, action, "it belongs to another account")


def _denied(asked: Request, action: str, why: str) -> AccessDeniedException:
    name = asked.caller.principal.arn
    return AccessDeniedException(
        f"User: {name} is not authorized to perform: {action} because {why}"
    )
