"""The trail among nodes, as it lies in the shared store: blocks of lines, and who wrote a record.

A block is a stretch of one file of a journal, exactly as its node wrote it, compressed. How far a
node has put its streams into the store stands beside them.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from kagimori.rules.chain.stream_names import is_stream_name
from kagimori.rules.numbers import whole

SEQUENCE_DIGITS: Final = 20
BLOCK_BYTES_MAX: Final = 16 * 1024 * 1024  # more than any line, and than any piece that is read
_FILE: Final = re.compile(r"[0-9]{20}\.jsonl")


class TrailBlock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines of a stream, whole; `first` is the first one's sequence number with leading zeros."""

    stream: str
    first: str
    last_sequence: int
    file: str
    offset: int
    at: float
    content: bytes
    version: int = 1

    @property
    def first_sequence(self) -> int:
        """The sequence number of the first line.

        Raises:
            BadBlock: its key is none.
        """
        found = whole(self.first, digits_max=SEQUENCE_DIGITS)
        if found is None or key_of(found) != self.first:
            raise BadBlock("its key is no sequence number")
        return found


class SharedTo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a stream is in the store: the last line, its file, and the offset after it."""

    stream: str
    node_id: str
    sequence: int = 0
    line_hash: str = ""
    file: str = ""
    offset: int = 0
    version: int = 1


class FollowerState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a follower has come that one node at a time runs, in the form of its own file."""

    name: str
    state: bytes = b""
    version: int = 0


class TakenRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record whose node was silent: it counts in the stream `by`, and not in its own `stream`."""

    event_id: str
    stream: str
    by: str
    before: tuple[str, ...] = ()  # other streams that it counted in meanwhile
    version: int = 1


class BadBlock(ValueError):
    """Not a block of a journal."""


def block_of(
    stream: str, *, file: str, offset: int, first_sequence: int, lines: Sequence[bytes], at: float
) -> TrailBlock:
    """Return the block of some lines of one file."""
    return TrailBlock(
        stream=stream,
        first=key_of(first_sequence),
        last_sequence=first_sequence + len(lines) - 1,
        file=file,
        offset=offset,
        at=round(at, 3),
        content=zlib.compress(b"\n".join([*lines, b""]), 6),
    )


def key_of(sequence: int) -> str:
    """Return a sequence number as the key of a block has it."""
    return f"{sequence:0{SEQUENCE_DIGITS}}"


def lines_in(block: TrailBlock) -> list[bytes]:
    """Return the lines of a block, without their newlines.

    Raises:
        BadBlock: it holds something else, or too much; or its names are none of a journal's.
    """
    if not is_stream_name(block.stream) or not _FILE.fullmatch(block.file):
        raise BadBlock("its stream or file has no name of a journal")
    opener = zlib.decompressobj()
    try:
        content = opener.decompress(block.content, BLOCK_BYTES_MAX)
    except zlib.error:
        raise BadBlock("it is not compressed lines") from None
    if not opener.eof or opener.unused_data or not content.endswith(b"\n"):
        raise BadBlock("it is not whole, or too long")
    lines = content[:-1].split(b"\n")
    if len(lines) != block.last_sequence - block.first_sequence + 1:
        raise BadBlock("it has not as many lines as it says")
    return lines
