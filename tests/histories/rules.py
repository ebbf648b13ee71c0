"""The promises that a history must keep, and the name of the one that it breaks.

docs/understand/consistency.md says them in words. The check is exact: what it finds has no
explanation. The name of the rule is a diagnosis, made from the shortest history that fails.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from histories.history import ABSENT, NEVER, OK, REFUSED, UNKNOWN, History, Read, Request, Write
from histories.order import Step, has_order

OWN_CHANGE: Final = "a node does not see its own change"
BOUND: Final = "a node does not see another's change within the bound"
USE: Final = "a use is allowed after the bound of what forbids it"
DENIED: Final = "a success is denied by a later read"
LOST: Final = "an update is lost"
REFUSED_CHANGE: Final = "a refused change happened"
INVENTED: Final = "a value is seen that nobody wrote"
EARLY: Final = "a value is seen before it was written"
TWICE: Final = "a change whose answer was lost happened more than once"
WRONG_STATE: Final = "a change was made of what was in another state"
RULES: Final = (
    *(OWN_CHANGE, BOUND, USE, DENIED, LOST),
    *(REFUSED_CHANGE, INVENTED, EARLY, TWICE, WRONG_STATE),
)
# Registers that are parts of one entity, which every change of a part writes as a whole.
PARTS: Final = ("tag/", "grant/")


@dataclass(frozen=True)
class Violation:
    """A register whose history has no explanation: the rule, and the request that shows it."""

    rule: str
    register: str
    request: Request

    def __str__(self):
        at = self.request
        return f"{self.rule}: {self.register}, request {at.number} ({at.name} of {at.client})"


def violations(history: History) -> list[Violation]:
    """Return what no order of events explains, at most one for each register."""
    found = []
    for register, events in sorted(_by_register(history).items()):
        one = _Register(history, register, events)
        if not one.is_explained(NEVER):
            found.append(one.violation())
    return found


def _by_register(history):
    events = defaultdict(list)
    for request in history.requests:
        for one in (*request.writes, *request.reads):
            events[one.register].append((request, one))
    return events


class _Register:
    """One register, and all requests that changed it or showed it."""

    def __init__(self, history, register, events):
        self._history, self._name = history, register
        self._initial = history.initial.get(register, ABSENT)
        self._writes = [(request, one) for request, one in events if isinstance(one, Write)]
        self._reads = [
            (request, one)
            for request, one in events
            if isinstance(one, Read) and request.outcome != UNKNOWN
        ]
        self._nodes = {request.node for request, _ in self._writes}

    def is_explained(self, until):
        """Return whether an order explains what was answered until then."""
        steps = [
            self._change(request, write, until)
            for request, write in self._writes
            if request.outcome != REFUSED and request.called <= until
        ]
        steps += [self._sight(*read) for read in self._reads if read[0].done <= until]
        return has_order(self._initial, steps)

    def violation(self):
        """Return the first request that has no explanation, and the rule that it breaks."""
        answered = [request for request, _ in (*self._writes, *self._reads)]
        ends = sorted({request.done for request in answered if request.done != NEVER})
        low, high = 0, len(ends) - 1
        while low < high:  # the first answer without which there is an explanation
            middle = (low + high) // 2
            if self.is_explained(ends[middle]):
                low = middle + 1
            else:
                high = middle
        for request, one in (*self._reads, *self._writes):
            if request.done == ends[low]:
                rule = self._rule(request, one) if isinstance(one, Read) else WRONG_STATE
                return Violation(rule, self._name, request)
        raise AssertionError(self._name)

    # --- steps --------------------------------------------------------------------------------

    def _change(self, request, write, until):
        is_sure = request.outcome == OK and request.done <= until
        latest = request.done if is_sure else NEVER
        return Step(
            *(request.number, request.called, latest, write.value, write.needs), is_sure=is_sure
        )

    def _sight(self, request, read):
        own = tuple(
            other.number
            for other, _ in self._writes
            if other.node == request.node and other.outcome == OK and other.done <= request.called
        )
        earliest = request.called - self._bound(request)
        return Step(request.number, earliest, request.done, sees=read.values, after=own)

    def _bound(self, request):
        """Return how old a node's answer may be: longer if it was cut off from the store."""
        history = self._history
        if self._nodes <= {request.node}:
            return 0.0
        for fault in history.faults:
            is_over = request.called - history.others_bound > fault.until
            if fault.node in (request.node, "") and request.done >= fault.since and not is_over:
                return history.cut_off_bound
        return history.others_bound

    # --- diagnosis ----------------------------------------------------------------------------

    def _rule(self, request, read):
        writers = [one for one in self._writes if one[1].value in read.values]
        if self._initial in read.values:
            first = Request(-1, "", "", "", -NEVER, -NEVER, OK)
            writers.append((first, Write(self._name, self._initial)))
        if all(writer.outcome == REFUSED for writer, _ in writers):
            return REFUSED_CHANGE if writers else INVENTED
        happened = [writer for writer, _ in writers if writer.outcome != REFUSED]
        if all(writer.called > request.done for writer in happened):
            return EARLY
        if all(writer.outcome == UNKNOWN for writer in happened) and self._was_seen(request, read):
            return TWICE
        newest = max(writer.called for writer in happened)
        later = [
            other
            for other, write in self._writes
            if other.outcome == OK
            and write.value not in read.values
            and newest < other.called
            and other.done <= request.called
        ]
        if read.is_use:
            return USE
        if ABSENT in read.values and self._name.startswith(PARTS):
            return LOST
        longest = self._history.cut_off_bound
        if not later or any(request.called - other.done > longest for other in later):
            return DENIED
        return OWN_CHANGE if any(one.node == request.node for one in later) else BOUND

    def _was_seen(self, request, read):
        return any(
            set(other.values) & set(read.values) and earlier.done < request.called
            for earlier, other in self._reads
        )
