"""The synced mark of a journal: how far its records were durable, noted beside the journal.

After each sync the mark is overwritten in place and not synced itself, so that it costs next to
nothing. It may therefore lag behind the journal after a power cut, and is never ahead of it. Two
slots take turns, so that a torn write leaves the one before. Followers read the journal as far as
the mark says.
"""

import os
import zlib
from pathlib import Path
from typing import Final

from kagimori.machinery.files import sync_folder
from kagimori.rules.chain.chain import START, Link

MARKS: Final = "run/synced"  # in the data folder; a copy of the audit folder has none
SLOT_BYTES: Final = 4096  # a block each, so that one lost block does not take both
_TEXT_BYTES: Final = 20 + 1 + 64


class SyncedMark:
    """One journal's mark. Belongs to the thread that syncs the journal."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        sync_folder(path.parent)
        self._turn = 0

    def write(self, link: Link) -> None:
        """Note a link that was synced; not durable by itself.

        Raises:
            OSError: it cannot be written.
        """
        text = b"%020d %b" % (link.sequence, link.line_hash.encode())
        slot = b"%b %08x\n" % (text, zlib.crc32(text))
        os.pwrite(self._file, slot, self._turn * SLOT_BYTES)
        self._turn = 1 - self._turn

    def settle(self, link: Link) -> None:
        """Make this link the mark in both slots, durably.

        Raises:
            OSError: it cannot be written.
        """
        self.write(link)
        self.write(link)
        os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read_mark(path: Path) -> Link | None:
    """Return the newest link that was noted, START if none can be read; None without a mark.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    slots = (content[:SLOT_BYTES], content[SLOT_BYTES:])
    links = [link for link in map(_link_in, slots) if link is not None]
    return max(links, key=lambda link: link.sequence, default=START)


def _link_in(slot: bytes) -> Link | None:
    text, rest = slot[:_TEXT_BYTES], slot[_TEXT_BYTES : _TEXT_BYTES + 10]
    if rest != b" %08x\n" % zlib.crc32(text):
        return None
    sequence, _, line_hash = text.partition(b" ")
    return Link(int(sequence), line_hash.decode("ascii"))
