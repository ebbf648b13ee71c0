"""Whether the HSM still answers: a question every few seconds, on a connection of its own."""

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import Final

import msgspec

from kagimori_boundary.messages import FRAME_BYTES_MAX, PROTOCOL_VERSION, Hello

PAUSE_SECONDS: Final = 2.0
# Longer than anything it does before it looks at its connections again, on a machine that is busy.
ANSWER_SECONDS_MAX: Final = 10.0
_LENGTH: Final = struct.Struct(">I")


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
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                async with asyncio.timeout(answer_seconds_max):
                    await _ask(socket_path)
            except TimeoutError:
                return
        await asyncio.sleep(pause_seconds)


async def _ask(socket_path: Path) -> None:
    body = msgspec.msgpack.encode(Hello(PROTOCOL_VERSION))
    reader, writer = await asyncio.open_unix_connection(socket_path)
    try:
        writer.write(struct.pack(">II", len(body) + 4, 1) + body)
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        await reader.readexactly(min(length, FRAME_BYTES_MAX))
    finally:
        writer.close()
