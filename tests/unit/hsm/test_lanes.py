"""The slow lane: accounts take turns, queues are bounded, and the order is counted, not timed."""

import asyncio
from concurrent.futures import Future

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import Lane, Role
from kagimori_boundary.frames import FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Bytes, Failed, Failure
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalWriter
from kagimori_hsm.lanes import (
    BATCH_MAX,
    BATCH_SECONDS,
    WAITING_OF_ACCOUNT_MAX,
    WAITING_SECONDS_MAX,
    BatchLane,
    FairQueue,
    SlowLane,
)


class ByHand:
    """An executor that does one piece of work when it is told to."""

    def __init__(self):
        self.given = []

    def submit(self, work):
        future = Future()
        future.set_running_or_notify_cancel()
        self.given.append((future, work))
        return future

    def do_one(self):
        future, work = self.given.pop(0)
        future.set_result(work())


def taken(queue):
    found = []
    while (work := queue.take()) is not None:
        found.append(work)
    return found


def test_accounts_take_turns_however_much_one_of_them_asks():
    queue = FairQueue()
    for number in range(5):
        assert queue.put("many", f"many-{number}")
    assert queue.put("one", "one-0")
    assert queue.put("two", "two-0")
    assert queue.put("two", "two-1")
    assert taken(queue) == [
        "many-0", "one-0", "two-0", "many-1", "two-1", "many-2", "many-3", "many-4",
    ]  # fmt: skip
    assert len(queue) == 0


