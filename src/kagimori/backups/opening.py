"""Opens a backup with a root: nothing else is needed, no deployment and no server."""

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec
from msgspec import Struct

from kagimori.backups.form import (
    CHUNK_BYTES,
    MAGIC,
    BackupRefused,
    Decrypting,
    Header,
    read_header,
)
from kagimori.backups.members import MANIFEST, NAMES, STORE, Manifest
from kagimori.backups.places import Place, is_in_bucket, opened_backup
from kagimori.deployment.folder import Unusable
from kagimori.deployment.roots import Root, open_hsm
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.store.copies import newest_schema
from kagimori_boundary.commands import OpenBackupKey
from kagimori_boundary.replies import Bytes

MANIFEST_BYTES_MAX: Final = 64 * 1024


class Unpacked(Struct, frozen=True):
    """A backup that was unpacked and is authenticated to its end."""

    header: Header
    manifest: Manifest
    files: int
    plain_bytes: int


def is_backup(place: Place) -> bool:
    """Return whether a file begins as a backup does; what is in a bucket is one."""
    if is_in_bucket(place):
        return True
    try:
        with Path(place).open("rb") as source:
            return source.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


@contextlib.contextmanager
def unpacked_backup(place: Place, root: Root) -> Iterator[Path]:
    """Yield a temporary folder with the files of a backup; it is gone afterwards.

    Raises:
        Unusable: no backup, damaged, of a newer version, or not opened by this root.
    """
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        unpack(place, root, Path(folder), durable=False)
        yield Path(folder)


def unpack(place: Place, root: Root, folder: Path, *, durable: bool) -> Unpacked:
    """Write the files of a backup into a folder; `durable`: they survive a power cut then.

    Nothing in there is to be used unless this returns: the end of a backup is authenticated last.

    Raises:
        Unusable: no backup, damaged, of a newer version, not opened by this root, or no room.
    """
    with opened_backup(place) as (name, source):
        try:
            read = read_header(source)
            _check_schema(read.header)
            try:
                key = _key_of(read.header, root)
            except Unusable as reason:
                raise Unusable(f"{name}: {reason}") from None
            decrypting = Decrypting(source, key, read.bound)
            return _unpacked(read.header, decrypting, folder, durable=durable)
        except BackupRefused as refused:
            raise Unusable(f"{name} {refused}") from None
        except OSError as problem:
            raise Unusable(f"{problem.filename or folder}: {problem.strerror}") from None


def _check_schema(header: Header) -> None:
    if header.schema > newest_schema():
        raise BackupRefused(f"was made by a newer version of Kagimori ({header.made_by})")


def _key_of(header: Header, root: Root) -> bytes:
    """Return the key of a backup, opened by an HSM that is started for it.

    Raises:
        Unusable: the root does not open it, or cannot be read.
        BackupRefused: the root is right, and the header was altered.
    """
    with (
        tempfile.TemporaryDirectory(prefix="kagimori-") as folder,
        open_hsm(Path(folder) / "hsm.sock", header.sealed_domains, root) as hsm,
    ):
        try:
            reply = hsm.ask(OpenBackupKey(header.backup_id, header.wrapped_key))
        except HsmRefused:
            raise BackupRefused("was altered") from None
    if not isinstance(reply, Bytes):
        raise Unusable("the HSM answered something else")
    return reply.value


def _unpacked(header: Header, source: Decrypting, folder: Path, *, durable: bool) -> Unpacked:
    manifest: Manifest | None = None
    files = plain_bytes = 0
    try:
        stream = cast("BinaryIO", source)  # a tar stream reads from it, and does nothing else
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES) as archive:
            for entry in archive:
                if entry.isdir() and NAMES.fullmatch(entry.name):
                    _make_folders(folder, entry.name.split("/"))
                    continue
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise BackupRefused("holds something else than files")
                if entry.name == MANIFEST:
                    manifest = _manifest(content.read(MANIFEST_BYTES_MAX))
                    continue
                if not NAMES.fullmatch(entry.name):
                    raise BackupRefused("holds a file that no deployment has")
                _write(folder, entry.name, cast("BinaryIO", content), durable=durable)
                files, plain_bytes = files + 1, plain_bytes + entry.size
        while source.read(CHUNK_BYTES):
            continue
    except tarfile.TarError:
        raise BackupRefused("is damaged: its archive cannot be read") from None
    if not source.is_at_end or manifest is None or not (folder / STORE).is_file():
        raise BackupRefused("is incomplete")
    return Unpacked(header, manifest, files, plain_bytes)


def _manifest(content: bytes) -> Manifest:
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (ValueError, RecursionError):
        raise BackupRefused("is damaged: its manifest cannot be read") from None


def _write(folder: Path, name: str, content: BinaryIO, *, durable: bool) -> None:
    *parents, last = name.split("/")
    place = _make_folders(folder, parents)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(place / last, flags, 0o600), "wb") as out:
        shutil.copyfileobj(content, out, CHUNK_BYTES)
        if durable:
            out.flush()
            os.fsync(out.fileno())


def _make_folders(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        folder /= name
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder
