"""The client side of the XKS proxy API in process: time limits, TLS, connections, signing keys."""

import asyncio
import ssl
import time

import pytest

import xks
from kagimori.hsm.external_stores import ExternalStores
from kagimori.hsm.xks_proxy import XksProxies
from kagimori.machinery.addresses import Addresses
from kagimori.machinery.https_client import HttpsClient
from kagimori.pending import Pending
from kagimori.ports import HolderRefused, Place, Purpose
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType, XksProxy
from kagimori.rules.sigv4.claim import Scope
from kagimori.rules.sigv4.sign import signing_key
from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, Failed, Failure
from kit.hsm import ciphertext_of
from waiting import future_of

PURPOSE = Purpose("Encrypt", "request-1", "arn:aws:iam::111122223333:user/alice")
REGION = "eu-west-1"
INNER = ciphertext_of("ab" * 32)
STORE = CustomKeyStore(
    account_id="111122223333",
    region=REGION,
    key_store_id="cks-0123456789abcdef0",
    name="one",
    key_store_type=KeyStoreType.EXTERNAL,
    created_at=0.0,
    sealed_secret=b"sealed",
    proxy=XksProxy(
        connectivity="PUBLIC_ENDPOINT",
        access_key_id=xks.ACCESS_KEY_ID,
        uri_endpoint=xks.ENDPOINT,
        uri_path=xks.PATH,
    ),
)
PLACE = Place(STORE, "k1", "arn:aws:kms:eu-west-1:111122223333:key/k")
ENCRYPT = commands.Encrypt(b"token", "SYMMETRIC_DEFAULT", b"hello", {"a": "b"})


class Own:
    """Our own HSM: derives the signing key, and answers one fixed ciphertext."""

    def __init__(self):
        self.asked, self.secret, self.failure = [], xks.SECRET, None

    def perform(self, command):
        self.asked.append(command)
        pending = Pending()
        if self.failure is not None:
            pending.settle(Failed(self.failure))
        elif isinstance(command, commands.DeriveProxySigningKey):
            scope = Scope("", command.date, command.region, "kms-xks-proxy")
            pending.settle(Bytes(signing_key(self.secret, scope)))
        elif isinstance(command, commands.Decrypt):
            good = command.ciphertext == INNER
            failed = Failed(Failure.INVALID_CIPHERTEXT)
            pending.settle(Bytes(b"hello") if good else failed)
        else:
            pending.settle(Bytes(INNER))
        return pending


@pytest.fixture
def proxy(tmp_path):
    made = xks.Proxy(tmp_path / "tls")
    made.keys["k1"] = xks.Key()
    yield made
    made.stop()


def tried(proxy, story, *, seconds=5.0, context=None, place=None):
    """Run a story with a holder that reaches the proxy; return what was refused with its cause."""
    own, causes = Own(), []

    async def live():
        context_used = context or ssl.create_default_context(cafile=str(proxy.authority))
        addresses = Addresses({xks.HOST: place or proxy.place}, ())
        client = HttpsClient(context_used, addresses.find)
        proxies = XksProxies(
            client,
            addresses,
            seconds=seconds,
            now=time.time,
            on_refused=lambda store, cause: causes.append((store, cause)),
        )
        try:
            await story(ExternalStores(own, proxies), own)
        finally:
            client.close()

    asyncio.run(live())
    return causes


def refused_with(proxy, cause, **options):
    async def story(holder, own):
        with pytest.raises(HolderRefused) as refused:
            await future_of(holder.perform(ENCRYPT, PLACE, PURPOSE))
        assert refused.value.cause is cause

    assert tried(proxy, story, **options) == [(STORE.key_store_id, cause.name)]


def test_a_ciphertext_goes_out_and_comes_back(proxy):
    async def story(holder, own):
        outer = await future_of(holder.perform(ENCRYPT, PLACE, PURPOSE))
        assert outer.value[0] == 2
        command = commands.Decrypt(b"token", "SYMMETRIC_DEFAULT", outer.value, {"a": "b"})
        assert await future_of(holder.perform(command, PLACE, PURPOSE)) == Bytes(b"hello")
        derived = [one for one in own.asked if isinstance(one, commands.DeriveProxySigningKey)]
        assert len(derived) == 1, "the signing key of a day is kept"
        assert proxy.connections == 1

    assert tried(proxy, story) == []


def test_a_proxy_that_is_silent_has_its_time_and_no_more(proxy):
    proxy.fault = "hang"
    refused_with(proxy, Cause.TIMED_OUT, seconds=0.2)


def test_a_proxy_of_an_authority_that_is_not_trusted_is_refused(proxy):
    refused_with(proxy, Cause.NO_TLS, context=ssl.create_default_context())


def test_a_proxy_with_the_certificate_of_another_host_is_refused(tmp_path):
    other = xks.Proxy(tmp_path / "other", host="other.example.com")
    try:
        refused_with(other, Cause.NO_TLS)
    finally:
        other.stop()


def test_nobody_there(proxy):
    place = proxy.place
    proxy.stop()
    refused_with(proxy, Cause.NOT_REACHABLE, place=place)


def test_a_secret_that_does_not_open_is_a_failure_of_the_hsm(proxy):
    async def story(holder, own):
        own.failure = Failure.TOKEN_REFUSED
        for asked in (
            holder.connect(STORE, PURPOSE),
            holder.wrapped(INNER, {}, (PLACE, PURPOSE)),
        ):
            with pytest.raises(HolderRefused) as refused:
                await future_of(asked)
            assert refused.value.cause is Cause.HSM_FAILED
        assert proxy.asked == []

    tried(proxy, story)


def test_a_check_uses_the_secret_that_is_given(proxy):
    async def story(holder, own):
        await future_of(holder.check(STORE, xks.SECRET, PURPOSE))
        assert own.asked == []
        with pytest.raises(HolderRefused) as refused:
            await future_of(holder.check(STORE, "x" * 43, PURPOSE))
        assert refused.value.cause is Cause.AUTHENTICATION
        own.secret = xks.SECRET
        await future_of(holder.connect(STORE, PURPOSE))
        assert [path for path, _ in proxy.asked] == ["/health", "/health"]

    tried(proxy, story)


def test_what_a_proxy_cannot_do_is_not_asked(proxy):
    async def story(holder, own):
        for command in (
            commands.Sign(b"t", "ECDSA_SHA_256", "RAW", b"m"),
            commands.GenerateRandom(1),
            commands.GenerateDataKeyPair(b"t", "ECC_NIST_P256", {}, with_plaintext=True),
        ):
            with pytest.raises(HolderRefused) as refused:
                await future_of(holder.perform(command, PLACE, PURPOSE))
            assert refused.value.cause is Cause.UNSUPPORTED
        reply = await future_of(
            holder.perform(commands.Decrypt(b"t", "", INNER, {}), PLACE, PURPOSE)
        )
        assert reply == Failed(Failure.INVALID_CIPHERTEXT), "it has no layer"
        assert (own.asked, proxy.asked) == ([], [])

    tried(proxy, story)


def test_a_connection_that_the_proxy_closed_is_made_anew(proxy):
    async def story(holder, own):
        await future_of(holder.perform(ENCRYPT, PLACE, PURPOSE))
        proxy.stop()
        proxy.start()
        await future_of(holder.perform(ENCRYPT, PLACE, PURPOSE))

    assert tried(proxy, story) == []
