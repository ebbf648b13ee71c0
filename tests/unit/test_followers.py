"""Followers of the journals: none stops the others, each record is decoded once, states are told."""

import threading

import pytest

from kagimori.rules.chain.chain import START, join
from kagimori.rules.records import entry as entries
from kagimori.trail import follower as runner_module
from kagimori.trail import tail as tail_module
from kagimori.trail.follower import ENDED, FAILING, HANGING, OK, STANDING, Runner
from kagimori.trail.mark import SyncedMark
from kagimori.trail.source import SharedLines, Source
from kagimori.trail.tail import EVERYTHING, Place, TrailBroken


class Steady:
    """A follower that counts its turns, after doing what a test wants of it."""

    def __init__(self, name, does=lambda: None, standing=None):
        self.name, self.does, self.why = name, does, standing
        self.turns, self.closed = 0, False
        self.turned = threading.Semaphore(0)

    def turn(self, *, stopping):
        self.turns += 1
        self.turned.release()
        self.does()
        return 0.001

    def standing(self):
        return self.why

    def close(self):
        self.closed = True


class Hanging:
    """What a follower waits in, for as long as the test wants."""

    def __init__(self):
        self.ending = threading.Event()

    def __call__(self):
        assert self.ending.wait(60)


def fails():
    raise ValueError("no")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_hangs_or_fails_or_ends_stops_no_other(monkeypatch):
    monkeypatch.setattr(runner_module, "RETRY_SECONDS", 0.001)
    hangs, at, told = Hanging(), [0.0], []
    followers = [
        Steady("hangs", hangs),
        Steady("fails", fails),
        Steady("stands", standing="nobody takes it"),
        Steady("ends", lambda: (_ for _ in ()).throw(SystemExit)),
        Steady("steady"),
    ]
    runner = Runner(
        followers, trouble=lambda name, why: told.append((name, why)), now=lambda: at[0]
    )
    assert {one.state for one in runner.states().values()} == {ENDED}, "not started yet"
    runner.start()
    for _ in range(50):
        assert followers[-1].turned.acquire(timeout=20)
        assert followers[1].turned.acquire(timeout=20)
    assert followers[0].turned.acquire(timeout=20)
    assert followers[3].turned.acquire(timeout=20)
    runner._runs[3].thread.join(20)
    at[0] = runner_module.HANG_SECONDS + 1
    while runner.states()["steady"].state != OK:  # its turn of before may be counted as so long
        assert followers[-1].turned.acquire(timeout=20)
    states = {name: one.state for name, one in runner.states().items()}
    assert states == {
        "hangs": HANGING,
        "fails": FAILING,
        "stands": STANDING,
        "ends": ENDED,
        "steady": OK,
    }
    assert ("fails", "ValueError: no") in told
    assert not runner.finish(0.5), "one still hangs"
    assert followers[-1].closed
    hangs.ending.set()
    assert runner.finish(20.0)


def test_the_last_turn_is_taken_even_if_it_fails():
    failing = Steady("fails", fails)
    runner = Runner([failing], trouble=lambda name, why: None)
    runner.start()
    assert failing.turned.acquire(timeout=20)
    assert runner.finish(20.0)
    assert failing.closed


# --- one reader for all --------------------------------------------------------------------------


def event(number):
    return b'{"eventTime":"2026-01-01T00:00:00Z","eventName":"Encrypt","eventID":"%d",' % number + (
        b'"eventSource":"kms.amazonaws.com","x":"%s"}' % (b"y" * 100)
    )


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit" / "w0"
    folder.mkdir(parents=True)
    return folder.parent


class Writer:
    def __init__(self, audit):
        self.file, self.link = audit / "w0" / f"{1:020d}.jsonl", START

    def add(self, *numbers):
        content, self.link = join(self.link, *map(event, numbers))
        with self.file.open("ab") as file:
            file.write(content)


def test_each_record_is_decoded_once_however_many_follow(audit, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        tail_module,
        "decode_entry",
        lambda record: decoded.append(record) or entries.decode_entry(record),
    )
    source, writer = Source(audit), Writer(audit)
    folder = audit / "w0"
    often, seldom, late = (source.tail(folder, hashes_files=n == 1) for n in range(3))
    seen = {tail: [] for tail in (often, seldom, late)}

    def read(tail):
        for lines in tail.read():
            seen[tail] += [one.entry.event_id for one in lines.decoded]

    for number in range(30):
        writer.add(*range(10 * number, 10 * number + 10))
        read(often)
        if number % 7 == 0:
            read(seldom)
    for tail, found in seen.items():
        read(tail)
        assert found == [f"{number}" for number in range(300)]
    assert len(decoded) == 300
    alone = Source(audit).tail(folder, hashes_files=True)
    list(alone.read())
    assert seldom.file_hash() == alone.file_hash()
    assert seldom.place == often.place == alone.place


def test_one_who_begins_in_the_middle_shares_the_rest(audit):
    source, writer = Source(audit), Writer(audit)
    writer.add(*range(10))
    folder = audit / "w0"
    first = source.tail(folder)
    places = [Place()]
    for count in range(1, 11):
        tail = Source(audit).tail(folder)
        list(tail.read(count))
        places.append(tail.place)
    (lines,) = first.read()
    assert len(lines.decoded) == 10
    for place in places[1:10]:
        (rest,) = source.tail(folder, place).read()
        assert [one.sequence for one in rest.decoded] == list(range(place.sequence + 1, 11))
        assert rest.decoded[0].entry is lines.decoded[place.sequence].entry
    (some,) = source.tail(folder).read(4)
    assert len(some.lines) == 4, "no further than may be read, whatever is kept"


def test_what_is_shared_is_held_to_the_chain(audit):
    source, writer = Source(audit), Writer(audit)
    writer.add(1, 2)
    list(source.tail(audit / "w0").read())
    other = source.tail(audit / "w0", Place(writer.file.name, 0, 0, "f" * 64))
    with pytest.raises(TrailBroken):
        list(other.read())


def test_what_is_kept_is_bounded(audit, monkeypatch):
    from kagimori.trail import source as source_module

    monkeypatch.setattr(source_module, "SHARED_BYTES_MAX", 1000)
    shared, writer = SharedLines(), Writer(audit)
    writer.add(*range(50))
    (lines,) = Source(audit).tail(audit / "w0").read()
    for offset in range(0, 40 * 300, 300):
        shared.keep("w0", tail_module.Lines(lines.file, offset, 1, lines.lines[:1]))
    assert len(shared._kept) < 10


# --- which streams count, and how far ------------------------------------------------------------


def test_a_stream_is_read_as_far_as_it_is_synced_and_a_stranger_not_at_all(audit, tmp_path):
    writer = Writer(audit)
    writer.add(1, 2, 3)
    synced = writer.link
    writer.add(4)
    mark = SyncedMark(tmp_path / "marks" / "w0")
    mark.write(synced)
    mark.close()
    (audit / "planted").mkdir()
    (audit / "admin").mkdir()
    (audit / "digests").mkdir()
    source = Source(audit, {"w0": False, "admin": False}, tmp_path / "marks")
    assert source.ends() == {"w0": 3}
    assert [folder.name for folder in source.folders()] == ["admin", "w0"]
    assert source.strangers() == ["planted"]
    tail = source.tail(audit / "w0")
    list(tail.read(source.ends().get("w0", EVERYTHING)))
    assert tail.place.sequence == 3
