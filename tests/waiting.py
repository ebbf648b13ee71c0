"""Waiting for pendings from a test's coroutine."""

import asyncio


def future_of(pending):
    """Return an asyncio future that settles as the pending does."""
    future = asyncio.get_running_loop().create_future()

    def settled():
        if future.done():
            return
        try:
            future.set_result(pending.result())
        except BaseException as failure:
            future.set_exception(failure)

    pending.then(settled)
    return future


async def look(function):
    """Call a function of a view until what it needs is in memory."""
    from kagimori.ports import Absent

    while True:
        try:
            return function()
        except Absent as absent:
            await future_of(absent.load())
