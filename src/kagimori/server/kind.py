"""The parts of a worker of `serve` that a server for tests replaces."""

from collections.abc import Callable, Coroutine
from typing import Any

from kagimori.gate.asked import NewKeyChoices
from kagimori.gate.who import Who
from kagimori.http.front import Handler
from kagimori.machinery.clock import Clock
from kagimori.settings import Settings

# Does what is due, once.
Turn = Callable[[], Coroutine[Any, Any, None]]


class ServerKind:
    """The parts of a worker that a server for tests replaces by its own, with those of `serve`.

    Nothing below `kagimori.dev` imports others: a worker gets them from the module it was started
    as.
    """

    clock: Clock = Clock()
    who: type[Who] = Who
    new_key_choices: NewKeyChoices = NewKeyChoices()
    unknown_principals: bool = False

    def door(self, doors: Handler, turn: Turn, settings: Settings) -> Handler:
        """Return the handler of requests, given that of `serve`."""
        return doors
