"""Opens a deployment in its folder, for commands that work without a server.

What they change is committed with its record; the record goes into the journal when a server
starts next.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from kagimori.deployment.facts import Facts, facts_from
from kagimori.deployment.folder import Layout, Unusable, check_exists
from kagimori.deployment.integrity import arm
from kagimori.deployment.node import node_id
from kagimori.entities.tables import TABLES
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.machinery.store.admin import AdminStore, StoreUnusable, open_store
from kagimori.rules.chain.stream_names import admin_stream
from kagimori_boundary.commands import Command, CreateSecret
from kagimori_boundary.replies import NewSecret, Reply
from kagimori_boundary.seals import FILE, seals_in

T = TypeVar("T")
Ask = Callable[[Command], Reply]


class Opened(Struct, frozen=True):
    """A deployment whose store is open."""

    layout: Layout
    facts: Facts
    store: AdminStore


@contextlib.contextmanager
def opened(data: Path, *, read_only: bool = False) -> Iterator[Opened]:
    """Yield the deployment in a folder, whether it is being served or not.

    Raises:
        Unusable: no deployment, or a store or an HSM that cannot be used; also for what the
            block itself comes to.
    """
    layout = Layout(data)
    check_exists(layout)
    try:
        with new_store(layout, read_only=read_only) as store:
            if not read_only:
                store.check()
            yield Opened(layout, facts_from(store, store.name), store)
    except StoreUnusable as reason:
        raise Unusable(str(reason)) from None
    except (OSError, HsmRefused) as problem:
        raise Unusable(f"cannot use {data}: {problem}") from None


def new_store(layout: Layout, *, read_only: bool = False) -> AdminStore:
    """Return the store of a deployment, opened.

    Raises:
        StoreUnusable: it cannot be opened.
        Unusable: this node's id cannot be read or made.
    """
    tables = tuple(TABLES.values())
    writer = None if read_only else admin_stream(node_id(layout))
    return open_store(layout.store, tables, writer=writer, signal=layout.changes)


def read_facts(layout: Layout) -> Facts:
    """Return the facts of the deployment; brings the schema up to date first.

    Raises:
        Unusable: corrupt, of a newer version, or not writable.
    """
    with opened(layout.data) as deployment:
        return deployment.facts


def with_hsm(deployment: Opened, use: Callable[[Ask], T]) -> T:
    """Start an HSM process, pass it to `use`, and return the result of `use`.

    The store is armed with its key, so that it can be changed.

    Raises:
        HsmRefused: it did not start or open.
    """
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        sealed_domains = deployment.facts.sealed_domains
        files = seal_key_files(deployment.layout, sealed_domains)
        hsm = HsmProcess(Path(folder) / "hsm.sock", files)
        try:
            hsm.unseal(sealed_domains)
            arm(deployment.store, deployment.layout, hsm.ask)
            return use(hsm.ask)
        finally:
            hsm.end()


def seal_key_files(layout: Layout, sealed_domains: bytes) -> list[Path]:
    """Return the files of seal keys for an HSM that shall open these domains.

    Raises:
        Unusable: there are none, and nothing else could open them.
    """
    files = layout.seal_keys
    if not files and all(seal.kind == FILE for seal in seals_in(sealed_domains)):
        raise Unusable(f"{layout.seal_key} is missing; without it no key can be used")
    return files


def new_secret(ask: Ask, account_id: str, access_key_id: str, holder: str) -> NewSecret:
    """Return a secret access key that the HSM drew, in plain and sealed.

    Raises:
        HsmRefused: no secret was made.
    """
    secret = ask(CreateSecret(account_id, access_key_id, holder))
    if not isinstance(secret, NewSecret):
        raise HsmRefused("the HSM answered something else")
    return secret
