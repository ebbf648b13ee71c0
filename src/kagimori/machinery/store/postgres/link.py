"""One connection to PostgreSQL that is made again when it was lost; it blocks its thread.

A statement has a bound of time at the server and, for a server that says nothing any more, here.
Errors are ours and hold no values: the server's own details may show what was stored.
"""

import contextlib
import logging
import random
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg import errors

from kagimori.machinery.store.postgres.place import PostgresPlace
from kagimori.ports import StoreConflict, StoreFailed

STATEMENT_SECONDS: Final = 5
LOCK_SECONDS: Final = 3
IDLE_IN_TRANSACTION_SECONDS: Final = 5
ANSWER_SECONDS: Final = 8.0
_BACKOFF_SECONDS: Final = (0.05, 2.0)
_LIMITS: Final = (
    f"SET statement_timeout = {STATEMENT_SECONDS * 1000}",
    f"SET lock_timeout = {LOCK_SECONDS * 1000}",
    f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_SECONDS * 1000}",
)
# What the driver would print by itself is raised to us as well.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


class PostgresFailed(Exception):
    """The database did not do it."""


class PostgresLost(PostgresFailed):
    """There is no connection (any more)."""


class NotTogether(Exception):
    """One of several statements that were sent together failed: each must be waited for."""


class TryAgain(Exception):
    """The transaction met another one, and was undone: the same may succeed now."""


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing takes longer than ANSWER_SECONDS."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None:  # of those who expect that nothing comes
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_SECONDS)
        except errors._WaitTimeout:  # noqa: SLF001 - what psycopg raises has no other name
            self.pgconn.finish()  # what is still under way is of no use to anybody
            raise


