"""Questions that the service answers one at a time for an account: asked in turn, with patience."""

import asyncio
from typing import Any, Final

from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiFailure, ApiRefused

_BUSY: Final = "ThrottlingException"
_TRIES: Final = 8
_PAUSE_SECONDS: Final = 0.15


async def asked(api: Api, operation: str, **members: Any) -> dict[str, Any]:
    """Return the answer of the admin service; wait while it answers another of the account's.

    Raises:
        ApiRefused: it refused, or was busy for more than a few seconds.
        ApiAway: there was no answer.
    """
    for tried in range(1, _TRIES):
        try:
            return await api.admin(operation, **members)
        except ApiRefused as refused:
            if refused.code != _BUSY:
                raise
        await asyncio.sleep(_PAUSE_SECONDS * tried)
    return await api.admin(operation, **members)


async def tried(api: Api, operation: str, **members: Any) -> dict[str, Any] | ApiFailure:
    """Return the answer, or why there is none: for a part of a page that may be missing.

    Raises:
        ApiRefused: the caller's session is over.
    """
    try:
        return await asked(api, operation, **members)
    except ApiFailure as failure:
        if isinstance(failure, ApiRefused) and failure.signed_out:
            raise
        return failure


def found_in(answer: dict[str, Any] | ApiFailure) -> dict[str, Any] | None:
    """Return the members of an answer; None if there is none."""
    return None if isinstance(answer, ApiFailure) else answer


def failure_in(answer: dict[str, Any] | ApiFailure) -> ApiFailure | None:
    """Return why there is no answer; None if there is one."""
    return answer if isinstance(answer, ApiFailure) else None
