"""The members of a backup: the files of a deployment, each with the length that belongs to it.

What grows while it is read is taken up to a line that was whole. The seal key is never among them,
nor what a running server or one node has for itself: its lock, its sockets, its marks, its id.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from kagimori.deployment.folder import Layout
from kagimori.rules.chain.digest import FOLDER
from kagimori.trail.files import journal_files
from kagimori.trail.minted import RECORD_SECONDS_MAX
from kagimori.trail.reader import LINE_BYTES_MAX, stream_folders

MANIFEST: Final = "backup.json"
STORE: Final = "kagimori.db"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}"
# Names under which something is restored; an archive with any other is refused.
NAMES: Final = re.compile(
    rf"{re.escape(STORE)}|kagimori\.toml|root-access-key\.json|hsm/journal\.jsonl"
    rf"|tls/{_NAME}|audit/{_NAME}(/{_NAME})?"
)


class Member(Struct, frozen=True):
    """A file of a backup: its name there, where it is now, and how much of it is taken.

    Folders are those of streams, which must be there even if nothing was written into them yet.
    """

    name: str
    path: Path
    size: int
    is_folder: bool = False


class Manifest(Struct, frozen=True):
    """Facts inside a backup. The sample is a known text, encrypted with `sample_key_arn`.

    `shipping_key` opens the journals that are shipped beside it.
    """

    backup_id: str
    made_at: float
    sample_key_arn: str | None
    sample_material_id: str | None
    sample: bytes
    shipping_key: bytes = b""

    def __repr__(self) -> str:
        return f"Manifest(backup_id={self.backup_id!r})"


class _Made(Struct, frozen=True):
    at: float


class _Line(Struct, frozen=True):
    record: _Made


_decode_line = msgspec.json.Decoder(_Line).decode


def settled_hsm_journal(
    layout: Layout,
    *,
    growing: bool,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Member]:
    """Return the HSM's journal, once the records for all its lines can be in the audit journals.

    The HSM writes a line before the record can come. So a restored trail has no credentials
    without a record only if the journals are read a little later.

    Raises:
        OSError: it cannot be read.
    """
    path = layout.hsm_journal
    if not path.is_file():
        return []
    size = whole_lines(path)
    if growing:
        wait = _newest_time(path, size) + RECORD_SECONDS_MAX - now()
        if 0.0 < wait <= RECORD_SECONDS_MAX:
            sleep(wait)
    return [Member("hsm/journal.jsonl", path, size)]


def files_of(layout: Layout) -> list[Member]:
    """Return everything but the store and the HSM's journal: settings, TLS, digests, journals.

    Digests come before journals: all that they sign is then in the backup.

    Raises:
        OSError: something cannot be read.
    """
    found = list(_plain(layout, layout.data / "kagimori.toml", layout.credentials))
    if layout.tls.is_dir():
        found += _plain(layout, *sorted(layout.tls.iterdir()))
    if layout.audit.is_dir():
        states = sorted(layout.audit.glob("*.json"))
        digests = sorted((layout.audit / FOLDER).glob("*.json"))
        found += _plain(layout, layout.audit_public_key, *states, *digests)
        for folder in stream_folders(layout.audit):
            found += _journal(folder)
    return found


def _plain(layout: Layout, *paths: Path) -> Iterator[Member]:
    for path in paths:
        name = path.relative_to(layout.data).as_posix()
        if path.is_file() and NAMES.fullmatch(name):
            yield Member(name, path, path.stat().st_size)


def _journal(folder: Path) -> Iterator[Member]:
    yield Member(f"audit/{folder.name}", folder, 0, is_folder=True)
    files = journal_files(folder)
    for file in files:
        size = whole_lines(file) if file is files[-1] else file.stat().st_size
        yield Member(f"audit/{folder.name}/{file.name}", file, size)


def whole_lines(path: Path) -> int:
    """Return the length of a file up to the end of its last whole line.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - LINE_BYTES_MAX)
        file.seek(start)
        return start + file.read(size - start).rfind(b"\n") + 1


def _newest_time(path: Path, size: int) -> float:
    """Return the time in the last line before `size`; 0 if it says none."""
    with path.open("rb") as file:
        start = max(0, size - LINE_BYTES_MAX)
        file.seek(start)
        line = file.read(size - start).rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return _decode_line(line).record.at
    except ValueError:  # msgspec's refusals are ValueErrors
        return 0.0
