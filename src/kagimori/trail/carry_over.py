"""Carries streams over that nobody writes to any more: their ends are put in order, once.

Such streams are those of a version without node ids, and those of a node whose folder was restored
without its id. Their names and lines stay, since signed digests name them; they are closed, and
followed, verified and searched as ever. Records on their way to them go into a worker's stream
(`outbox.recover_closed`).
"""

from collections.abc import Iterable, Iterator, Mapping

from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import Opened
from kagimori.rules.chain.stream_names import is_of_node
from kagimori.trail.mark import MARKS, read_mark
from kagimori.trail.recovery import Cut, JournalDamaged, damage_text, recover_end
from kagimori.trail.reserve import RESERVE_NAME


def streams_to_close(streams: Mapping[str, bool], node: str) -> list[str]:
    """Return which streams, of those with whether they are closed, are open and not the node's."""
    return [name for name, closed in streams.items() if not (closed or is_of_node(name, node))]


def settle_ends(deployment: Opened, streams: Iterable[str]) -> Iterator[Cut]:
    """Cut off the streams' ends what was never acknowledged; yield what that was.

    Raises:
        Unusable: one lacks something that was acknowledged.
        OSError: one cannot be read or written.
    """
    layout = deployment.layout
    for stream in streams:
        try:
            end = recover_end(layout.audit / stream, read_mark(layout.data / MARKS / stream))
        except JournalDamaged as damaged:
            raise Unusable(damage_text(damaged)) from None
        # Nothing is written here any more, so no room need be kept for it.
        (layout.audit / stream / RESERVE_NAME).unlink(missing_ok=True)
        if end.cut is not None:
            yield end.cut
