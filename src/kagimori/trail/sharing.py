"""The followers by which nodes share the trail: one puts lines into the store, one fetches them.

Lines are put there after they are durable here, in order, together with how far that is. So what
a lost node loses of the trail is at most what it had not put there yet; the records of changes
are in the store in any case, with the changes.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kagimori.entities.node_tables import SHARED_TO, TAKEN_RECORDS, TRAIL_BLOCKS
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.rules.chain.stream_names import is_of_node, is_stream_name, node_of
from kagimori.rules.nodes.shared_trail import SharedTo, block_of, key_of
from kagimori.trail.mirror import Mirror
from kagimori.trail.retention import Proposals
from kagimori.trail.source import Source
from kagimori.trail.streams import known_streams
from kagimori.trail.tail import EVERYTHING, Lines, Place, StreamTail, TrailBroken, place_after

TURN_SECONDS: Final = 0.25
LINES_PUT_MAX: Final = 1000  # in one block
BLOCKS_AT_ONCE: Final = 16


class _Sharing(ABC):
    """A follower with a store of its own, opened when it is needed, and closed on trouble."""

    def __init__(self, source: Source, node: str, open_store: Callable[[], AdminStore]) -> None:
        self._source, self._node, self._open_store = source, node, open_store
        self._store: AdminStore | None = None
        self._broken: dict[str, str] = {}

    def turn(self, *, stopping: bool) -> float:
        try:
            if self._store is None:
                self._store = self._open_store()
            return self._share(self._store)
        except StoreUnusable:
            self.close()
            raise

    def standing(self) -> str | None:
        return next(iter(self._broken.values()), None)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    @abstractmethod
    def _share(self, store: AdminStore) -> float:
        """Share new lines and return the seconds until the next turn."""


class SharingFollower(_Sharing):
    """Puts the lines of this node's streams into the store."""

    name = "sharing"

    def __init__(
        self,
        source: Source,
        node: str,
        open_store: Callable[[], AdminStore],
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(source, node, open_store)
        self._now = now
        self._tails: dict[str, StreamTail] = {}
        self._versions: dict[str, int] = {}

    def _share(self, store: AdminStore) -> float:
        ends = self._source.ends()
        for folder in self._source.folders():
            if folder.name in self._broken or not is_of_node(folder.name, self._node):
                continue
            try:
                self._put(store, folder.name, ends)
            except TrailBroken as broken:
                self._broken[folder.name] = f"nothing more of a stream is shared: {broken}"
            except StoreUnusable:
                self._tails.clear()  # begin again from what is there
                raise
        return TURN_SECONDS

    def _put(self, store: AdminStore, stream: str, ends: Mapping[str, int]) -> None:
        tail = self._tails.get(stream) or self._begin(store, stream)
        up_to = ends.get(stream, EVERYTHING)
        while tail.place.sequence < up_to:
            some = min(up_to, tail.place.sequence + LINES_PUT_MAX)
            pieces = 0
            for lines in tail.read(some):
                self._put_lines(store, stream, lines, tail.place)
                pieces += 1
            if not pieces:
                return

    def _put_lines(self, store: AdminStore, stream: str, lines: Lines, place: Place) -> None:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        block = block_of(
            stream,
            file=lines.file,
            offset=lines.offset,
            first_sequence=lines.first_sequence,
            lines=lines.lines,
            at=self._now(),
        )
        shared_to = SharedTo(
            stream=stream,
            node_id=self._node,
            sequence=place.sequence,
            line_hash=place.line_hash,
            file=place.file,
            offset=place.offset,
            version=version,
        )
        store.note(((TRAIL_BLOCKS, block), (SHARED_TO, shared_to)))

    def _begin(self, store: AdminStore, stream: str) -> StreamTail:
        folder = self._source.audit / stream
        shared: SharedTo | None = store.one(SHARED_TO, (stream,))
        place = Place()
        if shared is not None:
            place = place_after(
                folder, shared.file, shared.offset, shared.sequence, shared.line_hash
            )
            self._versions[stream] = shared.version
        tail = self._tails[stream] = self._source.tail(folder, place)
        return tail


class MirrorFollower(_Sharing):
    """Fetches the lines of other nodes' streams into the audit folder."""

    name = "mirror"

    def __init__(
        self,
        source: Source,
        node: str,
        open_store: Callable[[], AdminStore],
        marks: Path,
        proposals: Proposals,
    ) -> None:
        super().__init__(source, node, open_store)
        self._marks, self._proposals = marks, proposals
        self._mirrors: dict[str, Mirror] = {}

    def close(self) -> None:
        super().close()
        for mirror in self._mirrors.values():
            mirror.close()
        self._mirrors.clear()

    def _share(self, store: AdminStore) -> float:
        known = known_streams(store) or {}
        self._source.know(known)
        self._source.leave_out(taken_elsewhere(store))
        for stream in known:
            if stream in self._broken or not self._is_foreign(stream):
                continue
            try:
                self._fetch(store, stream)
            except TrailBroken as broken:
                self._broken[stream] = f"nothing more of a stream is taken in: {broken}"
        return TURN_SECONDS

    def _is_foreign(self, stream: str) -> bool:
        return is_stream_name(stream) and node_of(stream) not in (None, self._node)

    def _fetch(self, store: AdminStore, stream: str) -> None:
        """Take in all blocks of a stream that are new."""
        folder, mirror = self._source.audit / stream, self._mirrors.get(stream)
        at = 0 if mirror is None else mirror.end.sequence
        if mirror is None and folder.is_dir():
            mirror = self._mirrors[stream] = Mirror(folder, self._marks)
            # A crash may have cut the copy short inside a block.
            at = max(0, mirror.end.sequence - LINES_PUT_MAX)
        while blocks := store.page(TRAIL_BLOCKS, (stream,), (stream, key_of(at)), BLOCKS_AT_ONCE):
            if mirror is None:
                mirror = self._mirrors[stream] = Mirror(folder, self._marks)
            for block in blocks:
                mirror.take(block)
            at = max(blocks[-1].first_sequence, mirror.end.sequence)
            if mirror.begins is not None:
                # A digest says that the copy begins there, so that nobody misses what was before.
                self._proposals.put({stream: mirror.begins})
                mirror.begins = None


def taken_elsewhere(store: AdminStore) -> dict[str, frozenset[str]]:
    """Return the events of each stream that count in another one, by the stream.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    found: dict[str, set[str]] = {}
    for one in store.page(TAKEN_RECORDS, (), None, None):
        # Also in the stream that took it over first, if that node fell silent as well.
        for stream in {one.stream, *one.before} - {one.by}:
            found.setdefault(stream, set()).add(one.event_id)
    return {stream: frozenset(ids) for stream, ids in found.items()}
