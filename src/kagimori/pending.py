"""A value that will come, and the runner of coroutines that wait for nothing else.

A request waits twice or three times (HSM, store, journal), each time for one answer that arrives
in a batch. An asyncio task and future for each would cost a loop turn and several objects every
time; here the arrival of the value runs the coroutine on, at once (docs/decisions/0002).
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """A value to be settled once; awaited by at most one coroutine."""

    __slots__ = ("_continue", "_failure", "_settled", "_value")

    def __init__(self) -> None:
        self._continue: Callable[[], None] | None = None
        self._settled = False
        self._failure: BaseException | None = None
        self._value: T | None = None

    def settle(self, value: T) -> None:
        """Set the value and resume the waiting coroutine. A second call changes nothing."""
        if not self._settled:
            self._settled, self._value = True, value
            if self._continue is not None:
                self._continue()

    def fail(self, failure: BaseException) -> None:
        """Set a failure instead, which is raised in the waiting coroutine."""
        if not self._settled:
            self._settled, self._failure = True, failure
            if self._continue is not None:
                self._continue()

    def then(self, run_on: Callable[[], None]) -> None:
        """Call `run_on` once settled; now, if that was already."""
        if self._settled:
            run_on()
        else:
            self._continue = run_on

    def result(self) -> T:
        """Return the value, or raise the failure, of what is settled."""
        if self._failure is not None:
            raise self._failure
        return self._value  # type: ignore[return-value] # settled, so it is a T

    def __await__(self) -> Generator["Pending[T]", None, T]:
        if not self._settled:
            yield self
        if self._failure is not None:
            raise self._failure
        return self._value  # type: ignore[return-value] # settled, so it is a T


def start(coroutine: Coroutine[Pending[Any], None, None]) -> None:
    """Run a coroutine to its first wait, and on from there as its values come.

    The coroutine must await `Pending`s only, and must not let an exception escape: one that does
    ends it, and is reported to the loop, so that it harms nobody else who waits.
    """
    _Runner(coroutine)()


class _Runner:
    """Runs a coroutine on.

    Not a closure: one that names itself is a cycle, which for each request only the collector ends.
    """

    __slots__ = ("_send",)

    def __init__(self, coroutine: Coroutine[Pending[Any], None, None]) -> None:
        self._send = coroutine.send

    def __call__(self) -> None:
        try:
            pending = self._send(None)
        except StopIteration:
            return
        except Exception as problem:  # noqa: BLE001 - a fault, but others settle with this one
            _report(problem)
            return
        pending.then(self)


def _report(problem: Exception) -> None:
    """Report a fault to the event loop by its type alone, since its text could hold input."""
    kind = type(problem).__name__
    asyncio.get_running_loop().call_exception_handler({"message": f"a request ended with {kind}"})
