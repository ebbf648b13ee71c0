"""The custom key store: where keys are held outside our HSM, and how it is reached.

Source: KMS API Reference, CustomKeyStoresListEntry and XksProxyConfigurationType.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from kagimori.rules.key_stores.states import ConnectionState

PUBLIC_ENDPOINT: Final = "PUBLIC_ENDPOINT"
VPC_ENDPOINT_SERVICE: Final = "VPC_ENDPOINT_SERVICE"


class KeyStoreType(StrEnum):
    CLOUDHSM = "AWS_CLOUDHSM"
    EXTERNAL = "EXTERNAL_KEY_STORE"


class XksProxy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the proxy of an external key store is reached, and as whom."""

    connectivity: str
    access_key_id: str
    uri_endpoint: str
    uri_path: str
    vpc_service_name: str | None = None
    vpc_service_owner: str | None = None


class CustomKeyStore(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A custom key store as stored. Times are seconds since the epoch; `version` counts changes.

    `sealed_secret` is the secret of the proxy's credential, or the password of the cluster's user,
    as a token of the HSM. `cluster_id` and `trust_anchor` are of a store backed by a cluster,
    `proxy` is of an external one. `due_at` is set while a connection is made or given up.
    """

    account_id: str
    region: str
    key_store_id: str
    version: int = 1
    name: str
    key_store_type: KeyStoreType
    created_at: float
    state: ConnectionState = ConnectionState.DISCONNECTED
    error_code: str | None = None
    due_at: float | None = None
    sealed_secret: bytes = b""
    cluster_id: str | None = None
    trust_anchor: str | None = None
    proxy: XksProxy | None = None

    @property
    def is_external(self) -> bool:
        return self.key_store_type is KeyStoreType.EXTERNAL

    @property
    def is_connected(self) -> bool:
        return self.state is ConnectionState.CONNECTED
