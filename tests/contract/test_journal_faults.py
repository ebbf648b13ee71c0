"""The journal when disks, requests and processes misbehave: the chain holds, nothing is twice.

Promises: record-before-release, acknowledged-is-durable.
"""

import asyncio
import errno
import json
import os
import threading

import pytest

from kagimori.pending import start
from kagimori.rules.chain.chain import START, follow, join
from kagimori.trail import journal as journal_module
from kagimori.trail import recovery as recovery_module
from kagimori.trail.archive import AuditArchive
from kagimori.trail.files import file_for, journal_files
from kagimori.trail.journal import Journal, JournalFailed
from kagimori.trail.outbox import recover_others, recover_own
from kagimori.trail.recovery import JournalDamaged, recover_end
from waiting import future_of


def record(number):
    return json.dumps({"eventID": f"{number}"}).encode()


def chained(folder):
    link, found = START, []
    for file in journal_files(folder):
        for line in file.read_bytes().splitlines():
            text, link = follow(link, line)
            found.append(json.loads(text)["eventID"])
    return found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "audit" / "w0"


def run(folder, test):
    """Run an async test with a journal that is closed at its end."""

    async def with_journal():
        journal = Journal(folder)
        try:
            await test(journal)
        finally:
            await journal.close()

    asyncio.run(with_journal())


class Gate:
    """An fdatasync that waits until told."""

    def __init__(self, monkeypatch):
        self.open = threading.Event()
        self._sync = os.fdatasync
        monkeypatch.setattr(journal_module.os, "fdatasync", self)

    def __call__(self, file):
        self.open.wait(20)
        self._sync(file)


class Released:
    """A store that keeps what is released."""

    def __init__(self):
        self.ids = []

    def release(self, event_ids):
        self.ids += event_ids


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


# --- one group after the other -----------------------------------------------------------------


def test_an_answer_that_leads_to_a_record_at_once_does_not_fork_the_chain(folder):
    """What an acknowledged request appends, and what others append behind it, is one chain."""

    async def test(journal):
        written = []

        async def request(number, more):
            await journal.append(record(f"{number}"))
            written.append(number)
            if more:  # the next request of the same connection was waiting
                start(request(number + 1, more - 1))
                asyncio.get_running_loop().call_soon(start, request(1000 + number, 0))

        for first in range(0, 100, 20):
            start(request(first, 9))
        await until(lambda: len(written) == 5 * (10 + 9))

    run(folder, test)
    assert len(chained(folder)) == len(set(chained(folder))) == 95


def test_a_request_that_breaks_when_acknowledged_harms_no_other(folder):
    async def test(journal):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

        async def breaks():
            await journal.append(record("breaks"))
            raise RuntimeError

        start(breaks())
        await asyncio.wait_for(future_of(journal.append(record("beside"))), 5)
        await asyncio.wait_for(future_of(journal.append(record("after"))), 5)

    run(folder, test)
    assert chained(folder) == ["breaks", "beside", "after"]


# --- a disk that hangs ---------------------------------------------------------------------------


def test_a_group_that_was_given_up_does_not_stay_when_it_comes_through(folder, monkeypatch):
    gate = Gate(monkeypatch)
    monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", 0.1)

    async def test(journal):
        stuck = future_of(journal.append(record("stuck")))
        await until(lambda: not journal.healthy)
        journal.give_up_waiting()
        with pytest.raises(JournalFailed):
            await stuck
        for _ in range(100):  # nothing gathers behind it
            with pytest.raises(JournalFailed):
                await future_of(journal.append(record("late")))
        assert not journal._waiting
        gate.open.set()
        await until(lambda: journal._group is None)
        assert not journal.healthy
        journal.probe()
        await until(lambda: journal.healthy)
        await future_of(journal.append(record("after")))
        assert journal.end.sequence == 1

    run(folder, test)
    assert chained(folder) == ["after"]


def test_a_committed_record_is_there_once_however_long_the_disk_hung(folder, monkeypatch):
    gate = Gate(monkeypatch)
    monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", 0.1)
    monkeypatch.setattr("kagimori.trail.archive.RETRY_SECONDS", 0.05)

    async def test(journal):
        store = Released()
        archive = AuditArchive(journal, store)
        committed = future_of(archive.append_committed("1", record("1")))
        await until(lambda: not journal.healthy)
        journal.give_up_waiting()
        await committed  # it is durable in the store
        assert store.ids == []
        with pytest.raises(JournalFailed):
            archive.check()  # no further change meanwhile
        gate.open.set()
        await until(lambda: store.ids == ["1"])

    run(folder, test)
    assert chained(folder) == ["1"]


# --- files ---------------------------------------------------------------------------------------


