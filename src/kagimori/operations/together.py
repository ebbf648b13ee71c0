"""Looks at many things at once, so that those not in memory are loaded together."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from kagimori.pending import Pending
from kagimori.ports import Absent

T = TypeVar("T")


def together(looks: Iterable[Callable[[], T]]) -> list[T]:
    """Return the results of all looks.

    Raises:
        Absent: something is not in memory yet; loading brings all that was absent in any look.
    """
    found: list[T] = []
    absent: list[Absent] = []
    for look in looks:
        try:
            found.append(look())
        except Absent as one:
            absent.append(one)
    if absent:
        raise Absent(lambda: _all_loaded(absent))
    return found


def _all_loaded(absent: list[Absent]) -> Pending[None]:
    """Settle once everything is there; fail as the first that fails, once all have ended."""
    done: Pending[None] = Pending()
    loads = [one.load() for one in absent]
    left = len(loads)

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left:
            return
        try:
            for load in loads:
                load.result()
        except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
            done.fail(failure)
        else:
            done.settle(None)

    for load in loads:
        load.then(count_down)
    return done
