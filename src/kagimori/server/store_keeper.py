"""Makes the connections of custom key stores that are to be made, and gives up those that are not.

ConnectCustomKeyStore only says that a store is to be connected; this does it, in the background.
What it has to do stands in the database, so that it goes on after a crash wherever it was.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from kagimori.entities.tables import KEY_STORES
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import (
    Ask,
    HolderRefused,
    KeyHolder,
    Outside,
    Place,
    Purpose,
    Put,
    Store,
    StoreConflict,
)
from kagimori.rules.entity import changed
from kagimori.rules.key_stores.asks import ConnectStore, DisconnectStore, StoreAsk
from kagimori.rules.key_stores.causes import FACES
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.key_stores.states import ConnectionState, after
from kagimori.rules.records.service_event import key_store_event
from kagimori.server.rounds import Rounds
from kagimori.trail.keeper import Keeper
from kagimori_boundary.replies import Failed

STORES_AT_ONCE: Final = 100
INTERNAL_ERROR: Final = "INTERNAL_ERROR"


class StoreKeeper(Rounds):
    """Connects and disconnects custom key stores, once a second and whenever it is woken."""

    def __init__(
        self,
        *,
        store: Store,
        key_holder: KeyHolder,
        keeper: Keeper,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        holds: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__("key stores", telemetry, holds)
        self._store, self._key_holder, self._keeper = store, key_holder, keeper
        self._now, self._draw = now, draw

    async def step(self) -> bool:
        """Connect or disconnect the stores that wait for it; return whether there were any."""
        if not self._store.is_fresh():
            await self._store.refresh()
        found: Sequence[CustomKeyStore]
        found = await self._store.due(KEY_STORES, self._now(), STORES_AT_ONCE)
        for store in found:
            with contextlib.suppress(StoreConflict):  # somebody changed it meanwhile: look again
                await self._settle(store)
        return bool(found)

    async def _settle(self, store: CustomKeyStore) -> None:
        if store.state is ConnectionState.DISCONNECTING:
            await self._asked(store, "DisconnectCustomKeyStore", DisconnectStore())
            await self._keep(store, "DisconnectCustomKeyStore", "released", None)
            return
        error = await self._asked(store, "ConnectCustomKeyStore", ConnectStore())
        event = "connected" if error is None else "failed"
        await self._keep(store, "ConnectCustomKeyStore", event, error)

    async def _asked(self, store: CustomKeyStore, name: str, command: StoreAsk) -> str | None:
        """Ask the holder of the store; return the connection error code if it refuses."""
        outside = Outside(Purpose(name, self._draw()), Place(store))
        try:
            reply = await self._key_holder.perform(Ask(outside, command))
        except HolderRefused as refused:
            return FACES[refused.cause].connection_error_code
        return INTERNAL_ERROR if isinstance(reply, Failed) else None

    async def _keep(
        self, store: CustomKeyStore, name: str, event: str, error_code: str | None
    ) -> None:
        state = after(event, store.state)
        settled = changed(store, state=state, error_code=error_code, due_at=None)
        record = key_store_event(
            event_id=self._draw(), now=round(self._now(), 3), store=settled, request_name=name
        )
        put = Put(KEY_STORES, settled, store)
        await self._keeper.keep((put,), record.event_id, record.line)
