"""The chain: each line of a journal names the hash of the line before it.

A line is `{"sequence":N,"previous":"HEX","record":{...}}`; its hash is the SHA-256 of the line
without its newline. With one hash, anybody can see whether a line before it was changed.
"""

import re
from hashlib import sha256
from typing import Final

from msgspec import Struct

GENESIS: Final = "0" * 64
_LINE: Final = re.compile(
    rb'\{"sequence":([0-9]{1,19}),"previous":"([0-9a-f]{64})","record":(\{.*\})\}'
)


class Link(Struct, frozen=True):
    """The end of a chain: the last sequence number given, and the hash of that line."""

    sequence: int
    line_hash: str


START: Final = Link(0, GENESIS)


def join(link: Link, *records: bytes) -> tuple[bytes, Link]:
    """Return the lines that add records to the chain (each with its newline), and the new end."""
    sequence, line_hash = link.sequence, link.line_hash
    lines = []
    for record in records:
        sequence += 1
        line = b'{"sequence":%d,"previous":"%b","record":%b}' % (
            sequence,
            line_hash.encode(),
            record,
        )
        line_hash = sha256(line).hexdigest()
        lines.append(line)
    lines.append(b"")
    return b"\n".join(lines), Link(sequence, line_hash)


class BrokenLine(ValueError):
    """Not a line of a journal, or not the next one of this chain."""


def follow(link: Link, line: bytes) -> tuple[bytes, Link]:
    """Return the record in the next line (without newline), and the new end of the chain.

    Raises:
        BrokenLine: malformed, out of sequence, or naming another line before it.
    """
    sequence, previous, record = read_line(line)
    if sequence != link.sequence + 1:
        raise BrokenLine(f"sequence {sequence} where {link.sequence + 1} was expected")
    if previous != link.line_hash:
        raise BrokenLine(f"sequence {sequence} does not name the line before it")
    return record, Link(sequence, sha256(line).hexdigest())


def read_line(line: bytes) -> tuple[int, str, bytes]:
    """Return sequence, previous hash and record of one line.

    Raises:
        BrokenLine: not a line of a journal.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise BrokenLine("not a line of a journal")
    return int(match[1]), match[2].decode(), match[3]
