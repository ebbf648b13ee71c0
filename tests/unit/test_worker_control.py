"""The supervisor's conversation with a worker: an answer is never taken for that to another question."""

import asyncio
import json
import socket

from kagimori.server import supervisor
from kagimori.server.supervisor import _Worker


def worker_over(reader, writer):
    """A worker's near side, without the process."""
    worker = _Worker.__new__(_Worker)
    worker._reader, worker._writer = reader, writer
    worker._asking, worker._unanswered = asyncio.Lock(), 0
    worker.is_ready = True
    return worker


def test_a_late_answer_is_not_taken_for_the_next(monkeypatch):
    monkeypatch.setattr(supervisor, "SNAPSHOT_SECONDS_MAX", 0.05)

    async def talk():
        ours, theirs = socket.socketpair()
        worker = worker_over(*await asyncio.open_unix_connection(sock=ours))
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        assert await worker.snapshot() is None, "nobody answered in time"
        assert await reader.readline() == b"snapshot\n"
        writer.write(json.dumps({"records_synced": 7}).encode() + b"\n")
        asking = asyncio.ensure_future(worker.journal_end())
        assert await reader.readline() == b"end\n"
        writer.write(b"42\n")
        assert await asking == 42
        for transport in (writer, worker._writer):
            transport.close()
            await transport.wait_closed()

    asyncio.run(talk())
