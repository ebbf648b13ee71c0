"""Makes changes and their records durable, in store and journal, and forgets lost material."""

from collections.abc import Sequence

from msgspec import Struct

from kagimori.hsm.client import forget_lost
from kagimori.machinery.telemetry import Telemetry
from kagimori.pending import Pending, start
from kagimori.ports import Archive, KeyHolder, Store, Write
from kagimori_boundary.commands import Command


class Kept(Struct, frozen=True):
    """Changes, and the record of them."""

    writes: Sequence[Write]
    event_id: str
    record: bytes
    afterwards: Command | None


class Keeper:
    """Makes changes and their record durable, together."""

    def __init__(
        self, store: Store, archive: Archive, key_holder: KeyHolder, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._archive = archive
        self._key_holder = key_holder
        self._telemetry = telemetry

    def keep(
        self,
        writes: Sequence[Write],
        event_id: str,
        record: bytes,
        afterwards: Command | None = None,
    ) -> Pending[None]:
        """Settle once the changes and the record are durable; `afterwards` goes to the HSM.

        Fails with `StoreConflict` if somebody else has changed what this was decided upon, and with
        `StoreFailed` or `JournalFailed` if it is not known to be durable.

        Raises:
            JournalFailed: nothing was done, since the journal takes no records.
        """
        if not writes:
            return self._archive.take(record)
        self._archive.check()  # nothing is done while the journal has room for refusals alone
        kept: Pending[None] = Pending()
        start(self._commit(Kept(writes, event_id, record, afterwards), kept))
        return kept

    async def _commit(self, what: Kept, kept: Pending[None]) -> None:
        try:
            # INVARIANT(record-before-release): the record is committed with the change, so it is
            # durable from here on; the journal has it as well before the answer leaves, or as soon
            # as the disk lets it.
            await self._store.commit(what.writes, what.event_id, what.record)
            if what.afterwards is not None:
                await forget_lost(self._key_holder, what.afterwards, self._telemetry)
            await self._archive.append_committed(what.event_id, what.record)
        except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
            kept.fail(failure)
        else:
            kept.settle(None)
