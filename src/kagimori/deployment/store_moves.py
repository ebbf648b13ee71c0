"""Moves of a deployment's store: its schema to the newest, its rows to another place, its name.

A move has three steps: stop the servers, copy, name the new place. The former store stays as it is.
"""

import contextlib
import os
import time
from pathlib import Path

from msgspec import Struct

from kagimori.deployment.facts import facts_from
from kagimori.deployment.folder import Layout, Unusable, lock, write_private
from kagimori.deployment.opened import opened
from kagimori.deployment.store_place import store_url
from kagimori.entities.tables import TABLES
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.files import sync_folder
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.copies import copy_between, newest_schema
from kagimori.machinery.store.engines import is_server
from kagimori.machinery.store.transfer import CopiedTable
from kagimori.rules.records.service_event import journal_event


class Moved(Struct, frozen=True):
    """The places of a deployment's store, as people may see them."""

    before: str
    now: str


def migrate(data: Path) -> int:
    """Bring the schema of a deployment's store to the newest; return its number.

    Raises:
        Unusable: no deployment, or a store that cannot be used.
    """
    with opened(data):
        return newest_schema()


def copy(source: str, target: str, *, password_file: Path | None = None) -> list[CopiedTable]:
    """Copy a store into an empty one; each is a data folder, a database file, or a URL.

    `password_file` is for the URLs. Return the tables that were copied and checked.

    Raises:
        Unusable: one of them cannot be used, the source is being served from its folder, or the
            target is not empty; nothing was copied.
    """
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(source)
            if not is_server(source) and folder.is_dir():
                # What changed meanwhile would not be in the copy.
                stack.callback(os.close, lock(Layout(folder)))
            return copy_between(_place(source, password_file), _place(target, password_file))
    except StoreUnusable as reason:
        raise Unusable(str(reason)) from None


def use(data: Path, place: str, *, password_file: Path | None = None) -> Moved:
    """Name another place for the store of a deployment: a database file in its folder, or a URL.

    Raises:
        Unusable: it is being served, or the place holds another deployment's store, or none.
    """
    layout = Layout(data)
    held = lock(layout)
    try:
        wanted = _place(place, password_file)
        if not is_server(place) and Path(place).resolve() != layout.database.resolve():
            raise Unusable(f"a store in a file is in the folder: {layout.database}")
        with opened(data, read_only=True) as deployment:
            before, facts = deployment.store.name, deployment.facts
        with open_store(wanted, tuple(TABLES.values())) as store:
            if facts_from(store, store.name) != facts:
                raise Unusable(f"{store.name} is not a copy of this deployment's store")
        if is_server(place):
            write_private(layout.store_url, str(wanted).encode() + b"\n")
        else:
            layout.store_url.unlink(missing_ok=True)
            sync_folder(data)
        with opened(data) as deployment:
            now = deployment.store.name
            record = journal_event(
                event_id=new_uuid(),
                now=round(time.time(), 3),
                name="MoveStore",
                region=facts.home_region,
                details={"before": before, "now": now},
                account_id=facts.operator_account_id,
            )
            deployment.store.commit((), record)
        return Moved(before, now)
    except StoreUnusable as reason:
        raise Unusable(str(reason)) from None
    except OSError as problem:
        raise Unusable(f"cannot write {data}: {problem.strerror}") from None
    finally:
        os.close(held)


def _place(place: str, password_file: Path | None) -> str | Path:
    """Return the place of a store: that of a folder's, a file, or a URL.

    Raises:
        Unusable: the URL may not be used.
    """
    if "://" in place:
        return store_url(place, password_file)
    layout = Layout(Path(place))
    return layout.store if layout.data.is_dir() else layout.data
