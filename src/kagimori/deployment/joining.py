"""A further node of a deployment: a data folder of its own, on the store that the others use.

The folder holds what is the node's own: its id, where it finds the store, its access to a root
that opens the domains, its journals. All else comes from the store.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, make_empty_folder, write_private
from kagimori.deployment.node import node_id
from kagimori.deployment.opened import opened, with_hsm


class Joined(Struct, frozen=True):
    """The new node: its id, its regions, and whether it can open the domains by itself."""

    node_id: str
    regions: tuple[str, ...]
    opens: bool


def join(data: Path, store: str, seal_keys: Sequence[Path] = ()) -> Joined:
    """Make the folder of a node on a store that holds a deployment.

    `store` is its whole URL. `seal_keys` are files of seal keys, which are copied; without any, the
    node is opened as its seals ask for: with a passphrase, shares, a token or another KMS.

    Raises:
        Unusable: the folder, the store, or a seal key that does not open the domains. Nothing is
            left behind.
    """
    keys = [_read(file) for file in seal_keys]
    layout = make_empty_folder(data)
    try:
        write_private(layout.store_url, store.encode() + b"\n")
        for number, key in enumerate(keys):
            write_private(layout.new_seal_key() if number else layout.seal_key, key)
        return _checked(layout, opens=bool(keys))
    except (OSError, Unusable) as problem:
        shutil.rmtree(data, ignore_errors=True)
        raise Unusable(f"cannot join: {problem}") from None


def _checked(layout: Layout, *, opens: bool) -> Joined:
    name = node_id(layout)
    with opened(layout.data, read_only=True) as deployment:
        if opens:
            with_hsm(deployment, lambda ask: None)
        return Joined(name, deployment.facts.regions, opens)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise Unusable(f"cannot read {file}: {problem.strerror}") from None
