"""Finds the holder of the key in a command: our own HSM, or a custom key store.

The path and the operations know this one port. A key store that is connected is added here, and
nothing else changes for those who ask.
"""

from collections.abc import Mapping
from typing import Protocol

from kagimori.hsm.client import HsmGone
from kagimori.pending import Pending
from kagimori.ports import Ask
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Reply


class Holder(Protocol):
    """One holder of keys."""

    def perform(self, command: Command) -> Pending[Reply]:
        """Settle with the reply; fail with `HsmGone` when nobody is there."""


class Holders:
    """Sends each command to the holder of its key."""

    def __init__(self, own: Holder, key_stores: Mapping[str, Holder] | None = None) -> None:
        self._own = own
        self._key_stores = dict(key_stores or {})

    def perform(self, ask: Ask) -> Pending[Reply]:
        """Settle with the reply; fail with `HsmGone` when the holder is not there."""
        key_store_id, command = ask
        if key_store_id is None:
            return self._own.perform(command)
        holder = self._key_stores.get(key_store_id)
        if holder is not None:
            return holder.perform(command)
        pending: Pending[Reply] = Pending()
        pending.fail(HsmGone(f"the key store {key_store_id} is not connected"))
        return pending
