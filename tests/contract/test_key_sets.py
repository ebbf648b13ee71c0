"""Key sets of issuers: one fetch at a time for each, a bounded wait, and nobody held up by others."""

import asyncio
import socket
import threading

import pytest

from kagimori.machinery import key_sets
from kagimori.machinery.key_set_fetch import Fetch
from kagimori.machinery.key_sets import KeySets
from kagimori.ports import Absent

KEYS = [{"kid": "a"}]


class Issuers:
    """Issuers that answer when the test lets them."""

    def __init__(self):
        self.asked = []
        self.given_up = []
        self.let = threading.Event()

    def fetch(self, issuer):
        asked = self

        class Asked:
            is_heard = False

            def keys(self):
                asked.asked.append(issuer)
                if issuer.startswith("slow"):
                    asked.let.wait(30)
                return [] if issuer == "broken" else KEYS

            def give_up(self):
                asked.given_up.append(issuer)

        return Asked()


async def settled(pending):
    done = asyncio.Event()
    pending.then(done.set)
    await asyncio.wait_for(done.wait(), 30)


async def keys_of(sets, issuer, key_id="a"):
    while True:
        try:
            return sets.keys_of(issuer, key_id)
        except Absent as absent:
            await settled(absent.load())


@pytest.fixture
def issuers():
    made = Issuers()
    yield made
    made.let.set()


def test_a_slow_issuer_holds_up_nobody_else(issuers):
    async def check():
        sets = KeySets({}, fetches=True, fetch=issuers.fetch)
        slow = [asyncio.ensure_future(keys_of(sets, "slow")) for _ in range(3)]
        assert await keys_of(sets, "quick") == KEYS
        await asyncio.sleep(0)
        assert not any(one.done() for one in slow)
        issuers.let.set()
        assert await asyncio.gather(*slow) == [KEYS] * 3

    asyncio.run(check())
    assert sorted(issuers.asked) == ["quick", "slow"], "each once, however many wait"


def test_an_issuer_has_its_time_and_no_more(issuers):
    async def check():
        sets = KeySets({}, fetches=True, fetch=issuers.fetch, seconds_max=0.01)
        assert await keys_of(sets, "slow") == ()
        assert await keys_of(sets, "slow") == (), "kept for a minute"
        issuers.let.set()

    asyncio.run(check())
    assert issuers.asked == issuers.given_up == ["slow"]


def test_that_an_issuer_does_not_answer_is_kept(issuers, monkeypatch):
    async def check():
        sets = KeySets({}, fetches=True, fetch=issuers.fetch)
        for key_id in ("a", None, "b"):
            assert await keys_of(sets, "broken", key_id) == []
        assert issuers.asked == ["broken"]
        monkeypatch.setattr(key_sets, "AGAIN_SECONDS", -1.0)
        with pytest.raises(Absent):
            sets.keys_of("broken", None)

    asyncio.run(check())


def test_beyond_so_many_at_once_nobody_waits(issuers, monkeypatch):
    monkeypatch.setattr(key_sets, "FETCHES_MAX", 2)

    async def check():
        sets = KeySets({}, fetches=True, fetch=issuers.fetch)
        slow = [asyncio.ensure_future(keys_of(sets, f"slow{n}")) for n in range(2)]
        await asyncio.sleep(0)
        assert sets.keys_of("another", "a") == ()
        issuers.let.set()
        await asyncio.gather(*slow)
        assert await keys_of(sets, "another") == KEYS

    asyncio.run(check())


def test_giving_up_ends_a_fetch_that_waits():
    """A listener that accepts and says nothing: the TLS handshake never ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetch = Fetch(f"127.0.0.1:{silent.getsockname()[1]}")
        found = []
        thread = threading.Thread(target=lambda: found.append(fetch.keys()))
        thread.start()
        peer, _ = silent.accept()
        with peer:
            assert peer.recv(1), "the handshake has begun"
            fetch.give_up()
            thread.join(30)
        assert found == [()]
        assert not thread.is_alive()


def test_what_was_given_up_before_it_began_asks_nobody():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetch = Fetch(f"127.0.0.1:{silent.getsockname()[1]}")
        fetch.give_up()
        assert fetch.keys() == ()


def test_given_sets_are_never_fetched():
    sets = KeySets({"given": KEYS}, fetches=True, fetch=lambda _: pytest.fail("was fetched"))
    assert sets.keys_of("given", "unknown") == KEYS
    assert KeySets({}, fetches=False).keys_of("any", None) == ()
