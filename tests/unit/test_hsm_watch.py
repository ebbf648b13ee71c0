"""The watch over the HSM: who answers is left alone, who hangs is told of."""

import asyncio
import struct

import pytest

import serving
from kagimori.hsm.watch import until_it_hangs

TIMES = {"pause_seconds": 0.001, "answer_seconds_max": 0.2}
REPLY = struct.pack(">II", 6, 1) + b"\x90\x90"


async def watched(folder, serve, done):
    """Watch a far end that serves so; return once it hangs, or `done` is set."""
    path = folder / "hsm.sock"
    server = await asyncio.start_unix_server(serve, path) if serve else None
    hanging = asyncio.create_task(until_it_hangs(path, **TIMES))
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait((hanging, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=30)
    found = hanging.done()
    for task in (hanging, waiting):
        task.cancel()
    if server is not None:
        server.close()
    return found


@pytest.fixture
def folder():
    with serving.temporary_folder() as made:
        yield made


def test_one_that_does_not_answer_hangs(folder):
    async def look():
        async def serve(reader, writer):
            await reader.read()
            writer.close()

        return await watched(folder, serve, asyncio.Event())

    assert asyncio.run(look())


@pytest.mark.parametrize("answer", [REPLY, b"", REPLY[:3]], ids=["whole", "none", "half"])
def test_one_that_answers_or_goes_away_does_not(folder, answer):
    async def look():
        done, asked = asyncio.Event(), 0

        async def serve(reader, writer):
            nonlocal asked
            await reader.readexactly(8)
            writer.write(answer)
            writer.close()
            asked += 1
            if asked == 5:
                done.set()

        return await watched(folder, serve, done)

    assert not asyncio.run(look())


def test_one_that_is_not_there_does_not(folder):
    async def look():
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, done.set)
        return await watched(folder, None, done)

    assert not asyncio.run(look())
