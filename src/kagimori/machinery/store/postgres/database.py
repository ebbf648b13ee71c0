"""The store in PostgreSQL: SERIALIZABLE transactions, repeated where that is safe.

When the connection is lost while a commit is on its way, nobody knows whether it was made. The
row of our stream in `feeds` settles it: every commit of the stream writes that row, so whoever
writes it next waits for a commit that is still on its way, and sees afterwards what became of it.
"""

import random
import time
from collections.abc import Sequence
from typing import Any, Final

from kagimori.machinery.store.database import Commit, CommitUnknown, Cursor
from kagimori.machinery.store.guard import Statement
from kagimori.machinery.store.postgres.link import (
    Link,
    NotTogether,
    PostgresFailed,
    PostgresLost,
    TryAgain,
)
from kagimori.machinery.store.postgres.sent import ReadAhead, Sent
from kagimori.machinery.store.sql_database import SqlDatabase
from kagimori.ports import StoreConflict, StoreFailed, Table, Write

ATTEMPTS_MAX: Final = 5  # of a group of commits, before each is made alone
ATTEMPTS_ALONE_MAX: Final = 20
RECONNECT_SECONDS: Final = 2.0
SETTLE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.002
_TAKE: Final = "UPDATE feeds SET newest = newest WHERE stream = ?"
_NEW_FEED: Final = "INSERT INTO feeds (stream, newest) VALUES (?, 0)"
# A commit that waits for a synchronous standby would be said to be made when its time is up.
_UNLIMITED: Final = "SET LOCAL statement_timeout = 0"
_CHANNEL: Final = "kagimori_changes"
_ANNOUNCE: Final = f"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {_CHANNEL}; COMMIT"
_WAS_MADE: Final = "SELECT 1 FROM changes WHERE stream = ? AND event_id = ?"


class OutcomeUnknown(Exception):
    """The connection was lost while the transaction was being committed."""


