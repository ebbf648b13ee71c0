"""A worker's store gets its key: from then on what it loads is checked, and its changes are marked.

Without the key nothing that decides is loaded or changed: a worker whose HSM is sealed refuses.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from kagimori.machinery.store.database import Commit, Database, as_store_failure
from kagimori.machinery.store.guard import spaces_of
from kagimori.machinery.store.memory import EVERYTHING, Memory
from kagimori.machinery.store.thread import WorkerThread
from kagimori.machinery.store.witness import Witness, WitnessUnusable
from kagimori.pending import Pending
from kagimori.ports import StoreAltered, StoreFailed, Table
from kagimori.rules.integrity.altered import Altered
from kagimori.rules.integrity.marks import IntegrityKey

STEP_SECONDS: Final = 0.003  # of a sweep, for which others may have to wait

T = TypeVar("T")


class Arming(ABC):
    """The part of a worker's store that has to do with the key. Used on the loop."""

    view: Memory
    journal_sequence: Callable[[], int]
    _reader: Database
    _writer: Database
    _reading: WorkerThread
    _writing: WorkerThread

    def __init__(self, tables: Sequence[Table], *, waits_for_key: bool) -> None:
        self.is_armed = not waits_for_key
        self.on_altered: Callable[[Altered], None] = lambda altered: None
        self._tables = tables
        self._witness: Witness | None = None
        self._sweep: Iterator[Sequence[Altered]] | None = None

    @abstractmethod
    def _commit(self, commit: Commit) -> Pending[None]: ...

    @abstractmethod
    def _read(self, read: Callable[[], T]) -> Pending[T]: ...

    def arm(self, key: bytes, witness: Path) -> Pending[None]:
        """Check from now on what is loaded, and mark what is changed; nothing loaded before stays.

        Fails with `StoreAltered` if the store is older than it was, and with `StoreFailed` as long
        as its rows are not marked.
        """
        done: Pending[None] = Pending()
        checking = self._reading.call(lambda: self._arm_reader(IntegrityKey(key), witness))

        def checked() -> None:
            try:
                opened = checking.result()
            except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
                done.fail(self._as_failure(failure))
                return
            arming = self._writing.call(lambda: self._writer.arm(IntegrityKey(key), opened))
            arming.then(armed)

        def armed() -> None:
            self.is_armed = True
            self.view.forget(None)
            done.settle(None)

        checking.then(checked)
        return done

    def others_version(self) -> Pending[int | None]:
        """Settle with a number that changes with each commit of others, if there is one."""
        return self._read(self._reader.others_version)

    def sweep(self) -> Pending[Sequence[Altered] | None]:
        """Settle with the alterations among some rows, from where the last call ended.

        None once all rows were looked at; the next call begins again.
        """
        return self._read(self._next_of_sweep)

    def distrust(self, event_id: str, record: bytes) -> Pending[None]:
        """Keep the record of an alteration, and have all workers load everything again."""
        self.view.forget(None)
        keys, sequence = [(EVERYTHING,)], self.journal_sequence()
        return self._commit(Commit((), event_id, record, sequence, further_keys=keys))

    def _not_armed(self) -> Pending[T]:
        failed: Pending[T] = Pending()
        failed.fail(StoreFailed("it waits for its key: the HSM is not open"))
        return failed

    def _as_failure(self, failure: Exception) -> Exception:
        """Return the port's exception; an alteration is an alarm as well."""
        found = as_store_failure(failure)
        if isinstance(found, StoreAltered):
            self.on_altered(found.altered)
        return found

    def _arm_reader(self, key: IntegrityKey, witness: Path) -> Witness:
        """Arm the connection that reads; return the witness, of which there is one."""
        if self._witness is None:
            try:
                self._witness = Witness(witness, spaces_of(self._tables))
            except (WitnessUnusable, OSError):
                raise StoreFailed(f"{witness.name} cannot be used") from None
            self._reader.arm(key, self._witness)
        if self._reader.standing():
            raise StoreFailed("its rows are not marked yet")
        return self._witness

    def _next_of_sweep(self) -> Sequence[Altered] | None:
        if self._sweep is None:
            self._sweep = self._reader.sweep()
        until = time.monotonic() + STEP_SECONDS
        found: list[Altered] = []
        for findings in self._sweep:
            found += findings
            if time.monotonic() > until:
                return found
        self._sweep = iter(()) if found else None
        return found or None
