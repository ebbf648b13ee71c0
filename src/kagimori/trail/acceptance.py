"""The way on after a journal lost something that was acknowledged: its stream is closed.

Nothing is removed or rewritten: what is left is evidence, and `audit verify` goes on to report it.
The loss and that it was accepted are recorded, in another stream.
"""

import os
from pathlib import Path

from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, lock
from kagimori.deployment.opened import Opened, opened
from kagimori.trail.mark import MARKS, read_mark
from kagimori.trail.reader import stream_folders
from kagimori.trail.recovery import JournalDamaged, find_end
from kagimori.trail.streams import close_stream, known_streams


class AcceptedLoss(Struct, frozen=True):
    """A stream that was closed, and why."""

    stream: str
    why: str


def accept_loss(data: Path) -> list[AcceptedLoss]:
    """Close every stream whose journal cannot go on; return which and why, none if all can.

    Raises:
        Unusable: no deployment, one that is being served, or one that cannot be read or written.
    """
    held = lock(Layout(data))
    try:
        with opened(data) as deployment:
            accepted = _losses(deployment)
            for loss in accepted:
                close_stream(deployment, loss.stream, loss.why)
    except OSError as problem:
        raise Unusable(f"the loss cannot be accepted in {data}: {problem}") from None
    finally:
        os.close(held)
    return accepted


def _losses(deployment: Opened) -> list[AcceptedLoss]:
    audit, marks = deployment.layout.audit, deployment.layout.data / MARKS
    known = known_streams(deployment.store) or {}
    names = {folder.name for folder in stream_folders(audit)} if audit.is_dir() else set()
    names |= {mark.name for mark in marks.iterdir()} if marks.is_dir() else set()
    found = []
    for stream in sorted(name for name in names if not known.get(name)):
        try:
            find_end(audit / stream, read_mark(marks / stream))
        except JournalDamaged as damaged:
            found.append(AcceptedLoss(stream, str(damaged)))
    return found