class PostgresDatabase(SqlDatabase):
    """SQL over one connection; every method blocks, and belongs on a thread."""

    errors: tuple[type[Exception], ...] = (PostgresFailed,)
    conflicts = ()

    def __init__(self, link: Link, stream: str, tables: Sequence[Table]) -> None:
        super().__init__(stream, tables, contains="position(? IN body) > 0", names_index=False)
        self._link = link
        # Whether a transaction waits for a result only where it needs it, and what it has asked for
        # before it needs it.
        self._sends_together = False
        self._ahead: dict[Statement, ReadAhead] = {}
        # Commits of which nobody knows whether they were made, in the order in which they were.
        self._unknown: list[Commit] = []

    def take_stream(self) -> None:
        self._settled(None)

    def await_change(self, seconds: float) -> None:
        self._link.await_notice(_CHANNEL, seconds)

    def announce_change(self) -> None:
        # In a transaction of its own: commits with a notice wait for one another at the server. It
        # need not last, so nothing is synced for it.
        self._link.run(_ANNOUNCE)

    def hold_still(self) -> None:
        self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._link.in_transaction = True
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            self._execute(f"SET LOCAL {limit} = 0")

    def check(self, bytes_max: int) -> str | None:
        """Return None: the server sees to its own pages."""

    def commit_all(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]] = (),
        *,
        probe: bool = False,
        together: bool = False,
        marks: Sequence[str] = (),
        decided: Sequence[Write] = (),
    ) -> None:
        self._find_out()
        give_up = time.monotonic() + RECONNECT_SECONDS
        alone = len(commits) <= 1 or together
        sends_together = not marks
        for attempt in range(ATTEMPTS_ALONE_MAX if alone else ATTEMPTS_MAX):
            _forget_failures(commits)
            self._sends_together = sends_together
            try:
                super().commit_all(
                    commits,
                    released,
                    noted,
                    probe=probe,
                    together=together,
                    marks=marks,
                    decided=decided,
                )
            except NotTogether:  # in the next attempt it is seen which commit it is
                sends_together = False
            except TryAgain:
                _pause(attempt)
            except PostgresLost:  # before anything was committed
                if time.monotonic() > give_up:
                    raise
                self._link.pause()
            except OutcomeUnknown:
                if self._was_made(commits):
                    return
            else:
                return
            finally:
                self._sends_together = False
        if alone:
            _give_up(commits, together=together)
        else:
            self._one_by_one(commits, released, noted, probe=probe)

    def close(self) -> None:
        self._link.close()

    def _one_by_one(
        self,
        commits: Sequence[Commit],
        released: Sequence[str],
        noted: Sequence[tuple[Table, Any]],
        *,
        probe: bool,
    ) -> None:
        for commit in commits:
            try:
                self.commit_all((commit,), ())
            except (PostgresFailed, StoreFailed) as failure:
                commit.failure = StoreFailed(str(failure))
        self.commit_all((), released, noted, probe=probe)

    def _find_out(self) -> None:
        """Learn the fate of commits that were given up, before anything else is committed.

        Raises:
            PostgresFailed: it cannot be found out yet.
        """
        if self._unknown:
            if self._settled(self._unknown[0].event_id, seconds=RECONNECT_SECONDS):
                self.late += [one for one in self._unknown if one.failure is None]
            self._unknown = []

    def _was_made(self, commits: Sequence[Commit]) -> bool:
        if not commits:
            return False  # what was noted or released is written once more
        try:
            return self._settled(commits[0].event_id)
        except PostgresFailed as failure:
            self._unknown = list(commits)
            raise CommitUnknown(str(failure)) from None

    def _settled(self, event_id: str | None, seconds: float | None = None) -> bool:
        """Return whether the commit of an event was made; from then on that cannot change.

        Raises:
            PostgresFailed: it could not be found out in time.
        """
        give_up = time.monotonic() + (SETTLE_SECONDS if seconds is None else seconds)
        while True:
            try:
                return self._settle(event_id)
            except (TryAgain, OutcomeUnknown, StoreConflict):
                time.sleep(_PAUSE_SECONDS)
            except PostgresLost:
                if time.monotonic() > give_up:
                    raise
                self._link.pause()
            if time.monotonic() > give_up:
                raise PostgresFailed("what became of a commit could not be found out")

    def _settle(self, event_id: str | None) -> bool:
        self._begin()
        try:
            if self._execute(_TAKE, (self._stream,)).rowcount == 0:
                self._execute(_NEW_FEED, (self._stream,))
            found = None
            if event_id is not None:
                found = self._execute(_WAS_MADE, (self._stream, event_id)).fetchone()
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        return found is not None

    def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        self._link.run_many(text, rows)

    def _execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        cursor = self._link.run(text, parameters)
        return Sent(self._link, cursor) if self._link.is_together else cursor

    def _run(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        ahead = self._ahead.get((text, tuple(parameters))) if self._ahead else None
        return self._execute(text, parameters) if ahead is None else ahead

    def _run_all(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self._link.run(text, row)

    def _outdated(self, text: str, parameters: Sequence[Any]) -> None:
        self._ahead.pop((text, tuple(parameters)), None)

    def _read_ahead(self, commits: Sequence[Commit]) -> None:
        """Send all statements together that read, so that they take one trip to the server."""
        if not self._link.is_together or not commits:
            return
        self._send_ahead(self.newest_read())
        for commit in commits:
            for statement in self._rows.reads_of(commit.writes):
                self._send_ahead(statement)
        if self._guard is not None:
            self._send_ahead(self._guard.writer_read(self._stream))

    def _send_ahead(self, statement: Statement) -> None:
        text, parameters = statement
        if statement not in self._ahead:
            cursor = self._link.run(text, parameters)
            self._ahead[statement] = ReadAhead(Sent(self._link, cursor))

    def _begin(self) -> None:
        self._ahead.clear()
        if self._sends_together:
            self._link.begin_together()
        self._execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        self._link.in_transaction = True

    def _commit(self) -> None:
        self._execute(_UNLIMITED)
        self._ahead.clear()
        self._link.end_together()
        self._commit_now()

    def _commit_now(self) -> None:
        # INVARIANT(acknowledged-is-durable): what became of a commit is known before it is said.
        try:
            self._execute("COMMIT")
        except PostgresLost:
            self._link.close()
            raise OutcomeUnknown from None
        self._link.in_transaction = False

    def _roll_back(self) -> None:
        self._ahead.clear()
        self._link.drop_together()
        self._link.forget_prepared()
        if not self._link.in_transaction:
            return
        try:
            self._execute("ROLLBACK")
        except PostgresFailed:
            self._link.close()
        self._link.in_transaction = False


def _forget_failures(commits: Sequence[Commit]) -> None:
    for commit in commits:
        commit.failure = None


def _pause(attempt: int) -> None:
    longest = _PAUSE_SECONDS * 2 ** min(attempt, 6)
    time.sleep(longest * random.uniform(0.5, 1))  # noqa: S311


def _give_up(commits: Sequence[Commit], *, together: bool) -> None:
    failure = StoreConflict("others are in the way all the time")
    if together or not commits:
        raise failure
    commits[0].failure = failure
