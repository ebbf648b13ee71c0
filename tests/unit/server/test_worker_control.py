"""The supervisor's conversation with a worker: an answer is never taken for that to another question."""

import asyncio
import socket
import struct

import pytest

from kagimori.machinery.control import Answer, BadMessage, frame, read_answer, read_question
from kagimori.server import worker_child
from kagimori.server.worker_child import WorkerChild


class Process:
    killed = False

    def kill(self):
        self.killed = True


def worker_over(reader, writer):
    """A worker's near side, without the process."""
    worker = WorkerChild.__new__(WorkerChild)
    worker._reader, worker._writer = reader, writer
    worker._asking, worker._asked = asyncio.Lock(), 0
    worker.is_ready = True
    worker.process = Process()
    return worker


def talk(conversation):
    async def run():
        ours, theirs = socket.socketpair()
        worker = worker_over(*await asyncio.open_unix_connection(sock=ours))
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        await conversation(worker, reader, writer)
        for transport in (writer, worker._writer):
            transport.close()
            await transport.wait_closed()

    asyncio.run(run())


def test_a_late_answer_is_not_taken_for_the_next(monkeypatch):
    monkeypatch.setattr(worker_child, "ANSWER_SECONDS_MAX", 0.05)

    async def conversation(worker, reader, writer):
        assert await worker.snapshot() is None, "nobody answered in time"
        first = await read_question(reader)
        monkeypatch.setattr(worker_child, "ANSWER_SECONDS_MAX", 20.0)
        asking = asyncio.ensure_future(worker._ask("other"))
        second = await read_question(reader)
        writer.write(frame(Answer(first.number, value={"records_synced": 7})))
        writer.write(frame(Answer(second.number, value=42)))
        assert await asking == 42

    talk(conversation)


def test_an_answer_may_be_long_and_hold_any_text():
    text = "\n{}\r\n\x00\u2028" * 300_000

    async def conversation(worker, reader, writer):
        for _ in range(2):
            asking = asyncio.ensure_future(worker.snapshot())
            question = await read_question(reader)
            writer.write(frame(Answer(question.number, value={"text": text})))
            assert (await asking)["text"] == text

    talk(conversation)


@pytest.mark.parametrize("content", [b"\xff\xff\xff\xff", struct.pack("!I", 4) + b"nope"])
def test_a_worker_that_speaks_otherwise_is_replaced(content):
    async def conversation(worker, reader, writer):
        asking = asyncio.ensure_future(worker.snapshot())
        await read_question(reader)
        writer.write(content)
        assert await asking is None
        assert worker.process.killed

    talk(conversation)


def test_what_is_no_answer_is_said_to_be_none():
    async def run():
        reader = asyncio.StreamReader()
        reader.feed_data(struct.pack("!I", 2) + b"{}")
        with pytest.raises(BadMessage):
            await read_answer(reader)

    asyncio.run(run())


def starting(conversation, silent_seconds):
    """Return whether a worker is found to serve, its process, and its refusal."""

    async def run():
        ours, theirs = socket.socketpair()
        worker = worker_over(None, None)
        worker._socket, worker._writer, worker.is_ready, worker.refused = ours, None, False, None
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        far = asyncio.ensure_future(conversation(reader, writer))
        serves = await worker.wait_ready(silent_seconds)
        far.cancel()
        for transport in (writer, worker._writer):
            transport.close()
        return serves, worker.process.killed, worker.refused

    return asyncio.run(run())


def test_one_that_answers_nothing_while_it_starts_is_ended():
    async def hangs(reader, writer):
        await asyncio.sleep(3600)

    serves, killed, refused = starting(hangs, 0.05)
    assert (serves, killed) == (False, True)
    assert "while it started" in refused


def test_one_that_answers_may_take_long_to_start(monkeypatch):
    monkeypatch.setattr(worker_child, "ASK_SECONDS", 0.001)

    async def waits(reader, writer):
        for _ in range(100):
            question = await read_question(reader)
            writer.write(frame(Answer(question.number, value=True)))
        writer.write(frame(Answer(0)))

    assert starting(waits, 20.0) == (True, False, None)


def test_one_that_says_why_it_does_not_serve_is_heard():
    async def refuses(reader, writer):
        writer.write(frame(Answer(0, refused="the journal is damaged")))

    assert starting(refuses, 20.0) == (False, False, "the journal is damaged")
