"""Checks every few seconds that the HSM answers, on a connection of its own."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from kagimori_boundary.commands import Hello
from kagimori_boundary.frames import PROTOCOL_VERSION, BadFrame, FrameCutter, frame_of

PAUSE_SECONDS: Final = 2.0
# Longer than anything it does before it looks at its connections again, on a machine that is busy.
ANSWER_SECONDS_MAX: Final = 10.0
RECEIVE_BYTES_MAX: Final = 64 * 1024


async def until_it_hangs(
    socket_path: Path,
    *,
    pause_seconds: float = PAUSE_SECONDS,
    answer_seconds_max: float = ANSWER_SECONDS_MAX,
) -> None:
    """Return once the HSM is there but did not answer in time.

    An HSM that is not there, or goes away, is not this function's business: it asks again.
    """
    while True:
        with contextlib.suppress(OSError, BadFrame):
            try:
                async with asyncio.timeout(answer_seconds_max):
                    await _ask(socket_path)
            except TimeoutError:
                return
        await asyncio.sleep(pause_seconds)


async def _ask(socket_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    try:
        writer.write(frame_of(1, Hello(PROTOCOL_VERSION)))
        cutter = FrameCutter()
        while not cutter.feed(await _some(reader)):
            pass
    finally:
        writer.close()


async def _some(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(RECEIVE_BYTES_MAX)
    if not data:
        raise ConnectionResetError
    return data
