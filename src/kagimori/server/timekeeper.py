"""The timer: performs duties of keys that are due.

Look at the key, ask the HSM at most one thing, commit the change with its record. One worker of a
node has it. What cannot be done now is tried again later.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from kagimori.entities.tables import KMS_KEYS
from kagimori.hsm.client import HsmGone
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.kms.duties import Due, duty_of
from kagimori.ports import (
    Archive,
    Ask,
    HolderRefused,
    Key,
    KeyHolder,
    Store,
    StoreConflict,
    StoreFailed,
    View,
    resolved,
)
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.service_event import service_event
from kagimori.server.rounds import TURN_SECONDS, Rounds
from kagimori.trail.journal import JournalFailed
from kagimori.trail.keeper import Keeper
from kagimori_boundary.replies import Failed, Reply

KEYS_AT_ONCE: Final = 100
RETRY_SECONDS_MAX: Final = 300.0


class _PutOff(NamedTuple):
    """A key whose duty failed: not tried before `until` (monotonic), after such a pause."""

    until: float
    pause: float


class Timekeeper(Rounds):
    """Performs duties once a second, and whenever it is woken."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        key_holder: KeyHolder,
        archive: Archive,
        now: Callable[[], float],
        draw: Callable[[], str],
        telemetry: Telemetry,
        monotonic: Callable[[], float] = time.monotonic,
        holds: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__("timer", telemetry, holds)
        self._view, self._store = view, store
        self._key_holder = key_holder
        self._keeper = Keeper(store, archive, key_holder, telemetry)
        self._now, self._draw = now, draw
        self._monotonic = monotonic
        self._put_off: dict[Key, _PutOff] = {}

    async def step(self) -> bool:
        """Try the duties of some keys; return whether there was any.

        What fails is put off, each time for longer, so that others that are due get their turn.
        """
        limit = KEYS_AT_ONCE + len(self._put_off)
        found: Sequence[KmsKey] = await self._store.due(KMS_KEYS, self._now(), limit)
        due = {KMS_KEYS.key_of(kms_key): kms_key for kms_key in found}
        if len(found) < limit:  # these are all: what is no longer due was dealt with otherwise
            self._put_off = {key: why for key, why in self._put_off.items() if key in due}
        ready = [key for key in due if not self._is_put_off(key)]
        for key in ready:
            done = False
            try:
                done = await self._try(due[key])
            finally:
                self._note(key, done=done)
        return bool(ready)

    def _is_put_off(self, key: Key) -> bool:
        put_off = self._put_off.get(key)
        return put_off is not None and self._monotonic() < put_off.until

    def _note(self, key: Key, *, done: bool) -> None:
        before = self._put_off.pop(key, None)
        if not done:
            pause = min(RETRY_SECONDS_MAX, 2 * before.pause if before else TURN_SECONDS)
            self._put_off[key] = _PutOff(self._monotonic() + pause, pause)

    async def _try(self, kms_key: KmsKey) -> bool:
        """Do the duty of one key; a fault of ours there must not keep the others waiting."""
        try:
            return await self._do(kms_key)
        except (HsmGone, JournalFailed, StoreFailed):
            raise
        except Exception as problem:  # noqa: BLE001
            self._telemetry.fault(problem)
            return False

    async def _do(self, kms_key: KmsKey) -> bool:
        if not self._store.is_fresh():
            await self._store.refresh()
        now = round(self._now(), 3)
        duty = duty_of(kms_key, now)
        if duty is None:
            return False
        due = Due(kms_key, now, self._view)
        command = await resolved(duty.ask, due)
        reply: Reply | None = None
        if command is not None:
            outside = await resolved(duty.outside, due)
            try:
                reply = await self._key_holder.perform(Ask(outside, command))
            except HolderRefused as refused:
                self._telemetry.trouble("timer", f"the key store refused: {refused.cause.name}")
            if isinstance(reply, Failed):
                self._telemetry.trouble("timer", f"the HSM refused: {reply.failure.name}")
                reply = None
            if reply is None and not duty.is_best_effort:
                return False
        done = await resolved(duty.finish, due, reply)
        event_id = self._draw()
        record = service_event(
            event_id=event_id,
            now=now,
            kms_key=kms_key,
            name=done.event_name,
            details=done.details,
            additional=done.additional,
        )
        with contextlib.suppress(StoreConflict):  # somebody changed the key meanwhile: look again
            await self._keeper.keep(done.writes, event_id, record, done.afterwards)
        return True
