"""The audit journal: durable before settled, chained, whole after a crash.

Promise: record-before-release.
"""

import asyncio
import errno
import json
import os
import threading

import pytest

from kagimori.rules.chain.chain import START, follow
from kagimori.trail import journal as journal_module
from kagimori.trail.files import journal_files, records_after
from kagimori.trail.journal import Journal, JournalFailed
from kagimori.trail.recovery import JournalDamaged
from waiting import future_of


def record(number):
    return json.dumps({"eventID": f"{number}"}).encode()


def chained(folder):
    """The records of a journal, whose chain must hold."""
    link, found = START, []
    for file in journal_files(folder):
        for line in file.read_bytes().splitlines():
            text, link = follow(link, line)
            found.append(json.loads(text)["eventID"])
    return found


def on_loop(test):
    def run(tmp_path, monkeypatch):
        async def with_journal():
            journal = Journal(tmp_path / "audit" / "w0")
            try:
                await test(journal, tmp_path / "audit" / "w0", monkeypatch)
            finally:
                await journal.close()

        asyncio.run(with_journal())

    run.__name__ = test.__name__
    return run


@on_loop
async def test_records_are_in_order_and_chained(journal, folder, monkeypatch):
    await asyncio.gather(*(future_of(journal.append(record(n))) for n in range(50)))
    assert chained(folder) == [f"{n}" for n in range(50)]
    assert journal.end.sequence == 50
    assert [json.loads(text)["eventID"] for text in records_after(folder, 47)] == ["47", "48", "49"]


@on_loop
async def test_nothing_settles_before_the_sync(journal, folder, monkeypatch):
    gate = threading.Event()
    sync = os.fdatasync
    monkeypatch.setattr(journal_module.os, "fdatasync", lambda file: (gate.wait(10), sync(file))[1])
    waiting = future_of(journal.append(record(1)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    gate.set()
    await asyncio.wait_for(waiting, 10)


@on_loop
async def test_a_new_file_carries_the_chain_on(journal, folder, monkeypatch):
    monkeypatch.setattr(journal_module, "FILE_BYTES_MAX", 500)
    for number in range(20):
        await future_of(journal.append(record(number)))
    assert len(journal_files(folder)) > 1
    assert chained(folder) == [f"{n}" for n in range(20)]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_fails_the_group_and_leaves_nothing_of_it(
    tmp_path, monkeypatch, call, number
):
    folder = tmp_path / "audit" / "w0"

    async def run():
        journal = Journal(folder)
        await future_of(journal.append(record("before")))
        real = getattr(os, call)

        def fails(*arguments):
            if call == "write":
                real(arguments[0], bytes(arguments[1])[:10])  # some of it reaches the file
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(journal_module.os, call, fails)
        results = await asyncio.gather(
            *(future_of(journal.append(record(n))) for n in range(5)), return_exceptions=True
        )
        assert {type(result) for result in results} == {JournalFailed}
        assert not journal.healthy
        monkeypatch.setattr(journal_module.os, call, real)
        await future_of(journal.append(record("after")))
        assert journal.healthy
        await journal.close()

    asyncio.run(run())
    assert chained(folder) == ["before", "after"]


@on_loop
async def test_a_hanging_disk_is_not_waited_for_forever(journal, folder, monkeypatch):
    gate = threading.Event()
    sync = os.fdatasync
    monkeypatch.setattr(journal_module.os, "fdatasync", lambda file: (gate.wait(10), sync(file))[1])
    monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", 0.05)
    stuck = future_of(journal.append(record("stuck")))
    await asyncio.sleep(0.1)
    behind = future_of(journal.append(record("behind")))
    journal.give_up_waiting()
    assert await asyncio.gather(stuck, behind, return_exceptions=True)
    assert isinstance(stuck.exception(), JournalFailed)
    assert isinstance(behind.exception(), JournalFailed)
    monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", 5.0)
    gate.set()


def test_a_torn_end_is_cut_off_and_the_chain_goes_on(tmp_path):
    folder = tmp_path / "audit" / "w0"

    async def write(*numbers):
        journal = Journal(folder)
        for number in numbers:
            await future_of(journal.append(record(number)))
        await journal.close()

    asyncio.run(write(1, 2))
    with journal_files(folder)[-1].open("ab") as file:
        file.write(b'{"sequence":3,"previous":"')
    asyncio.run(write(3))
    assert chained(folder) == ["1", "2", "3"]


def test_an_end_that_no_crash_can_leave_is_refused(tmp_path):
    folder = tmp_path / "audit" / "w0"

    async def write():
        journal = Journal(folder)
        for number in range(3):
            await future_of(journal.append(record(number)))
        await journal.close()

    asyncio.run(write())
    file = journal_files(folder)[-1]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalDamaged):
        asyncio.run(write())
