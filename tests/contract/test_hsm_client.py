"""The client of the HSM: every command has one outcome, whatever the other end does."""

import asyncio
import struct
from contextlib import asynccontextmanager

import msgspec
import pytest

import serving
from kagimori.hsm.client import HsmClient, HsmGone
from kagimori.settings import Hsm as HsmSettings
from kagimori_boundary.commands import Command, GenerateRandom, Hello
from kagimori_boundary.frames import PROTOCOL_VERSION
from kagimori_boundary.replies import Bytes, Failed, Failure, Greeting, HsmState
from waiting import future_of

DEFAULTS = HsmSettings()
HEAD = struct.Struct(">II")
decode = msgspec.msgpack.Decoder(Command).decode


class Hsm:
    """A far end that does as it is told: `mood` is what it makes of a command."""

    def __init__(self, path):
        self.path, self.mood, self.state = path, "answers", HsmState.OPERATIONAL
        self.reason = ""
        self.greetings, self.kept, self.writers = 0, [], []

    async def listen(self):
        self.server = await asyncio.start_unix_server(self.serve, self.path)

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                length, number = HEAD.unpack(await reader.readexactly(8))
                command = decode(await reader.readexactly(length - 4))
                self.greetings += isinstance(command, Hello)
                if self.mood == "answers":
                    await self.answer(writer, number, command)
                elif self.mood == "keeps":
                    self.kept.append((writer, number, command))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def answer(self, writer, number, command, body=None):
        if body is None:
            reply = Greeting(
                PROTOCOL_VERSION, self.state, [], memory_locked=False, reason=self.reason
            )
            if isinstance(command, GenerateRandom):
                reply = Bytes(bytes([command.number_of_bytes % 256]))
            body = msgspec.msgpack.encode(reply)
        for part in (HEAD.pack(len(body) + 4, number) + body).partition(b"\x04"):
            writer.write(part)  # in pieces, as a socket may give them
            await writer.drain()

    def hang_up(self):
        for writer in self.writers:
            writer.close()
        self.writers.clear()


@asynccontextmanager
async def connected(settings):
    with serving.temporary_folder() as folder:
        hsm = Hsm(str(folder / "s"))
        await hsm.listen()
        client = HsmClient(hsm.path, settings)
        running = asyncio.ensure_future(client.run())
        try:
            await until(lambda: client.operational)
            yield client, hsm
        finally:
            client.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            hsm.hang_up()
            hsm.server.close()


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


def run(test, settings=DEFAULTS):
    async def bounded():
        async with connected(settings) as (client, hsm):
            await asyncio.wait_for(test(client, hsm), 30)

    asyncio.run(bounded())


def ask(client, number):
    return future_of(client.perform(GenerateRandom(number)))


def test_each_command_has_its_own_reply_in_whatever_order():
    async def test(client, hsm):
        hsm.mood = "keeps"
        asked = [ask(client, number) for number in range(1, 201)]
        await until(lambda: len(hsm.kept) == 200)
        assert client.in_flight == 200
        for writer, number, command in reversed(hsm.kept):
            await hsm.answer(writer, number, command)
        replies = await asyncio.gather(*asked)
        assert [reply.value[0] for reply in replies] == list(range(1, 201))
        assert client.in_flight == 0

    run(test)


def test_what_was_in_flight_fails_when_the_hsm_goes_and_nothing_is_repeated():
    async def test(client, hsm):
        hsm.mood = "keeps"
        asked = [ask(client, number) for number in range(1, 6)]
        await until(lambda: len(hsm.kept) == 5)
        hsm.hang_up()
        for one in asked:
            with pytest.raises(HsmGone):
                await one
        assert not client.operational
        hsm.mood = "answers"
        await until(lambda: client.operational)
        assert (await ask(client, 7)).value == b"\x07"
        random = [kept for kept in hsm.kept if isinstance(kept[2], GenerateRandom)]
        assert len(random) == 5

    run(test)


def test_an_hsm_that_hangs_is_left_after_a_bound_and_not_swamped():
    async def test(client, hsm):
        hsm.mood = "is silent"
        with pytest.raises(HsmGone):
            await asyncio.wait_for(ask(client, 1), 10)
        greeted = hsm.greetings
        with pytest.raises(HsmGone):  # the next connection hangs as well
            await until(lambda: client._transport is not None)
            await asyncio.wait_for(ask(client, 2), 10)
        assert not client.operational
        assert client.in_flight <= 1
        assert hsm.greetings - greeted <= 3
        hsm.mood = "answers"
        await until(lambda: client.operational)

    run(test, HsmSettings(answer_seconds=0.3))


def test_a_sealed_hsm_does_not_count_as_one_until_it_is_unsealed():
    async def test(client, hsm):
        hsm.state = HsmState.SEALED
        hsm.hang_up()
        await until(lambda: not client.operational)
        await asyncio.sleep(0.2)
        assert not client.operational
        hsm.state = HsmState.OPERATIONAL
        await until(lambda: client.operational)

    run(test)


def test_more_than_may_be_in_flight_is_refused_at_once():
    async def test(client, hsm):
        hsm.mood = "keeps"
        asked = [ask(client, number) for number in range(1, 7)]
        await until(lambda: hsm.kept)
        refused = [one for one in asked if one.done()]
        assert [one.result() for one in refused] == [Failed(Failure.BUSY)] * len(refused)
        assert len(asked) - len(refused) <= client.in_flight == 4
        hsm.mood = "answers"
        for writer, number, command in hsm.kept:
            await hsm.answer(writer, number, command)
        await until(lambda: client.in_flight == 0)
        assert await ask(client, 7) == Bytes(b"\x07")

    run(test, HsmSettings(in_flight=4))


def test_an_hsm_that_does_not_serve_says_why():
    async def test(client, hsm):
        assert client.why_not_operational == ""
        hsm.state, hsm.reason = HsmState.ERROR, "SHA-256 gives another answer"
        hsm.hang_up()
        assert await until(lambda: client.why_not_operational == f"ERROR: {hsm.reason}") is None
        hsm.state, hsm.reason = HsmState.SEALED, ""
        await until(lambda: client.why_not_operational == "SEALED")
        hsm.server.close()
        hsm.hang_up()
        await until(lambda: client.why_not_operational == "not connected")

    run(test)


def test_a_reply_that_is_none_is_a_failure_and_one_for_nobody_is_dropped():
    async def test(client, hsm):
        hsm.mood = "keeps"
        one = ask(client, 1)
        await until(lambda: hsm.kept)
        writer, number, command = hsm.kept[0]
        await hsm.answer(writer, number + 77, command)
        await hsm.answer(writer, number, command, body=b"\xc1")
        assert await one == Failed(Failure.INTERNAL)
        hsm.mood = "answers"
        assert (await ask(client, 9)).value == b"\x09"

    run(test)
