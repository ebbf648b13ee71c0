"""A value that will come, and the runner of coroutines that wait for nothing else.

A request waits twice or three times (HSM, store, journal), each time for one answer that arrives
in a batch. An asyncio task and future for each would cost a loop turn and several objects every
time; here the arrival of the value runs the coroutine on, at once (docs/decisions/0002).
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Pending(Struct, Generic[T], eq=False):
    """A value to be settled once; awaited by at most one coroutine.

    A struct for its constructor alone, which costs less than one in Python.
    """

    _run_on: Callable[[], None] | None = None
    _settled: bool = False
    _failure: BaseException | None = None
    _value: T | None = None

    def __repr__(self) -> str:
        # INVARIANT(no-secret-in-sight): the value may be a plaintext.
        return f"<Pending, {'settled' if self._settled else 'not settled'}>"

    def settle(self, value: T) -> None:
        """Set the value and resume the waiting coroutine. A second call changes nothing."""
        if not self._settled:
            self._settled, self._value = True, value
            if self._run_on is not None:
                self._run_on()

    def fail(self, failure: BaseException) -> None:
        """Set a failure instead, which is raised in the waiting coroutine."""
        if not self._settled:
            self._settled, self._failure = True, failure
            if self._run_on is not None:
                self._run_on()

    def then(self, run_on: Callable[[], None]) -> None:
        """Call `run_on` once settled; now, if that was already."""
        if self._settled:
            run_on()
        else:
            self._run_on = run_on

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
    """Run a coroutine to its next wait; from there it runs on by itself, as its values come.

    The coroutine must await `Pending`s only, and must not let an exception escape: one that does
    ends it, and is reported to the loop, so that it harms nobody else who waits.
    """
    try:
        pending = coroutine.send(None)
    except StopIteration:
        return
    except Exception as problem:  # noqa: BLE001 - a fault, but others settle with this one
        _report(problem)
        return
    # It waits, so this is not settled yet.
    pending._run_on = partial(start, coroutine)  # noqa: SLF001 - the one who runs coroutines on


def _report(problem: Exception) -> None:
    """Report a fault to the event loop by its type alone, since its text could hold input."""
    kind = type(problem).__name__
    asyncio.get_running_loop().call_exception_handler({"message": f"a request ended with {kind}"})
