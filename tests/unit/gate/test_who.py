"""Whose time judges a signature: the server's clock; in `dev`, where that is moved, real time."""

import asyncio
import time

import pytest

from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.front.wire import Wire
from kagimori.gate.who import Who
from kagimori.pending import Pending
from kagimori.ports import resolved
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.refusal import InvalidSignatureException
from kagimori.rules.request import RawRequest
from kagimori_boundary.replies import Bytes

WIRE = Wire(("kms",))
WEEK = 7 * 86_400.0
MADE = AccessKey(
    access_key_id="AKIAIOSFODNN7EXAMPLE", account_id="1" * 12, sealed_secret=b"s", created_at=0.0
)
TOO_EARLY_OR_LATE = "Signature expired|Signature not yet current"


class World:
    """A view with one access key, and a key holder."""

    epoch = 0

    def one(self, table, key):
        return MADE

    def perform(self, ask):
        pending = Pending()
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
