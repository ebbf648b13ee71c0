"""Requests to the proxies of external key stores: where they go, how they are signed, in time.

Source: the AWS KMS External Key Store Proxy API specification, version 1 ("Authentication").
"""

import asyncio
from collections.abc import Callable
from time import gmtime, strftime
from typing import Final

from kagimori.machinery.addresses import Addresses
from kagimori.machinery.https_client import (
    Answer,
    BadAnswer,
    HttpsClient,
    NoTls,
    TooLate,
    Unreachable,
)
from kagimori.pending import Pending
from kagimori.ports import HolderRefused
from kagimori.rules.folding import fold
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import VPC_ENDPOINT_SERVICE, CustomKeyStore, XksProxy
from kagimori.rules.sigv4.claim import Scope
from kagimori.rules.sigv4.sign import with_authorization

SERVICE: Final = "kms-xks-proxy"
_SCHEME: Final = "https://"
_CAUSES: Final[dict[type[Exception], Cause]] = {
    Unreachable: Cause.NOT_REACHABLE,
    NoTls: Cause.NO_TLS,
    TooLate: Cause.TIMED_OUT,
    BadAnswer: Cause.INVALID_RESPONSE,
}


class XksProxies:
    """Posts signed requests to the proxies of stores. Made and used on the loop."""

    def __init__(
        self,
        client: HttpsClient,
        addresses: Addresses,
        *,
        seconds: float,
        now: Callable[[], float],
        on_refused: Callable[[str, str], None],
    ) -> None:
        self._client, self._addresses = client, addresses
        self._seconds, self._now, self._on_refused = seconds, now, on_refused
        self._tasks: set[asyncio.Task[None]] = set()

    def today(self) -> str:
        """Return the day (YYYYMMDD) whose signing key is needed now."""
        return strftime("%Y%m%d", gmtime(self._now()))

    def post(self, store: CustomKeyStore, path: str, body: bytes, key: bytes) -> Pending[Answer]:
        """Settle with the answer of a store's proxy; fail with `HolderRefused`.

        `path` is below the store's own; `key` is the day's signing key.
        """
        pending: Pending[Answer] = Pending()
        task = asyncio.get_running_loop().create_task(self._settle(pending, store, path, body, key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return pending

    def forget(self, store: CustomKeyStore) -> None:
        """Close the connections to a store's proxy that nobody uses."""
        self._client.forget(_host(_proxy(store)))

    async def _settle(
        self,
        pending: Pending[Answer],
        store: CustomKeyStore,
        path: str,
        body: bytes,
        key: bytes,
    ) -> None:
        try:
            pending.settle(await self._posted(store, path, body, key))
        except HolderRefused as refused:
            self._on_refused(store.key_store_id, refused.cause.name)
            pending.fail(refused)
        except Exception as problem:  # noqa: BLE001 - whoever waits must hear of it
            pending.fail(problem)

    async def _posted(self, store: CustomKeyStore, path: str, body: bytes, key: bytes) -> Answer:
        proxy = _proxy(store)
        host, target = _host(proxy), proxy.uri_path + path
        is_inside = proxy.connectivity == VPC_ENDPOINT_SERVICE
        if is_inside and not self._addresses.is_inside(host):
            raise HolderRefused(Cause.VPC_SERVICE_NOT_FOUND)
        date = strftime("%Y%m%dT%H%M%SZ", gmtime(self._now()))
        scope = Scope(proxy.access_key_id, date[:8], store.region, SERVICE)
        signed = {"host": host, "x-amz-date": date}
        headers = with_authorization("POST", target, signed, body, scope=scope, key=key)
        headers["content-type"] = "application/json"
        try:
            return await self._client.post(host, target, headers, body, seconds=self._seconds)
        except tuple(_CAUSES) as problem:
            raise HolderRefused(_CAUSES[type(problem)]) from None


def _proxy(store: CustomKeyStore) -> XksProxy:
    if store.proxy is None:
        raise HolderRefused(Cause.NOT_REACHABLE)
    return store.proxy


def _host(proxy: XksProxy) -> str:
    return fold(proxy.uri_endpoint.removeprefix(_SCHEME))
