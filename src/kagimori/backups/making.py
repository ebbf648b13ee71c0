"""Makes a backup of a deployment, while it is served or not.

Order: the HSM's journal, then the store, the meter, then the audit journals. So every change in the
copy of the store has its record in the backup, every credential that the HSM made, and all that was
counted.
"""

import importlib.metadata
import math
import os
import tarfile
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec
from msgspec import Struct

from kagimori.backups.form import CHUNK_BYTES, Encrypting, Header, Writable, write_header
from kagimori.backups.members import (
    MANIFEST,
    STORE,
    Manifest,
    Member,
    files_of,
    settled_hsm_journal,
)
from kagimori.backups.places import ENDING, Place
from kagimori.backups.workplace import Workplace, workplace
from kagimori.deployment.facts import facts_from
from kagimori.deployment.folder import Layout, Unusable, check_exists, is_locked
from kagimori.deployment.shipping_key import shipping_key
from kagimori.deployment.stored_keys import all_keys
from kagimori.entities.tables import DOMAINS, TABLES
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.copies import copy_store, newest_schema
from kagimori.rules.keys.domains import ALL, Domains
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.samples import can_make_sample
from kagimori.trail.meter import METER_NAME
from kagimori.trail.meter_copies import copy_meter
from kagimori_boundary.token_form import domain_key_id

ATTEMPTS_MAX: Final = 3


class BackupKey(Struct, frozen=True):
    """The key of one backup, in plain and wrapped; the sample is empty if no key was named."""

    plain: bytes
    wrapped: bytes
    sample: bytes

    def __repr__(self) -> str:
        return "BackupKey()"


# Asks whoever has an open HSM for the key of a backup: its id, and the ARN of a KMS key or None.
AskKey = Callable[[str, str | None], BackupKey]


class Made(Struct, frozen=True):
    """A backup that was made. `made_at` is the moment of the store in it."""

    path: str
    backup_id: str
    made_at: float
    files: int
    plain_bytes: int
    bytes: int
    seconds: float


class _Copy(Struct, frozen=True):
    """Facts in the copy of the store, for the rest of the backup."""

    sealed_domains: bytes
    domain_key_ids: frozenset[str]
    sample_key: KmsKey | None


class _ChangedMeanwhile(Exception):
    """Something was gone, or newer than the copy of the store, before it could be taken."""


def back_up(data: Path, to: Place, ask_key: AskKey) -> Made:
    """Write a backup to a file, or to a new one in a folder or a bucket: whole, or not at all.

    Raises:
        Unusable: no deployment, nothing can be written there, or something changes all the time.
    """
    layout = Layout(data)
    check_exists(layout)
    with workplace(to, data) as place:
        for _ in range(ATTEMPTS_MAX):
            try:
                return _made(layout, place, ask_key)
            except _ChangedMeanwhile:
                place.clear()
            except StoreUnusable as reason:
                raise Unusable(str(reason)) from None
            except OSError as problem:
                why = f"{problem.filename or to}: {problem.strerror}"
                raise Unusable(f"no backup was made: {why}") from None
    raise Unusable("no backup was made: journal files are removed or domain keys rotated meanwhile")


def _made(layout: Layout, place: Workplace, ask_key: AskKey) -> Made:
    began = time.monotonic()
    backup_id = new_uuid()
    growing = is_locked(layout)
    first = settled_hsm_journal(layout, growing=growing)
    made_at = round(time.time(), 3)
    copy_store(layout.store, place.store)
    copy = _read(layout, place.store)
    arn = None if copy.sample_key is None else copy.sample_key.arn
    key = ask_key(backup_id, arn)
    _check_opens(copy, key)
    members = [Member(STORE, place.store, place.store.stat().st_size), *first]
    members += _counted(layout, place)
    members += _listed(layout)
    manifest = Manifest(
        *(backup_id, made_at, arn, _material_of(copy.sample_key), key.sample),
        shipping_key=_shipping_key(layout),
    )
    header = Header(
        backup_id=backup_id,
        made_at=made_at,
        made_by=importlib.metadata.version("kagimori"),
        schema=newest_schema(),
        sealed_domains=copy.sealed_domains,
        wrapped_key=key.wrapped,
    )
    plain_bytes = sum(member.size for member in members)

    def write(out: Writable) -> None:
        encrypting = Encrypting(out, key.plain, write_header(out, header))
        _archive(encrypting, manifest, members)
        encrypting.finish()

    kept = place.keep(_name(backup_id, made_at), plain_bytes, write)
    return Made(
        path=kept.name,
        backup_id=backup_id,
        made_at=made_at,
        files=sum(not member.is_folder for member in members),
        plain_bytes=plain_bytes,
        bytes=kept.bytes,
        seconds=round(time.monotonic() - began, 3),
    )


