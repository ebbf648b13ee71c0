"""What opens several things closes those that are open when the next one does not open."""

import asyncio
import sqlite3
from typing import ClassVar

import pytest

from kagimori.entities.tables import TABLES
from kagimori.machinery.store import held_open, migrations, sqlite, still_view, worker_store
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.sqlite import SqliteDatabase, SqliteEngine
from kagimori.trail import index, meter, meter_reader

ALL = tuple(TABLES.values())


class Counted(sqlite3.Connection):
    """A connection that is counted while it is open, and does not run the statements in `failing`."""

    is_open: ClassVar = []
    failing = ()

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        Counted.is_open.append(self)

    def execute(self, text, *parameters):
        if any(one in text for one in Counted.failing):
            raise sqlite3.OperationalError("not now")
        return super().execute(text, *parameters)

    def close(self):
        if self in Counted.is_open:
            Counted.is_open.remove(self)
        super().close()


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **options: connect(*args, factory=Counted, **options)
    )
    Counted.is_open, Counted.failing = [], ()
    yield Counted
    assert Counted.is_open == []


@pytest.fixture
def place(tmp_path):
    open_store(tmp_path / "kagimori.db", ALL, writer="n-admin").close()
    return tmp_path / "kagimori.db"


def worker(place):
    async def opened():
        signal = ChangeSignal(place.with_name("changes"), 0)
        try:
            return worker_store.WorkerStore(place, signal, stream="n-w0", tables=ALL)
        finally:
            signal.close()

    return asyncio.run(opened())


def test_a_worker_whose_reader_does_not_open_lets_go_of_its_writer(place, monkeypatch):
    opened, open_engine = [], SqliteEngine.open

    def once(engine, *arguments, **options):
        if opened:
            raise sqlite3.OperationalError("too many files")
        opened.append(engine)
        return open_engine(engine, *arguments, **options)

    monkeypatch.setattr(SqliteEngine, "open", once)
    with pytest.raises(sqlite3.OperationalError):
        worker(place)
    assert opened


@pytest.mark.parametrize("method", ["take_stream", "positions"])
def test_a_worker_whose_first_reading_fails_lets_go_of_both(place, monkeypatch, method):
    def fail(_):
        raise sqlite3.OperationalError("not now")

    monkeypatch.setattr(SqliteDatabase, method, fail)
    with pytest.raises(sqlite3.OperationalError):
        worker(place)


def test_a_command_that_cannot_take_its_stream_lets_go_of_the_store(place, monkeypatch):
    def fail(_):
        raise sqlite3.OperationalError("not now")

    monkeypatch.setattr(SqliteDatabase, "take_stream", fail)
    with pytest.raises(StoreUnusable):
        open_store(place, ALL, writer="n-admin")


@pytest.mark.parametrize("statement", ["journal_mode", "secure_delete", "synchronous", "temp_"])
def test_a_file_that_is_refused_half_way_is_closed(place, counted, statement):
    counted.failing = (statement,)
    with pytest.raises(sqlite3.OperationalError):
        sqlite.connect(place)


def test_a_migration_that_fails_closes_the_file(place, monkeypatch):
    def fail(*_):
        raise migrations.NewerSchema(999)

    monkeypatch.setattr(sqlite, "migrate", fail)
    monkeypatch.setattr(sqlite, "is_current", lambda _: False)
    for read_only in (True, False):
        with pytest.raises(migrations.NewerSchema):
            SqliteEngine(place).open("", ALL, read_only=read_only)


def test_what_is_held_open_or_still_is_let_go_of(place, counted):
    counted.failing = ("SELECT 1 FROM sqlite_master",)
    with pytest.raises(sqlite3.OperationalError):
        held_open.HeldOpen(place)
    counted.failing = ("BEGIN",)
    with pytest.raises((StoreUnusable, sqlite3.OperationalError)):
        still_view.StillView(place, ALL)


@pytest.mark.parametrize(
    ("make", "statement"),
    [
        (index.AuditIndex, "journal_mode"),
        (meter.Meter, "journal_mode"),
        (meter_reader.MeterReader, "temp_store"),
        (meter_reader.MeterReader, "BEGIN"),
    ],
)
def test_what_is_derived_from_journals_is_closed(tmp_path, counted, make, statement):
    meter.Meter(tmp_path).close()
    counted.failing = (statement,)
    with pytest.raises((sqlite3.OperationalError, meter_reader.Unusable)):
        make(tmp_path)
