"""Power cuts, from a recording of all writes and syncs: folders as a cut may leave them.

What a completed fsync or fdatasync covered is there. Of everything else each block is there, or
not, or in part, in any order; a file's length, and names that were made, changed or removed, lag
as well. That is more than most file systems lose, and all that POSIX permits, but for bytes that
nobody wrote: those of blocks that are not there are zero, or older.
"""

import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path

_RECORD = struct.Struct("<qIIQQ")
WRITE, TRUNCATE, CREATE, UNLINK, RENAME, SYNC_BEGUN, SYNCED = range(1, 8)
BLOCK, SECTOR = 4096, 512


@dataclass(frozen=True)
class Done:
    """One thing that a process did to a file, at a monotonic time in seconds."""

    at: float
    kind: int
    path: str
    offset: int
    content: bytes


def read_log(path):
    """Return all that was recorded, in order."""
    content, position, found = path.read_bytes(), 0, []
    while position + _RECORD.size <= len(content):
        at, kind, path_bytes, offset, size = _RECORD.unpack_from(content, position)
        position += _RECORD.size
        name = content[position : position + path_bytes].decode()
        position += path_bytes
        found.append(Done(at / 1e9, kind, name, offset, content[position : position + size]))
        position += size
    return found


@dataclass(eq=False)
class File:
    """A file's content that is durable, and what was done to it since."""

    content: bytearray = field(default_factory=bytearray)
    pending: list = field(default_factory=list)
    begun: int = 0  # how much was pending when its present sync began

    def settle(self):
        """Make durable what was done before the sync began."""
        for done in self.pending[: self.begun]:
            _apply(self.content, done)
        del self.pending[: self.begun]
        self.begun = 0


def _apply(content, done):
    if done.kind == TRUNCATE:
        del content[done.offset :]
        content.extend(bytes(done.offset - len(content)))
        return
    content.extend(bytes(max(0, done.offset - len(content))))
    content[done.offset : done.offset + len(done.content)] = done.content


class Disk:
    """The files below a folder, durable and pending, as they were at a moment."""

    def __init__(self, before, folder):
        """Begin with a copy (`before`) of the folder, all of which is durable."""
        self._folder = folder
        self._folders = [path.relative_to(before) for path in before.rglob("*") if path.is_dir()]
        self.files, self.names, self.renamed = {}, {}, []
        for path in sorted(before.rglob("*")):
            if path.is_file() and not path.is_symlink():
                name = str(folder / path.relative_to(before))
                self.names[name] = self.files[name] = File(bytearray(path.read_bytes()))

    def do(self, done):
        """Take in one thing that was done."""
        folder = str(Path(done.path).parent)
        file = self.files.get(done.path)
        if done.kind == CREATE or (file is None and done.kind in (WRITE, TRUNCATE)):
            file = self.files[done.path] = File()
            self.renamed.append((folder, done.path, file))
        if done.kind in (WRITE, TRUNCATE):
            file.pending.append(done)
        elif done.kind == UNLINK:
            self.files.pop(done.path, None)
            self.renamed.append((folder, done.path, None))
        elif done.kind == RENAME and file is not None:
            target = done.content.decode()
            self.files[target] = self.files.pop(done.path)
            self.renamed.append((str(Path(target).parent), target, file))
            self.renamed.append((folder, done.path, None))
        elif done.kind == SYNC_BEGUN and file is not None:
            file.begun = len(file.pending)
        elif done.kind == SYNCED and file is not None:
            file.settle()
        elif done.kind == SYNCED:
            self._settle_names(done.path)

    def _settle_names(self, folder):
        for where, name, file in self.renamed:
            if where == folder:
                _rename(self.names, name, file)
        self.renamed = [one for one in self.renamed if one[0] != folder]

    def cut(self, chance, target):
        """Write the folder as a power cut at this moment may have left it."""
        names = dict(self.names)
        lagging = {}  # a folder's changes of names come in order, as far as they come
        for where, name, file in self.renamed:
            if lagging.setdefault(where, chance.random()) > chance.random():
                _rename(names, name, file)
            else:
                lagging[where] = -1.0
        manner = chance.choice(("all", "none", "blocks", "blocks", "sectors", "sectors", "first"))
        for folder in ("", *self._folders):
            (target / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, file in names.items():
            path = target / Path(name).relative_to(self._folder)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(left_of(file, chance, manner))
        return manner


def _rename(names, name, file):
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def left_of(file, chance, manner):
    """Return a file's content after a cut, of which some pending writes had come to the disk."""
    content = bytearray(file.content)
    if manner == "none":
        return bytes(content)
    pending = file.pending
    if manner == "first":
        pending = pending[: chance.randint(0, len(pending))]
    whole = bytearray(content)
    for done in pending:
        _apply(whole, done)
    if manner in ("all", "first"):
        return bytes(whole)
    size = BLOCK if manner == "blocks" else SECTOR
    for done in pending:
        if done.kind == TRUNCATE:
            if chance.random() < 0.5:
                _apply(content, done)
            continue
        end = done.offset + len(done.content)
        for start in range(done.offset // size * size, end, size):
            if chance.random() < 0.5:
                first, last = max(start, done.offset), min(start + size, end)
                part = done.content[first - done.offset : last - done.offset]
                _apply(content, Done(0.0, WRITE, "", first, part))
    if chance.random() < 0.5 and len(content) < len(whole):
        content.extend(bytes(len(whole) - len(content)))  # the length came, the blocks did not
    return bytes(content)


def copied(folder, target):
    """Copy a folder as it is: sockets are left out."""
    shutil.copytree(
        folder, target,
        ignore=lambda at, names: [one for one in names if (Path(at) / one).is_socket()],
    )  # fmt: skip
    return target
