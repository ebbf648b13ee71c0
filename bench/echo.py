"""The front door alone, in a process of its own: every request is answered with its own body.

What this costs is the floor under every answer: sockets, HTTP, the event loop.
"""

import asyncio
import socket
import time
from email.utils import formatdate

import uvloop

from kagimori.http.front import Front, Respond
from kagimori.machinery.chance import new_uuid
from kagimori.rules.request import RawAnswer, RawRequest
from kagimori.settings import FrontLimits


def _echo(raw: RawRequest, respond: Respond) -> None:
    respond(RawAnswer(200, raw.body))


async def _serve() -> None:
    front = Front(
        _echo,
        FrontLimits(),
        new_request_id=new_uuid,
        http_date=lambda: formatdate(time.time(), usegmt=True).encode(),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    await front.listen(sock=listener, ssl=None)
    print(f"echo at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
