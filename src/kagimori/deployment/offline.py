"""Changes made from the command line, whether the deployment is being served or not.

The record of each is committed with it, and goes into the journal when a server starts next.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from kagimori.deployment.folder import Facts, Layout
from kagimori.entities.tables import TABLES
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.machinery.store.change_signal import ADMIN_SLOT, ChangeSignal
from kagimori.machinery.store.sqlite import Commit, Database, open_database
from kagimori.ports import Write
from kagimori_boundary.commands import Command, CreateSecret
from kagimori_boundary.replies import NewSecret, Reply

ADMIN_STREAM: Final = "admin"

T = TypeVar("T")


def with_hsm(layout: Layout, facts: Facts, use: Callable[[Callable[[Command], Reply]], T]) -> T:
    """Return what `use` makes of an HSM of its own; a running server's has its own operator.

    Raises:
        HsmRefused: it did not start or open.
    """
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        hsm = HsmProcess(Path(folder) / "hsm.sock", layout.seal_key)
        try:
            hsm.unseal(facts.sealed_domains)
            return use(hsm.ask)
        finally:
            hsm.end()


def new_secret(ask: Callable[[Command], Reply], account_id: str, access_key_id: str) -> NewSecret:
    """Return a secret access key that the HSM drew, in plain and sealed.

    Raises:
        HsmRefused: no secret was made.
    """
    secret = ask(CreateSecret(account_id, access_key_id))
    if not isinstance(secret, NewSecret):
        raise HsmRefused("the HSM answered something else")
    return secret


def commit(layout: Layout, writes: Sequence[Write], event_id: str, record: bytes) -> None:
    """Make changes and their record durable together; running workers see them at once.

    Raises:
        StoreConflict: what they were decided upon is no longer so.
        sqlite3.Error: nothing was changed.
    """
    # Sequence 0: the whole of that journal is looked through before the record is added to it.
    change = Commit(writes, event_id, record, 0)
    connection = open_database(layout.database)
    try:
        Database(connection, ADMIN_STREAM, tuple(TABLES.values())).commit_all([change], ())
    finally:
        connection.close()
    if change.failure is not None:
        raise change.failure
    layout.run.mkdir(mode=0o700, exist_ok=True)
    signal = ChangeSignal(layout.run / "changes", ADMIN_SLOT)
    signal.tell()
    signal.close()