class Link:
    """A connection to one place, for one thread."""

    def __init__(self, place: PostgresPlace, application: str, *, read_only: bool) -> None:
        self._place, self._application, self._read_only = place, application, read_only
        self._connection: BoundedConnection | None = None
        self._not_before, self._backoff = 0.0, _BACKOFF_SECONDS[0]
        self.in_transaction = False
        self._listens_on: BoundedConnection | None = None
        self._can_listen = True
        self._together: contextlib.ExitStack | None = None

    def run(self, text: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a statement; outside a transaction, again on a new connection if one was lost.

        Raises:
            StoreConflict: something is there already.
            StoreFailed: the database cannot hold one of the values.
            TryAgain: the transaction met another one.
            PostgresLost: the connection is lost, or there is none.
            PostgresFailed: the database did not do it.
        """
        was_connected = self._connection is not None and not self._connection.closed
        try:
            return self._run(text, parameters)
        except PostgresLost:
            if self.in_transaction or not was_connected:
                raise
        return self._run(text, parameters)

    @property
    def is_together(self) -> bool:
        """True while statements are sent without waiting for each."""
        return self._together is not None

    def begin_together(self) -> None:
        """Send statements from now on without waiting, until a result is needed.

        What fails meanwhile is a `NotTogether`, unless it is `TryAgain` or `PostgresLost`.
        """
        connection = self._connected()
        if psycopg.Pipeline.is_supported():
            together = contextlib.ExitStack()
            together.enter_context(connection.pipeline())
            self._together = together

    def end_together(self) -> None:
        """Wait until all that was sent is done.

        Raises: as `run`, or NotTogether.
        """
        together, self._together = self._together, None
        if together is not None and self._connection is not None:
            with self._explained_together(self._connection):
                together.close()

    def drop_together(self) -> None:
        """Go back to waiting for each statement, whatever became of those that were sent."""
        together, self._together = self._together, None
        if together is not None:
            with contextlib.suppress(psycopg.Error):
                together.close()

    def forget_prepared(self) -> None:
        """Have statements prepared anew, after a transaction that failed.

        Of those that were sent together and never run the driver believes that they are prepared.
        """
        if self._connection is not None:
            self._connection._prepared.clear()  # noqa: SLF001 - as it does for a first ROLLBACK

    def wait_for(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        """Wait until a statement that was sent is done.

        Raises: as `run`, or NotTogether.
        """
        connection = self._connected()
        with self._explained_together(connection):
            if connection._pipeline is not None:  # noqa: SLF001 - as its cursors do
                cursor._fetch_pipeline()  # noqa: SLF001 - what each of its fetches does first

    def run_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement of a transaction for each row, without waiting for each.

        Raises: as `run`.
        """
        connection = self._connected()
        with self._explained(connection):
            connection.cursor().executemany(_marked(text), rows)

    def await_notice(self, channel: str, seconds: float) -> None:
        """Return once there is a notice on a channel, or that long has passed.

        Where the database has no notices, it is the time.

        Raises:
            PostgresLost, PostgresFailed: as `run`.
        """
        connection = self._connected()
        if self._can_listen and self._listens_on is not connection:
            try:
                connection.execute(f"LISTEN {channel}")
            except psycopg.Error as problem:
                if connection.closed:
                    raise PostgresLost(_line(problem)) from None
                self._can_listen = False
            self._listens_on = connection
        if not self._can_listen:
            time.sleep(seconds)
            return
        try:
            for _ in connection.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error as problem:
            raise PostgresLost(_line(problem)) from None

    def close(self) -> None:
        self.in_transaction = False
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def pause(self) -> None:
        """Sleep until it is time to try to connect again."""
        time.sleep(max(0.01, self._not_before - time.monotonic()))

    def _run(self, text: str, parameters: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        connection = self._connected()
        explained = self._explained_together if self.is_together else self._explained
        with explained(connection):
            done = connection.execute(_marked(text), parameters)
        if text == "COMMIT" and done.statusmessage != text:  # it may say that it rolled back
            self.in_transaction = False
            raise TryAgain
        return done

    @contextlib.contextmanager
    def _explained_together(self, connection: BoundedConnection) -> Iterator[None]:
        """Turn errors of the driver into ours, where it is not known whose they are."""
        try:
            with self._explained(connection):
                yield
        except PostgresLost:
            raise
        except (PostgresFailed, StoreConflict, StoreFailed):
            raise NotTogether from None

    @contextlib.contextmanager
    def _explained(self, connection: BoundedConnection) -> Iterator[None]:
        """Turn errors of the driver into ours."""
        try:
            yield
        except (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable):
            raise TryAgain from None
        except errors.IntegrityError as conflict:
            raise StoreConflict(conflict.diag.constraint_name or "") from None
        except (psycopg.DataError, errors.ProgramLimitExceeded, UnicodeEncodeError):
            raise StoreFailed("the database cannot hold one of the values") from None
        except errors.ReadOnlySqlTransaction:
            if self._read_only:
                raise PostgresFailed("it is opened as readonly") from None
            self.close()  # it has become a standby: another one takes writes now
            raise PostgresLost("the server takes no writes") from None
        except psycopg.Error as problem:
            if connection.closed or connection.broken:
                self._connection = None
                raise PostgresLost(_line(problem)) from None
            raise PostgresFailed(_line(problem)) from None

    def _connected(self) -> BoundedConnection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self.in_transaction:
            raise PostgresLost("the connection is lost")
        if time.monotonic() < self._not_before:
            raise PostgresLost("the database cannot be reached")
        try:
            self._connection = self._new()
        except (psycopg.Error, OSError) as problem:
            self._not_before = time.monotonic() + self._backoff * random.uniform(0.5, 1)  # noqa: S311
            self._backoff = min(self._backoff * 2, _BACKOFF_SECONDS[1])
            raise PostgresLost(_line(problem)) from None
        self._backoff = _BACKOFF_SECONDS[0]
        return self._connection

    def _new(self) -> BoundedConnection:
        arguments = self._place.arguments(self._application)
        connection = BoundedConnection.connect(**arguments, autocommit=True)
        for limit in _LIMITS:
            connection.execute(limit)
        if self._read_only:
            connection.execute("SET default_transaction_read_only = on")
        return connection


@lru_cache(maxsize=512)
def _marked(text: str) -> bytes:
    """Return a statement with the marks for parameters that psycopg wants."""
    return text.replace("?", "%s").encode()


def _line(problem: Exception) -> str:
    """Return the text of an error as one line, without the details that show values."""
    said = problem.diag.message_primary if isinstance(problem, psycopg.Error) else None
    return " ".join((said or str(problem)).split())