def test_a_full_queue_keeps_nobody_else_out():
    queue = FairQueue(of_account_max=2, waiting_max=4)
    assert [queue.put("many", number) for number in range(3)] == [True, True, False]
    assert queue.put("one", 0)
    assert queue.put("two", 0)
    assert not queue.put("three", 0)  # all places are taken
    assert queue.take() is not None
    assert queue.put("three", 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_another_account_waits_for_what_is_being_done_and_no_more(threads):
    async def test():
        hand, order = ByHand(), []
        lane = SlowLane(hand, threads=threads)

        def ask(name):
            return lane.submit(
                name[0], lambda: Bytes(name.encode()), lambda reply: order.append(name)
            )

        for number in range(10):
            assert ask(f"a{number}")
        assert ask("b0")
        while hand.given:
            hand.do_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        # Those that were running when `b` came, at the most one of `a` before its turn, then `b`.
        assert order.index("b0") <= threads + 1
        assert len(order) == 11

    asyncio.run(test())


def test_what_waited_too_long_is_refused_at_its_turn():
    async def test():
        hand, now, replies = ByHand(), [0.0], []
        lane = SlowLane(hand, threads=1, monotonic=lambda: now[0])
        lane.submit("a", lambda: Bytes(b"1"), replies.append)
        lane.submit("a", lambda: Bytes(b"2"), replies.append)
        now[0] = WAITING_SECONDS_MAX + 1
        lane.submit("b", lambda: Bytes(b"3"), replies.append)
        while hand.given:
            hand.do_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert replies == [Bytes(b"1"), Failed(Failure.BUSY), Bytes(b"3")]

    asyncio.run(test())


class Wire:
    def __init__(self):
        self.cutter, self.replies = FrameCutter(), []

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.replies += [(number, decode_reply(body)) for number, body in self.cutter.feed(data)]


def generate(number, account="111122223333"):
    command = commands.GenerateKey(account, "r", "k", "RSA_4096", "SIGN_VERIFY", "AWS_KMS")
    return frame_of(number, command)


def test_the_fast_lane_is_never_behind_the_slow_one():
    async def test():
        hand, wire = ByHand(), Wire()
        connection = Connection(
            lambda role, command: Bytes(type(command).__name__.encode()),
            SlowLane(hand, threads=1),
            lambda _: Role.WORKER,
            JournalWriter(Journal()),
        )
        connection.connection_made(wire)
        connection.data_received(
            b"".join(generate(number) for number in range(WAITING_OF_ACCOUNT_MAX + 2))
            + frame_of(100, commands.GenerateRandom(8))
            + generate(101, "444455556666")
        )
        # One is being done, the queue of the account is full, the last of its commands is refused;
        # the fast one is answered in the same turn, and the other account has its place.
        assert wire.replies == [
            (WAITING_OF_ACCOUNT_MAX + 1, Failed(Failure.BUSY)),
            (100, Bytes(b"GenerateRandom")),
        ]
        answered = 0
        while hand.given:
            hand.do_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            answered += 1
        assert [number for number, _ in wire.replies[2:]].index(101) <= 2
        assert answered == WAITING_OF_ACCOUNT_MAX + 2

    asyncio.run(test())


@pytest.mark.parametrize(
    ("command", "lane"),
    [
        (commands.Sign(b"", "RSASSA_PSS_SHA_256", "RAW", b""), Lane.BESIDE),
        (commands.Sign(b"", "ML_DSA_SHAKE_256", "RAW", b""), Lane.BESIDE),
        (commands.Sign(b"", "ECDSA_SHA_256", "RAW", b""), Lane.FAST),
        (commands.Decrypt(b"", "RSAES_OAEP_SHA_256", b"", {}), Lane.BESIDE),
        (commands.Decrypt(b"", "SYMMETRIC_DEFAULT", b"", {}), Lane.FAST),
        (commands.ReEncrypt(b"", "RSAES_OAEP_SHA_1", b"", {}, b"", "", {}), Lane.BESIDE),
        (commands.Encrypt(b"", "RSAES_OAEP_SHA_256", b"", {}), Lane.FAST),
        (commands.Verify(b"", "RSASSA_PSS_SHA_256", "RAW", b"", b""), Lane.FAST),
    ],
)
def test_what_a_private_key_does_for_long_is_done_beside(command, lane):
    assert command.lane is lane


def test_long_uses_of_keys_wait_for_no_making_of_keys():
    """They have a lane of their own, shared out by the account that the token is of."""
    bound = commands.BoundToken("111122223333", "r", "k", "RSA_2048", "SIGN_VERIFY", "", b"", b"")
    sign = commands.Sign(msgspec.msgpack.encode(bound), "RSASSA_PSS_SHA_256", "RAW", b"x")
    assert sign.payer == "111122223333"
    assert commands.Sign(b"no token", "RSASSA_PSS_SHA_256", "RAW", b"x").payer == ""

    async def test():
        making, using, wire = ByHand(), ByHand(), Wire()
        connection = Connection(
            lambda role, command: Bytes(type(command).__name__.encode()),
            SlowLane(making, threads=1),
            lambda _: Role.WORKER,
            JournalWriter(Journal()),
            uses=SlowLane(using, threads=1, of_account_max=2, waiting_max=3),
        )
        connection.connection_made(wire)
        connection.data_received(generate(1) + b"".join(frame_of(n, sign) for n in range(2, 7)))
        assert wire.replies == [(5, Failed(Failure.BUSY)), (6, Failed(Failure.BUSY))]
        while using.given:
            using.do_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert wire.replies[2:] == [(number, Bytes(b"Sign")) for number in (2, 3, 4)]
        assert len(making.given) == 1

    asyncio.run(test())


# --- several pieces of work at a time -------------------------------------------------------------


class Batches:
    """A lane of one thread, worked by hand; each piece of work takes `seconds` by its clock."""

    def __init__(self, seconds=0.0):
        self.now, self.seconds, self.done = 0.0, seconds, []
        self.thread = ByHand()
        self.lane = BatchLane(
            self.thread, of_account_max=64, waiting_max=128, monotonic=lambda: self.now
        )

    def submit(self, name, account="111122223333"):
        def work():
            self.now += self.seconds
            return Bytes(name)

        return self.lane.submit(account, work, self.done.append)

    async def turn(self):
        self.thread.do_one()
        for _ in range(3):
            await asyncio.sleep(0)


def test_short_work_is_handed_over_in_batches():
    async def run():
        lane = Batches()
        for number in range(BATCH_MAX + 2):
            assert lane.submit(b"%d" % number)
        await lane.turn()  # the first, which found the thread idle
        assert lane.done == [Bytes(b"0")]
        await lane.turn()
        assert len(lane.done) == BATCH_MAX + 1
        await lane.turn()
        assert lane.done == [Bytes(b"%d" % number) for number in range(BATCH_MAX + 2)]
        assert not lane.thread.given

    asyncio.run(run())


def test_a_batch_of_long_work_is_answered_piece_by_piece():
    async def run():
        lane = Batches(seconds=BATCH_SECONDS)
        for number in range(4):
            lane.submit(b"%d" % number)
        for turns in range(1, 5):
            await lane.turn()
            assert lane.done == [Bytes(b"%d" % number) for number in range(turns)]

    asyncio.run(run())


def test_accounts_take_turns_in_batches():
    async def run():
        lane = Batches()
        for account in ("many", "many", "many", "one"):
            lane.submit(account.encode(), account)
        await lane.turn()
        await lane.turn()
        assert [reply.value for reply in lane.done] == [b"many", b"many", b"one", b"many"]

    asyncio.run(run())


def test_who_waited_too_long_in_a_batch_lane_is_refused():
    async def run():
        lane = Batches()
        lane.submit(b"first")
        lane.submit(b"late")
        lane.now += WAITING_SECONDS_MAX + 1
        await lane.turn()
        assert lane.done == [Failed(Failure.BUSY), Bytes(b"first")]
        assert not lane.thread.given

    asyncio.run(run())
