"""Pages of the admin service: `MaxResults` and `NextToken`."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from kagimori.gate.asked import Request
from kagimori.operations.pages import marker_of, start_of
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.refusal import InvalidMarkerException

PAGE_DEFAULT: Final = 100


def limit_of(asked: Request) -> int:
    """Return how many entries a page has; the service model bounds what may be asked for."""
    return asked.call.input.MaxResults or PAGE_DEFAULT


def after_of(asked: Request) -> tuple[str, ...] | None:
    """Return the key after which a page begins; None for the first page.

    Raises:
        InvalidNextTokenException: not a token that this listing gave.
    """
    try:
        return start_of(asked.call.input.NextToken, *_scope(asked))
    except InvalidMarkerException:
        raise InvalidNextTokenException("Invalid token") from None


def answer_of(
    asked: Request,
    entries: Sequence[Any],
    name: str,
    shown: Callable[[Any], dict[str, Any]],
    key: Callable[[Any], str],
) -> dict[str, Any]:
    """Return the answer for a page; `entries` hold one more than its limit if there is more."""
    limit = limit_of(asked)
    answer: dict[str, Any] = {name: [shown(entry) for entry in entries[:limit]]}
    if len(entries) > limit:
        answer["NextToken"] = marker_of([key(entries[limit - 1])], *_scope(asked))
    return answer


def _scope(asked: Request) -> tuple[str, str]:
    return asked.call.operation, asked.caller.account_id
