"""A history: each request of each client, with when it was made, and what it changed or showed.

Requests act on registers: a key's state, its policy, one tag, one grant, one alias. A register has
one value at a time, as text. Times are seconds of one monotonic clock.
"""

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

OK: Final = "ok"
REFUSED: Final = "refused"  # surely nothing was done
UNKNOWN: Final = "unknown"  # the answer was lost, or says that something failed: done or not
ABSENT: Final = "absent"
NEVER: Final = float("inf")


@dataclass(frozen=True)
class Write:
    """A register got this value; `needs`: it can only have had one of these before (None: any)."""

    register: str
    value: str
    needs: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Read:
    """A register was seen with one of these values. A use: it was believed, not shown."""

    register: str
    values: tuple[str, ...]
    is_use: bool = False


@dataclass(frozen=True)
class Request:
    """One request of one client, to one node."""

    number: int
    client: str
    node: str
    name: str
    called: float
    done: float  # NEVER, if its outcome is unknown
    outcome: str
    writes: tuple[Write, ...] = ()
    reads: tuple[Read, ...] = ()
    code: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class Fault:
    """Something was wrong with a node's store, or its way there, from one time to another."""

    name: str
    node: str
    since: float
    until: float


@dataclass
class History:
    """All that was recorded, with the values that registers had before the first request."""

    seed: str = ""
    initial: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    others_bound: float = 1.0
    cut_off_bound: float = 5.0

    def __post_init__(self):
        self._lock = threading.Lock()

    def add(self, **members):
        """Record a request; several threads may."""
        with self._lock:
            self.requests.append(Request(len(self.requests), **members))

    def begin(self, register, value):
        """Note the value of a register that no other request knows yet."""
        with self._lock:
            self.initial[register] = value

    def write(self, path: Path):
        """Write the history to a file, one line of JSON for each request."""
        head = {
            "seed": self.seed,
            "initial": self.initial,
            "faults": [asdict(fault) for fault in self.faults],
            "bounds": [self.others_bound, self.cut_off_bound],
        }
        lines = [head, *(asdict(request) for request in self.requests)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def read_history(path: Path):
    """Return the history in a file."""
    head, *lines = map(json.loads, path.read_text().splitlines())
    history = History(head["seed"], head["initial"])
    history.others_bound, history.cut_off_bound = head["bounds"]
    history.faults = [Fault(**fault) for fault in head["faults"]]
    for line in lines:
        line["writes"] = tuple(
            Write(one["register"], one["value"], one["needs"] and tuple(one["needs"]))
            for one in line["writes"]
        )
        line["reads"] = tuple(
            Read(one["register"], tuple(one["values"]), one["is_use"]) for one in line["reads"]
        )
        history.requests.append(Request(**line))
    return history
