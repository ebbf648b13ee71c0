"""The token process: confined, bounded, killed and started again. With SoftHSM."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from kagimori.hsm.token_holder import IN_FLIGHT_MAX, TokenHolder
from kagimori.hsm.token_process import TokenProcess
from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken
from kagimori_boundary.commands.token import ConnectToken, UnwrapSecret, WrapSecret
from kagimori_boundary.frames import PROTOCOL_VERSION, FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Bytes, Failed, Failure, Greeting, NewKey
from kagimori_hsm.pkcs11.door import payer_of
from kagimori_hsm.pkcs11.process import HANGS, Watch
from kit.softhsm import PIN, needs_softhsm, soft_tokens
from waiting import future_of

pytestmark = needs_softhsm

ACCOUNT = "111122223333"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
SYMMETRIC = "SYMMETRIC_DEFAULT"
MAKE = commands.GenerateKey(ACCOUNT, "us-east-1", KEY, SYMMETRIC, "ENCRYPT_DECRYPT", "AWS_CLOUDHSM")
AWAY = Failed(Failure.TOKEN_AWAY)


@pytest.fixture
def soft(tmp_path):
    return soft_tokens(tmp_path / "soft", "one", "two")


@contextmanager
def started(soft, label="one", **options):
    process = TokenProcess(soft.options(label, **options), soft.environment)
    try:
        yield process
    finally:
        process.end()


@asynccontextmanager
async def holding(soft, label="one", seconds=10.0):
    """A holder that has reached its process."""
    holder = TokenHolder(soft.options(label).socket_path, seconds)
    running = asyncio.create_task(holder.run())
    await reached(holder)
    try:
        yield holder
    finally:
        holder.close()
        running.cancel()


async def reached(holder):
    async with asyncio.timeout(20):
        while not isinstance(await ask(holder, commands.Hello(PROTOCOL_VERSION)), Greeting):
            await asyncio.sleep(0.01)


async def ask(holder, command):
    return await future_of(holder.perform(command))


def bound(new_key, account_id=ACCOUNT):
    return msgspec.msgpack.encode(
        BoundToken(
            account_id,
            "us-east-1",
            KEY,
            SYMMETRIC,
            "ENCRYPT_DECRYPT",
            "AWS_CLOUDHSM",
            new_key.material_id,
            new_key.key_token,
        )
    )


def encrypt(token, plaintext=b"meet me at noon"):
    return commands.Encrypt(token, SYMMETRIC, plaintext, {"a": "b"})


def decrypt(token, blob):
    return commands.Decrypt(token, SYMMETRIC, blob, {"a": "b"})


def converse(connection, command):
    """Ask over a plain socket."""
    connection.settimeout(20)
    connection.sendall(frame_of(7, command))
    cutter = FrameCutter()
    while True:
        for number, body in cutter.feed(connection.recv(65536)):
            assert number == 7
            return decode_reply(body)


def test_two_stores_on_two_tokens(soft):
    async def run():
        async with holding(soft, "one") as one, holding(soft, "two") as two:
            tokens, blobs = {}, {}
            for holder in (one, two):
                made = await ask(holder, MAKE)
                assert isinstance(made, NewKey)
                tokens[holder] = bound(made)
                blobs[holder] = (await ask(holder, encrypt(tokens[holder]))).value
            for holder, other in ((one, two), (two, one)):
                opened = await ask(holder, decrypt(tokens[holder], blobs[holder]))
                assert opened == Bytes(b"meet me at noon")
                missing = await ask(holder, decrypt(tokens[other], blobs[other]))
                assert missing == Failed(Failure.KEY_NOT_IN_TOKEN)
                refused = await ask(holder, decrypt(tokens[holder], blobs[other]))
                assert refused == Failed(Failure.INVALID_CIPHERTEXT)

    with started(soft, "one"), started(soft, "two"):
        asyncio.run(run())


def test_a_process_killed_under_load_leaves_nobody_waiting_and_comes_back(soft):
    async def run(process):
        async with holding(soft) as holder:
            token = bound(await ask(holder, MAKE))
            blob = (await ask(holder, encrypt(token))).value
            waiting = [future_of(holder.perform(encrypt(token))) for _ in range(200)]
            await waiting[3]
            process.process.kill()
            replies = await asyncio.wait_for(asyncio.gather(*waiting), 20)
            assert {type(reply) for reply in replies} == {Bytes, Failed}
            assert {reply for reply in replies if isinstance(reply, Failed)} <= {
                AWAY,
                Failed(Failure.BUSY),
            }
            process.end()
            assert await ask(holder, encrypt(token)) == AWAY
            with started(soft):
                await reached(holder)
                assert await ask(holder, decrypt(token, blob)) == Bytes(b"meet me at noon")

    with started(soft) as process:
        asyncio.run(run(process))


def test_a_call_that_hangs_ends_the_process_and_keeps_nobody(soft):
    pin = soft.folder / "one.pin"
    pin.unlink()
    os.mkfifo(pin, 0o600)  # which nobody writes: to read the PIN never ends

    async def run(process):
        async with holding(soft) as holder:
            waiting = [future_of(holder.perform(ConnectToken())) for _ in range(200)]
            replies = await asyncio.wait_for(asyncio.gather(*waiting), 20)
            assert set(replies) == {AWAY, Failed(Failure.BUSY)}
        assert process.process.wait(20) == HANGS

    with started(soft, operation_seconds=0.5) as process:
        asyncio.run(run(process))


def test_the_process_is_confined(soft):
    async def run():
        async with holding(soft) as holder:
            return await ask(holder, commands.Hello(PROTOCOL_VERSION))

    with started(soft) as process:
        greeting = asyncio.run(run())
        assert set(greeting.sandbox) <= {"landlock", "seccomp"}
        facts = Path("/proc") / str(process.process.pid)
        lines = (facts / "status").read_text(encoding="ascii").splitlines()
        seccomp = next(line for line in lines if line.startswith("Seccomp:"))
        assert ("seccomp" in greeting.sandbox) == (seccomp.split()[1] == "2")
        entries = (facts / "environ").read_bytes().split(b"\0")
        names = {entry.partition(b"=")[0] for entry in entries if entry}
        handed = {b"PATH", b"LANG", b"LC_ALL", b"TZ", b"VIRTUAL_ENV", b"SOFTHSM2_CONF"}
        assert names - {b"LC_CTYPE"} <= handed


def test_the_operator_alone_wraps(soft):
    path = soft.options("one").socket_path

    async def wait():
        async with holding(soft):
            pass

    with started(soft) as process:
        asyncio.run(wait())
        wrapped = converse(process.socket, WrapSecret("seal 1", b"s" * 32))
        opened = converse(process.socket, UnwrapSecret("seal 1", wrapped.value))
        assert opened == Bytes(b"s" * 32)
        with closing(socket.socket(socket.AF_UNIX)) as worker:
            worker.connect(path)
            refused = converse(worker, UnwrapSecret("seal 1", wrapped.value))
            assert refused == Failed(Failure.MALFORMED)
            assert Path(path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("junk", [b"\0" * 64, b"\xff" * 64, b"\0\0\0\x05\0\0\0\1\xc1"])
def test_junk_harms_nobody(soft, junk):
    async def run():
        async with holding(soft) as holder:
            with closing(socket.socket(socket.AF_UNIX)) as stranger:
                stranger.connect(soft.options("one").socket_path)
                stranger.settimeout(20)
                stranger.sendall(junk)
                answer = await asyncio.to_thread(stranger.recv, 100)
                assert answer == b"" or decode_reply(answer[8:]) == Failed(Failure.MALFORMED)
            assert isinstance(await ask(holder, commands.GenerateRandom(8)), Bytes)

    with started(soft):
        asyncio.run(run())


def test_it_ends_with_its_operator(soft):
    with started(soft) as process:
        process.socket.close()
        assert process.process.wait(20) == 0


def test_a_wrong_pin_is_invalid_credentials_and_the_right_one_connects(soft):
    async def run():
        async with holding(soft) as holder:
            assert (await ask(holder, ConnectToken())).error == "INVALID_CREDENTIALS"
            assert await ask(holder, MAKE) == AWAY
            soft.pin_file("one", PIN)
            assert (await ask(holder, ConnectToken(PIN))).error == ""
            assert isinstance(await ask(holder, MAKE), NewKey)

    soft.pin_file("one", "wrong")
    with started(soft):
        asyncio.run(run())


def test_a_holder_without_process_answers_at_once(tmp_path):
    async def run():
        holder = TokenHolder(str(tmp_path / "nobody.sock"), 1.0)
        assert await ask(holder, MAKE) == AWAY
        holder.close()

    asyncio.run(run())


def test_a_holder_has_a_bounded_number_in_flight(soft):
    async def run():
        async with holding(soft) as holder:
            waiting = [
                future_of(holder.perform(commands.GenerateRandom(8)))
                for _ in range(IN_FLIGHT_MAX + 5)
            ]
            assert holder.in_flight == IN_FLIGHT_MAX
            replies = await asyncio.wait_for(asyncio.gather(*waiting), 20)
            assert replies[-5:] == [Failed(Failure.BUSY)] * 5

    with started(soft):
        asyncio.run(run())


def test_the_queue_is_shared_out_by_the_account_of_the_key():
    token = bound(NewKey(b"m" * 32, b"t", b""), account_id="444455556666")
    assert payer_of(encrypt(token)) == "444455556666"
    re_encrypt = commands.ReEncrypt(token, SYMMETRIC, b"", {}, b"", SYMMETRIC, {})
    assert payer_of(re_encrypt) == "444455556666"
    assert payer_of(MAKE) == ACCOUNT
    assert payer_of(encrypt(b"\xc1")) == ""
    assert payer_of(commands.GenerateRandom(8)) == ""


def test_work_is_timed_while_it_lasts():
    now = [10.0]
    watch = Watch(lambda: now[0])
    assert watch.seconds() == 0.0

    def work():
        now[0] += 3
        assert watch.seconds() == 3.0
        return Bytes(b"")

    watch.run(work)
    assert watch.seconds() == 0.0
