"""A view over a real database and a worker's memory, in which each step is counted."""

import sqlite3
import sys
from contextlib import contextmanager

from kagimori.entities.tables import TABLES
from kagimori.machinery.store.database import Commit
from kagimori.machinery.store.memory import Memory
from kagimori.machinery.store.migrations import migrate
from kagimori.machinery.store.sqlite import SqliteDatabase
from kagimori.pending import Pending
from kagimori.ports import Absent, Put


class CountedStore:
    """Loads at once what is absent; its changes go into the database, and into memory."""

    def __init__(self):
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self._connection)
        tables = tuple(TABLES.values())
        self._database = SqliteDatabase(self._connection, "w0", tables)
        self._memory = Memory(self._database, self._load, tables)
        self._event = 0
        self.calls = self.rows = 0

    @property
    def epoch(self):
        return self._memory.epoch

    def one(self, *arguments):
        return self._looked("one", arguments)

    def group(self, *arguments):
        return self._looked("group", arguments)

    def page(self, *arguments):
        return self._looked("page", arguments)

    def count(self, *arguments):
        return self._looked("count", arguments)

    def put(self, table, *entities):
        self.apply([Put(table, entity) for entity in entities])

    def apply(self, writes):
        """Make changes; raises `StoreConflict` if they were decided on old state."""
        if not writes:
            return
        self._event += 1
        commit = Commit(list(writes), f"event-{self._event}", b"{}", self._event)
        self._memory.begin_commits()
        self._database.commit_all((commit,), ())
        if commit.failure is not None:
            raise commit.failure
        self._memory.apply(commit.writes)

    def forget(self):
        """Forget everything in memory."""
        self._memory.forget(None)

    def close(self):
        self._database.close()

    @contextmanager
    def counting(self):
        """Count calls in Python, and instructions of the database's machine, from nought."""
        self.calls = self.rows = 0

        def call(frame, event, argument):
            self.calls += event == "call"

        def row():
            self.rows += 1

        self._connection.set_progress_handler(row, 1)
        sys.setprofile(call)
        try:
            yield
        finally:
            sys.setprofile(None)
            self._connection.set_progress_handler(None, 0)

    def _looked(self, method, arguments):
        while True:
            try:
                return getattr(self._memory, method)(*arguments)
            except Absent as absent:
                absent.load().result()

    def _load(self, read, keep, watch):
        self._memory.begin(watch)
        value = read()
        self._memory.is_overtaken(watch)
        keep(value)
        done = Pending()
        done.settle(None)
        return done
