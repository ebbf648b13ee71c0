"""Proves that a backup would work: a trial restore, every stored token opened, a text decrypted.

The trial is in a temporary folder, which is gone afterwards, and with an HSM of its own.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kagimori.backups.members import Manifest
from kagimori.backups.places import Place
from kagimori.backups.restoring import Restored, StopWatch, restore
from kagimori.deployment.opened import Opened, opened
from kagimori.deployment.roots import Root, open_hsm
from kagimori.deployment.stored_keys import keys_named
from kagimori.entities.identity_tables import USERS
from kagimori.entities.stored_tokens import TOKEN_KINDS
from kagimori.entities.tables import TOKEN_TABLES
from kagimori.hsm.user import HsmUser
from kagimori.machinery.store.admin import AdminStore
from kagimori.ports import Table
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT
from kagimori.trail.verification import verify
from kagimori_boundary.commands import Decrypt, RewrapTokens, StoredToken
from kagimori_boundary.commands.backups import sample_context, sample_text
from kagimori_boundary.replies import Bytes, Tokens
from kagimori_boundary.token_form import domain_key_id

ROWS_AT_ONCE: Final = 500
TOKENS_AT_ONCE: Final = 32
REFUSED_SHOWN: Final = 20
DECRYPTED, NO_KEY, NOT_DECRYPTED = "decrypted", "no key", "not decrypted"


class Proof(Struct, frozen=True):
    """The result of a trial restore.

    `age_seconds` is the recovery point: changes since the backup are lost. `record_age_seconds`
    is that of the trail, which is later if journals were shipped. `restore_seconds` and
    `check_seconds` were measured here, and in which stages; with the start of a server they are
    the recovery time. `streams` has the newest record of each.
    """

    works: bool
    backup_id: str
    made_at: float
    age_seconds: float
    restore_seconds: float
    check_seconds: float
    files: int
    plain_bytes: int
    tokens: int
    refused: tuple[str, ...]
    sample: str
    sample_key: str | None
    records: int
    findings: tuple[str, ...]
    record_age_seconds: float | None
    shipped_records: int
    stages: dict[str, float]
    streams: dict[str, int]


def prove(place: Place, root: Root) -> Proof:
    """Return whether a backup restores, and what does not work in it.

    Raises:
        Unusable: it does not restore at all.
    """
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        data = Path(folder) / "data"
        restored = restore(place, data, root, durable=False)
        with opened(data) as deployment:
            return _proof(deployment, restored, Path(folder), root)


def _proof(deployment: Opened, restored: Restored, folder: Path, root: Root) -> Proof:
    watch = StopWatch()
    manifest, socket_path = restored.manifest, folder / "hsm.sock"
    with open_hsm(socket_path, deployment.facts.sealed_domains, root):
        watch.stage("hsm")
        user = HsmUser(socket_path)
        try:
            tokens, refused = _open_all(deployment.store, user)
            watch.stage("tokens")
            sample = _sample(deployment.store, user, manifest)
            watch.stage("known text")
        finally:
            user.close()
    layout = deployment.layout
    # A deployment that was never served has no trail yet.
    trail = verify(layout.data, served=False) if layout.audit.is_dir() else None
    watch.stage("trail")
    now, newest = time.time(), restored.newest_record_at
    findings = [
        f"{found.stream}: {found.message}" for found in (() if trail is None else trail.findings)
    ]
    findings += restored.shipped.findings
    return Proof(
        works=not refused and sample != NOT_DECRYPTED and not findings,
        backup_id=restored.backup_id,
        made_at=restored.made_at,
        age_seconds=round(now - restored.made_at, 3),
        restore_seconds=restored.seconds,
        check_seconds=watch.total,
        files=restored.files,
        plain_bytes=restored.plain_bytes,
        tokens=tokens,
        refused=tuple(refused[:REFUSED_SHOWN]),
        sample=sample,
        sample_key=manifest.sample_key_arn,
        records=0 if trail is None else trail.records,
        findings=tuple(findings),
        record_age_seconds=None if newest is None else round(max(0.0, now - newest), 3),
        shipped_records=restored.shipped.records,
        stages=restored.stages | watch.stages,
        streams={} if trail is None else {one.stream: one.newest.sequence for one in trail.streams},
    )


def _open_all(store: AdminStore, user: HsmUser) -> tuple[int, list[str]]:
    """Return how many tokens open, and the entities with one that does not.

    What another key store holds has no token of the HSM, and is not asked for.
    """

    def user_id(profile: LoginProfile) -> str:
        found = store.one(USERS, (profile.account_id, profile.member))
        return "" if found is None else str(found.unique_id)

    count, refused = 0, []
    for table, entity in _entities(store):
        kind = TOKEN_KINDS[table.entity]
        if any(domain_key_id(token) is None for token in kind.tokens(entity)):
            continue
        presented = kind.presented(entity, user_id)
        if _opens(user, presented):
            count += len(presented)
        else:
            refused.append(f"{table.name} {'/'.join(map(str, table.key_of(entity)))}")
    return count, refused


def _opens(user: HsmUser, presented: Sequence[StoredToken]) -> bool:
    return all(
        isinstance(user.perform(RewrapTokens(list(presented[at : at + TOKENS_AT_ONCE]))), Tokens)
        for at in range(0, len(presented), TOKENS_AT_ONCE)
    )


def _entities(store: AdminStore) -> Iterator[tuple[Table, Any]]:
    for table in TOKEN_TABLES:
        after = None
        while page := store.page(table, (), after, ROWS_AT_ONCE):
            yield from ((table, entity) for entity in page)
            after = table.key_of(page[-1])


def _sample(store: AdminStore, user: HsmUser, manifest: Manifest) -> str:
    """Return whether the known text in the backup was decrypted, with the key that made it."""
    arn = manifest.sample_key_arn
    if arn is None:
        return NO_KEY
    found = keys_named(store, arn)[0]
    token = found.bound_tokens.get(manifest.sample_material_id or "", b"")
    context = sample_context(manifest.backup_id)
    reply = user.perform(Decrypt(token, SYMMETRIC_DEFAULT, manifest.sample, context))
    is_right = isinstance(reply, Bytes) and reply.value == sample_text(manifest.backup_id)
    return DECRYPTED if is_right else NOT_DECRYPTED
