"""Samples where a process of a measured server is, by stage: on the path of profile.py's alone.

Python imports this at its start if its folder is on the path. Each process counts in a file of its
own, mapped before the process gives up opening files. A sample is taken for each two milliseconds
that the process computes, whichever of its threads does: where the first thread waits, the others
are looked at.
"""

import mmap
import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
SAMPLE_SECONDS = 0.002
SLOT = 8
# The first of these that a file's path begins with names its stage; see STAGES in profile.py.
PLACES = [line.split("\t") for line in (HERE / "places").read_text().splitlines()]
OTHER, WAITING = len(PLACES), len(PLACES) + 1
_WAITS = ("threading.py", "selectors.py", "queue.py", "subprocess.py", "socket.py", "process.py")


class Samples:
    """Counts of this process, by place, in a mapped file."""

    def __init__(self) -> None:
        size = (len(PLACES) + 2) * SLOT
        file = os.open(HERE / f"{os.getpid()}.counts", os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(file, size)
        self._counts = memoryview(mmap.mmap(file, size)).cast("Q")
        os.close(file)
        self._known: dict[str, int] = {}

    def take(self, _number, frame) -> None:
        place = self._place(frame)
        if place == WAITING:
            places = [
                self._place(other)
                for other in sys._current_frames().values()  # noqa: SLF001
            ]
            place = next((one for one in places if one not in (OTHER, WAITING)), WAITING)
        self._counts[place] += 1

    def _place(self, frame) -> int:
        if frame is not None and frame.f_code.co_filename.endswith(_WAITS):
            return WAITING
        while frame is not None:
            name = frame.f_code.co_filename
            place = self._known.get(name)
            if place is None:
                place = self._known[name] = _place_of(name)
            if place != OTHER:
                return place
            frame = frame.f_back
        return OTHER


def _place_of(name: str) -> int:
    inner = name.rpartition("/src/")[2]
    return next((at for at, (begin, _) in enumerate(PLACES) if inner.startswith(begin)), OTHER)


if any(word.startswith("kagimori") for word in sys.orig_argv):
    _samples = Samples()
    signal.signal(signal.SIGPROF, _samples.take)
    signal.siginterrupt(signal.SIGPROF, False)  # noqa: FBT003
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
