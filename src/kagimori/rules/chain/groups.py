"""Groups: the records that a journal makes durable together, marked where they begin and end.

The marks are white space inside the JSON of the first and the last record, which no reader minds:
a space after the first brace, and before the last one a checksum of the group as 32 blanks and
tabs. So a start after a power cut can see whether the last group is whole.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from kagimori.rules.chain.chain import Link

_BITS: Final = 32
_TO_BLANKS: Final = bytes.maketrans(b"01", b" \t")
# No text in a record can look like this: within strings, quotes are escaped.
_BEGINS: Final = re.compile(rb'\{"sequence":([0-9]{1,19}),"previous":"[0-9a-f]{64}","record":\{ ')


def mark_group(link: Link, records: Sequence[bytes]) -> list[bytes]:
    """Return the records of a group, which is to follow `link`, with its marks."""
    if not records:
        return []
    marked = list(records)
    checksum = _checksum(link, b"".join(records))
    marked[0] = b"{ " + marked[0][1:]
    marked[-1] = marked[-1][:-1] + checksum + b"}"
    return marked


def begins_group(record: bytes) -> bool:
    return record.startswith(b"{ ")


def ends_group(link: Link, records: Sequence[bytes]) -> bool:
    """Return whether these marked records, which follow `link`, are a whole group."""
    checksum = records[-1][-1 - _BITS : -1]
    if checksum.strip(b" \t"):
        return False
    return checksum == _checksum(link, b"".join(map(unmarked, records)))


def unmarked(record: bytes) -> bytes:
    """Return a record as it was before it was marked."""
    if record[-2] in b" \t":
        record = record[: -1 - _BITS] + b"}"
    return b"{" + record[2:] if record[1] == b" "[0] else record


def groups_in(content: bytes) -> list[int]:
    """Return the sequence numbers of all first records of groups, wherever in there they are."""
    return [int(found[1]) for found in _BEGINS.finditer(content)]


def _checksum(link: Link, content: bytes) -> bytes:
    number = zlib.crc32(content, zlib.crc32(link.line_hash.encode()))
    return format(number, "032b").encode().translate(_TO_BLANKS)