def test_a_file_whose_name_cannot_be_made_durable_is_not_used(folder, monkeypatch):
    real = journal_module.sync_folder

    def fails(path):
        raise OSError(errno.EIO, "no")

    async def test(journal):
        monkeypatch.setattr(journal_module, "sync_folder", fails)
        for _ in range(2):
            with pytest.raises(JournalFailed):
                await future_of(journal.append(record("never")))
        monkeypatch.setattr(journal_module, "sync_folder", real)
        await future_of(journal.append(record("after")))

    run(folder, test)
    assert chained(folder) == ["after"]


def test_a_disk_that_refuses_the_cutting_back_too_leaves_nothing_in_the_end(folder, monkeypatch):
    async def test(journal):
        await future_of(journal.append(record("before")))
        real = os.fdatasync, os.ftruncate

        def fails(*arguments):
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr(journal_module.os, "fdatasync", fails)
        monkeypatch.setattr(journal_module.os, "ftruncate", fails)
        for number in range(3):
            with pytest.raises(JournalFailed):
                await future_of(journal.append(record(number)))
        monkeypatch.setattr(journal_module.os, "fdatasync", real[0])
        monkeypatch.setattr(journal_module.os, "ftruncate", real[1])
        await future_of(journal.append(record("after")))

    run(folder, test)
    assert chained(folder) == ["before", "after"]


def written(folder, *contents):
    """Make a journal of these files; the first starts a chain."""
    folder.mkdir(parents=True)
    sequence = 1
    for content in contents:
        file_for(folder, sequence).write_bytes(content)
        sequence += content.count(b"\n")


ONE, AFTER_ONE = join(START, record(1))
TWO, AFTER_TWO = join(AFTER_ONE, record(2))


@pytest.mark.parametrize(
    ("contents", "end"),
    [
        ((), START),
        ((b"",), START),
        ((b'{"sequ',), START),
        ((ONE,), AFTER_ONE),
        ((ONE, b""), AFTER_ONE),
        ((ONE, TWO[:-1]), AFTER_ONE),
        ((ONE, TWO), AFTER_TWO),
        ((ONE + TWO + b"\0" * 100,), AFTER_TWO),
    ],
)
def test_whatever_a_crash_can_leave_is_recovered(folder, contents, end):
    written(folder, *contents)
    assert recover_end(folder).end == end
    assert recover_end(folder).end == end  # and again, as it lies now
    run(folder, lambda journal: future_of(journal.append(record("on"))))
    assert chained(folder)[-1] == "on"
    assert len(chained(folder)) == end.sequence + 1


@pytest.mark.parametrize(
    "contents",
    [
        (ONE + b"garbage\n",),
        (b"garbage\n" + ONE,),
        (b"garbage\n", b""),
        (ONE + ONE, b""),
    ],
)
def test_what_no_crash_leaves_is_refused_and_kept_as_it_is(folder, contents):
    written(folder, *contents)
    with pytest.raises(JournalDamaged):
        recover_end(folder)
    assert [file.read_bytes() for file in journal_files(folder)] == list(contents)


def test_what_was_recovered_is_durable_before_it_counts(folder, monkeypatch):
    written(folder, ONE)
    synced = []
    monkeypatch.setattr(recovery_module.os, "fdatasync", synced.append)
    recover_end(folder)
    assert len(synced) == 1


# --- the outbox after a crash --------------------------------------------------------------------


def test_each_stream_gets_what_it_lacks_once(folder):
    written(folder, ONE)
    other = folder.with_name("w1")
    written(other, ONE + b'{"sequence":2,"prev')  # of a worker that is no more
    rows = [("1", "w0", 0, record(1)), ("2", "w0", 0, record(2))]
    rows += [("1", "w1", 0, record(1)), ("9", "w1", 0, record(9)), ("5", "w2", 0, record(5))]
    store, failures = Released(), []

    async def recover(journal):
        await recover_own(rows, "w0", journal, store)
        await recover_others(rows, ("w0", "w2"), folder.parent, store, failures.append)

    run(folder, recover)
    run(folder, recover)  # killed before the releases were on disk: once more
    assert (chained(folder), chained(other)) == (["1", "2"], ["1", "9"])
    assert not folder.with_name("w2").exists()  # its own worker sees to that
    assert sorted(set(store.ids)) == ["1", "2", "9"]
    assert failures == []


def test_a_disk_that_refuses_leaves_the_rest_in_the_outbox(folder, monkeypatch):
    store = Released()

    async def recover(journal):
        monkeypatch.setattr(journal_module, "_write_all", refuse)
        with pytest.raises(JournalFailed):
            await recover_own([("1", "w0", 0, record(1))], "w0", journal, store)

    def refuse(file, content):
        raise OSError(errno.ENOSPC, "no")

    run(folder, recover)
    assert (store.ids, chained(folder)) == ([], [])
