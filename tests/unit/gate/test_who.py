"""Who has signed a request: known again while nothing changes, and verified every time.

The server's clock judges a signature; in `dev`, where that is moved, real time does.
"""

import asyncio
import hashlib
import hmac
import time

import pytest
from msgspec.structs import replace

from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.entities.identity_tables import USERS
from kagimori.entities.tables import ACCESS_KEYS
from kagimori.front.wire import Wire
from kagimori.gate.who import TOKEN_HEADER, Who
from kagimori.pending import Pending
from kagimori.ports import resolved
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.session import USER, SessionClaims, encode_claims, token_text
from kagimori.rules.identity.user import User
from kagimori.rules.refusal import (
    ExpiredTokenException,
    InvalidSignatureException,
    UnrecognizedClientException,
)
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.canonical import canonical_request
from kagimori_boundary.commands import OpenSession
from kagimori_boundary.replies import Bytes, OpenedSession
from kit.in_memory import InMemoryView

WIRE = Wire(("kms",))
WEEK = 7 * 86_400.0
MADE = AccessKey(
    access_key_id="AKIAIOSFODNN7EXAMPLE", account_id="1" * 12, sealed_secret=b"s", created_at=0.0
)
ENDS = 1_795_681_800
SESSION = SessionClaims(
    kind=USER,
    account_id="1" * 12,
    unique_id="AIDAALICE",
    name="alice",
    issued_at=ENDS - 900,
    expires_at=ENDS,
)


class World:
    """A view with one access key, and a key holder."""

    epoch = 0

    def one(self, table, key):
        return MADE

    def perform(self, ask):
        pending = Pending()
        if isinstance(ask.command, OpenSession):
            claims = encode_claims(SESSION)
            times = (SESSION.issued_at, SESSION.expires_at)
            holder = (USER, SESSION.account_id, SESSION.unique_id)
            pending.settle(OpenedSession(*holder, *times, claims, bytes(32)))
        else:
            pending.settle(Bytes(bytes(32)))
        return pending


def refusal_at(kind, now):
    """Return what is said to a request signed (wrongly) at real time when the server's is `now`."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{MADE.access_key_id}/{at[:8]}/us-east-1/kms/aws4_request"
    raw = RawRequest(
        "id",
        b"POST",
        b"/",
        (
            (b"host", b"kms"),
            (b"x-amz-date", at.encode()),
            (b"x-amz-target", b"TrentService.ListKeys"),
            (
                b"authorization",
                f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date;x-amz-target, "
                f"Signature={'0' * 64}".encode(),
            ),
        ),
        b"{}",
        "127.0.0.1",
        None,
    )
    world = World()
    who = kind(world, world, frozenset({"us-east-1"}), is_first=lambda *_: True)
    received = WIRE.receive(raw)
    with pytest.raises(InvalidSignatureException) as refused:
        asyncio.run(run(resolved(who.identify, received, received.claim, now)))
    return str(refused.value)


async def run(coroutine):
    """Await what awaits only what is settled already."""
    return await coroutine


@pytest.mark.parametrize("moved", [-WEEK, WEEK])
def test_time_of_a_signature(moved):
    now = time.time()
    of_signature = refusal_at(Who, now)
    assert refusal_at(UnverifiedDevCallers, now) == of_signature
    assert refusal_at(UnverifiedDevCallers, now + moved) == of_signature
    of_time = refusal_at(Who, now + moved)
    assert of_time != of_signature
    assert of_time.startswith(("Signature expired", "Signature not yet current"))


class Store:
    """A view of one user with one access key, which counts what it is asked and its changes."""

    def __init__(self):
        self.view = InMemoryView()
        self.epoch = 0
        self.key = replace(MADE, user_name="alice", holder="AIDAALICE")
        self.put(ACCESS_KEYS, self.key)
        self.put(USERS, self.alice())

    def alice(self, **fields):
        return User(
            account_id="1" * 12, name="alice", unique_id="AIDAALICE", created_at=0.0, **fields
        )

    def put(self, table, entity):
        self.view.put(table, entity)
        self.epoch += 1

    def one(self, table, key):
        return self.view.one(table, key)

    def group(self, table, group, values):
        return self.view.group(table, group, values)


def signed_request(now, *, body=b"{}", signed_body=b"{}", token=None):
    """Return a request that is signed by the key that the key holder derives, or has sealed."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{at[:8]}/us-east-1/kms/aws4_request"
    headers = (
        (b"host", b"kms"),
        (b"x-amz-date", at.encode()),
        (b"x-amz-target", b"TrentService.ListKeys"),
    )
    names = "host;x-amz-date;x-amz-target"
    if token is not None:
        headers = (*headers[:2], (TOKEN_HEADER, token), *headers[2:])
        names = "host;x-amz-date;x-amz-security-token;x-amz-target"
    plain = RawRequest("id", b"POST", b"/", headers, signed_body, "127.0.0.1", None)
    hashed = hashlib.sha256(signed_body).hexdigest()
    canonical = canonical_request(plain, dict(headers), names, hashed)
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    signature = hmac.new(bytes(32), text.encode(), "sha256").hexdigest()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={MADE.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    pairs = (*headers, (b"authorization", authorization.encode()))
    return WIRE.receive(RawRequest("id", b"POST", b"/", pairs, body, "127.0.0.1", None))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def asked(store):
    """Return a function that asks who has signed a request now."""
    uses = []
    who = Who(
        store, World(), frozenset({"us-east-1"}), on_use=uses.append, is_first=lambda *_: True
    )

    def ask(now=None, **parts):
        now = time.time() if now is None else now
        received = signed_request(now, **parts)
        return asyncio.run(run(resolved(who.identify, received, received.claim, now)))

    ask.uses = uses
    return ask


def test_a_caller_that_was_found_is_not_looked_for_again_until_the_store_changes(store, asked):
    alice = asked()
    looks = store.view.looks
    assert asked() is alice
    assert store.view.looks == looks
    store.put(USERS, store.alice(tags={"team": "red"}))
    assert asked().tags == {"team": "red"}


def test_a_signature_is_verified_however_well_its_signer_is_known(asked):
    asked()
    with pytest.raises(InvalidSignatureException):
        asked(body=b'{"Limit": 1}')


def test_a_session_that_is_known_ends_at_its_second(asked, store):
    """It is found once, and ends without any change of the store."""
    token = token_text(b"sealed").encode()
    alice = asked(ENDS - 1, token=token)
    looks = store.view.looks
    assert asked(ENDS - 0.5, token=token) is alice
    assert store.view.looks == looks, "known"
    for late in (ENDS, ENDS + 1):
        with pytest.raises(ExpiredTokenException):
            asked(late, token=token)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.put(ACCESS_KEYS, replace(store.key, active=False)),
        lambda store: store.put(USERS, replace(store.alice(), unique_id="AIDANAMESAKE")),
    ],
)
def test_who_was_known_and_may_no_longer_is_refused_at_once(store, asked, change):
    asked()
    change(store)
    with pytest.raises(UnrecognizedClientException):
        asked()


def test_the_use_of_a_key_is_written_down_once_a_minute_and_only_when_proved(asked):
    now = time.time()
    with pytest.raises(InvalidSignatureException):
        asked(now, body=b"other")
    assert asked.uses == []
    for seconds in (0, 1, 59, 61):
        asked(now + seconds)
    assert [round(use.at - now) for use in asked.uses] == [0, 61]