def _read(layout: Layout, store_copy: Path) -> _Copy:
    """Bring the copy of the store to the newest schema, and read what is needed of it.

    Raises:
        StoreUnusable: it cannot be read.
        Unusable: it is of a newer version, or no deployment's.
    """
    with open_store(store_copy, tuple(TABLES.values())) as store:
        facts = facts_from(store, layout.database)
        domains: Domains | None = store.one(DOMAINS, (ALL,))
        usable = (key for key in all_keys(store) if can_make_sample(key))
        ids = frozenset(key.key_id for key in (() if domains is None else domains.keys))
        return _Copy(facts.sealed_domains, ids, next(usable, None))


def _check_opens(copy: _Copy, key: BackupKey) -> None:
    """Check that the sealed domains in the copy hold the domain key that wrapped the backup's key.

    Raises:
        _ChangedMeanwhile: domain keys were rotated after the store was copied.
    """
    wrapped_by = domain_key_id(key.wrapped)
    # Of an older store nobody knows which domain keys it has, but that it has not rotated any.
    if copy.domain_key_ids and (wrapped_by is None or wrapped_by.hex() not in copy.domain_key_ids):
        raise _ChangedMeanwhile


def _material_of(kms_key: KmsKey | None) -> str | None:
    return None if kms_key is None else kms_key.current_material_id


def _archive(out: Encrypting, manifest: Manifest, members: Sequence[Member]) -> None:
    """Write the manifest and the members, as a tar archive.

    Raises:
        _ChangedMeanwhile: one of them is gone, or shorter than it was.
        OSError: one of them cannot be read, or the archive not be written.
    """
    content = msgspec.json.encode(manifest)
    file = cast("BinaryIO", out)  # a tar stream writes to it, and does nothing else
    with tarfile.open(fileobj=file, mode="w|", bufsize=CHUNK_BYTES) as archive:
        archive.addfile(_entry(MANIFEST, len(content), manifest.made_at), BytesIO(content))
        for member in members:
            entry = _entry(member.name, member.size, manifest.made_at)
            if member.is_folder:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o700
                archive.addfile(entry)
                continue
            with _opened(member) as source:
                archive.addfile(entry, source)


def _listed(layout: Layout) -> list[Member]:
    try:
        return files_of(layout)
    except FileNotFoundError:  # retention has just removed it
        raise _ChangedMeanwhile from None


def _counted(layout: Layout, place: Workplace) -> list[Member]:
    """Copy the meter before the journals are listed: they hold all that it has counted."""
    copy = place.store.with_name(METER_NAME)
    if not copy_meter(layout.audit, copy):
        return []
    return [Member(f"{layout.audit.name}/{METER_NAME}", copy, copy.stat().st_size)]


def _shipping_key(layout: Layout) -> bytes:
    """Return the key of shipped journals; none if there is none and nobody may write it here."""
    try:
        return shipping_key(layout)
    except Unusable:
        if layout.shipping_key.exists():
            raise
        return b""


def _opened(member: Member) -> BinaryIO:
    try:
        opened = member.path.open("rb")
    except FileNotFoundError:
        raise _ChangedMeanwhile from None
    if os.fstat(opened.fileno()).st_size < member.size:
        opened.close()
        raise _ChangedMeanwhile
    return opened


def _entry(name: str, size: int, made_at: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, math.floor(made_at)
    return entry


def _name(backup_id: str, made_at: float) -> str:
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(made_at))
    return f"kagimori-{when}-{backup_id[:8]}{ENDING}"
