"""Makes changes and their records durable, in store and journal, and forgets lost material."""

from collections.abc import Sequence

from kagimori.hsm.client import forget_lost
from kagimori.machinery.telemetry import Telemetry
from kagimori.ports import Archive, KeyHolder, Store, Write
from kagimori_boundary.commands import Command


class Keeper:
    """Makes changes and their record durable, together."""

    def __init__(
        self, store: Store, archive: Archive, key_holder: KeyHolder, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._archive = archive
        self._key_holder = key_holder
        self._telemetry = telemetry

    async def keep(
        self,
        writes: Sequence[Write],
        event_id: str,
        record: bytes,
        afterwards: Command | None = None,
    ) -> None:
        """Return once the changes and the record are durable; `afterwards` goes to the HSM.

        Raises:
            StoreConflict: somebody else has changed what this was decided upon.
            StoreFailed, JournalFailed: it is not known to be durable.
        """
        self._archive.check()  # nothing is done while the journal has room for refusals alone
        if not writes:
            await self._archive.append(record)
            return
        # INVARIANT(record-before-release): the record is committed with the change, so it is
        # durable from here on; the journal has it as well before the answer leaves, or as soon as
        # the disk lets it.
        await self._store.commit(writes, event_id, record)
        if afterwards is not None:
            await forget_lost(self._key_holder, afterwards, self._telemetry)
        await self._archive.append_committed(event_id, record)
