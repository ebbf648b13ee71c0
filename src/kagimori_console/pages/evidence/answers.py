"""Answers to the questions of a report, several at once, by the person who is signed in."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.health.asking import asked
from kagimori_console.web.page import Page
from kagimori_evidence.asking import Answer, Ask, Refused
from kagimori_evidence.deployment import ADMIN

_TOGETHER: Final = 12
_BUSY: Final = frozenset({"Throttling", "ThrottlingException"})
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.2


class Answers:
    """Asks the service as the person of a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._room = asyncio.Semaphore(_TOGETHER)

    async def __call__(self, asks: Sequence[Ask]) -> list[Answer]:
        """Return the answers in the order of the questions.

        The admin service answers one question of an account at a time.

        Raises:
            ApiRefused: the person's session is over.
            ApiAway: the service does not answer.
        """
        if any(ask.service == ADMIN for ask in asks):
            return [await self._answer(ask) for ask in asks]
        return list(await asyncio.gather(*map(self._answer, asks)))

    async def _answer(self, ask: Ask) -> Answer:
        api = self._page.api if ask.region is None else self._page.api_in(ask.region)
        async with self._room:
            for tried in range(1, _TRIES + 1):
                try:
                    return await _asked(api, ask)
                except ApiRefused as refused:
                    if refused.signed_out:
                        raise
                    if refused.code not in _BUSY or tried == _TRIES:
                        return Refused(refused.code, refused.message)
                await asyncio.sleep(_PAUSE_SECONDS * tried)
        raise AssertionError  # the last try returns


async def _asked(api: Api, ask: Ask) -> dict[str, Any]:
    if ask.every is not None:
        return {ask.every: await api.all(ask.service, ask.operation, ask.every, **ask.members)}
    if ask.service == ADMIN:
        return await asked(api, ask.operation, **ask.members)
    return await api.call(ask.service, ask.operation, **ask.members)
