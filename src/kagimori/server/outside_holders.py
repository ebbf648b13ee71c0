"""The holders of custom key stores in a worker, made from its configuration."""

import ssl
import time
from collections.abc import Mapping
from typing import Final

from kagimori.hsm.clusters import Clusters
from kagimori.hsm.external_stores import ExternalStores
from kagimori.hsm.holders import Holder, KeyStoreHolder
from kagimori.hsm.xks_proxy import XksProxies
from kagimori.machinery.addresses import Addresses
from kagimori.machinery.https_client import HttpsClient
from kagimori.machinery.telemetry import Telemetry
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori.server.worker_config import WorkerConfig
from kagimori_boundary.commands import OpenStorePassword

_MILLISECONDS: Final = 1000.0


class OutsideHolders:
    """One holder for each type of custom key store. Made and used on the loop."""

    def __init__(self, config: WorkerConfig, own: Holder, telemetry: Telemetry) -> None:
        settings = config.settings.key_stores
        addresses = Addresses(settings.reached_at, settings.networks)
        self._client = HttpsClient(_context(config.key_store_roots), addresses.find)
        proxies = XksProxies(
            self._client,
            addresses,
            seconds=settings.proxy_milliseconds / _MILLISECONDS,
            now=time.time,  # proxies live in true time, whatever clock is moved here
            on_refused=lambda store, cause: telemetry.trouble(f"key store {store}", cause),
        )
        self._clusters = Clusters(config.clusters, own.perform, _opening)
        self.of_type: Mapping[KeyStoreType, KeyStoreHolder] = {
            KeyStoreType.EXTERNAL: ExternalStores(own, proxies),
            KeyStoreType.CLOUDHSM: self._clusters,
        }

    async def run(self) -> None:
        """Stay connected to the processes of tokens until cancelled."""
        await self._clusters.run()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._client.close()
        self._clusters.close()


def _opening(store: CustomKeyStore) -> OpenStorePassword:
    """Return the command that opens the password of a store's cluster."""
    return OpenStorePassword(
        store.account_id, store.region, store.key_store_id, store.sealed_secret
    )


def _context(roots: tuple[str, ...]) -> ssl.SSLContext:
    """Return the demands on a proxy: TLS 1.2 or newer, proven by these roots or the system's."""
    context = ssl.create_default_context(cadata="\n".join(roots) if roots else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
