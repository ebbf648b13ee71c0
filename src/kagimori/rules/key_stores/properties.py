"""The properties of custom key stores: as requests give them, and what no two stores may share.

Source: KMS API Reference, CreateCustomKeyStore and UpdateCustomKeyStore.
"""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.rules.entity import changed, with_fields
from kagimori.rules.folding import fold
from kagimori.rules.key_stores.key_store import (
    PUBLIC_ENDPOINT,
    VPC_ENDPOINT_SERVICE,
    CustomKeyStore,
    KeyStoreType,
    XksProxy,
)
from kagimori.rules.key_stores.refusals import (
    CloudHsmClusterInUseException,
    CustomKeyStoreNameInUseException,
    XksProxyUriEndpointInUseException,
    XksProxyUriInUseException,
    XksProxyVpcEndpointServiceInUseException,
)
from kagimori.rules.refusal import LimitExceededException, ValidationException

KEY_STORES_MAX: Final = 10
OF_CLUSTERS: Final = ("CloudHsmClusterId", "KeyStorePassword", "TrustAnchorCertificate")
OF_PROXIES: Final = (
    "XksProxyConnectivity",
    "XksProxyUriEndpoint",
    "XksProxyUriPath",
    "XksProxyAuthenticationCredential",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
)
_NEEDED_OF_PROXIES: Final = OF_PROXIES[:4]
_OF_SERVICE: Final = OF_PROXIES[4:]
# What may be changed while the store is connected, besides its name.
_WHILE_CONNECTED: Final = ("XksProxyUriPath", "XksProxyAuthenticationCredential")


def new_key_store(
    given: Any, *, account_id: str, region: str, key_store_id: str, now: float
) -> CustomKeyStore:
    """Return the store that a request describes, without its secret.

    Raises:
        ValidationException: a member is missing, or is not of this type of store.
    """
    kind = KeyStoreType(given.CustomKeyStoreType or KeyStoreType.CLOUDHSM)
    store = CustomKeyStore(
        account_id=account_id,
        region=region,
        key_store_id=key_store_id,
        name=given.CustomKeyStoreName,
        key_store_type=kind,
        created_at=now,
    )
    if kind is KeyStoreType.CLOUDHSM:
        _check_absent(given, OF_PROXIES, kind)
        _check_present(given, OF_CLUSTERS, kind)
        return with_fields(
            store,
            cluster_id=given.CloudHsmClusterId,
            trust_anchor=given.TrustAnchorCertificate,
        )
    _check_absent(given, OF_CLUSTERS, kind)
    _check_present(given, _NEEDED_OF_PROXIES, kind)
    proxy = XksProxy(
        connectivity=given.XksProxyConnectivity,
        access_key_id=given.XksProxyAuthenticationCredential.AccessKeyId,
        uri_endpoint=given.XksProxyUriEndpoint,
        uri_path=given.XksProxyUriPath,
        vpc_service_name=given.XksProxyVpcEndpointServiceName,
        vpc_service_owner=given.XksProxyVpcEndpointServiceOwner,
    )
    return with_fields(store, proxy=_completed(proxy, account_id))


def updated_key_store(store: CustomKeyStore, given: Any) -> CustomKeyStore:
    """Return the store as a request changes it, without a new secret; the same if it does not.

    Raises:
        ValidationException: a member is missing, or is not of this type of store.
    """
    kind = store.key_store_type
    _check_absent(given, OF_PROXIES if kind is KeyStoreType.CLOUDHSM else OF_CLUSTERS[:2], kind)
    fields: dict[str, Any] = {}
    if given.NewCustomKeyStoreName is not None:
        fields["name"] = given.NewCustomKeyStoreName
    if given.CloudHsmClusterId is not None:
        fields["cluster_id"] = given.CloudHsmClusterId
    if store.proxy is not None and any(getattr(given, name) is not None for name in OF_PROXIES):
        fields["proxy"] = _updated_proxy(store.proxy, given, store.account_id)
    if not fields and given.KeyStorePassword is None:
        return store
    return changed(store, **fields)


def changes_of(store: CustomKeyStore, given: Any) -> str:
    """Return the row of the table of states that an update is judged by."""
    of_type = OF_CLUSTERS[:2] if store.proxy is None else OF_PROXIES
    wanted = [name for name in of_type if getattr(given, name) is not None]
    if all(name in _WHILE_CONNECTED for name in wanted):
        return "UpdateWhileConnected"
    return "UpdateCustomKeyStore"


def check_quota(others: Sequence[CustomKeyStore]) -> None:
    """Check that the account may have one more store in the Region.

    Raises:
        LimitExceededException: it has as many as it may have.
    """
    if len(others) >= KEY_STORES_MAX:
        raise LimitExceededException(
            "Custom key stores quota for this account in this region is "
            f"{KEY_STORES_MAX}, current usage is {len(others)}."
        )


def check_unique(store: CustomKeyStore, others: Sequence[CustomKeyStore]) -> None:
    """Check that the account's other stores of the Region leave this one what must be its own.

    Raises:
        CustomKeyStoreNameInUseException, CloudHsmClusterInUseException: name, cluster.
        XksProxyUriInUseException, XksProxyUriEndpointInUseException: the proxy's address.
        XksProxyVpcEndpointServiceInUseException: the service that leads to it.
    """
    for other in others:
        if other.key_store_id == store.key_store_id:
            continue
        if other.name == store.name:
            raise CustomKeyStoreNameInUseException(
                f"The custom key store name {store.name} is already in use."
            )
        if store.cluster_id is not None and other.cluster_id == store.cluster_id:
            raise CloudHsmClusterInUseException(
                f"The CloudHSM cluster {store.cluster_id} is already associated with a custom key "
                "store."
            )
        if store.proxy is not None and other.proxy is not None:
            _check_unique_proxy(store.proxy, other.proxy)


def _check_unique_proxy(proxy: XksProxy, other: XksProxy) -> None:
    service = proxy.vpc_service_name
    if service is not None and service == other.vpc_service_name:
        raise XksProxyVpcEndpointServiceInUseException(
            f"The VPC endpoint service {service} is already associated with an external key store."
        )
    if fold(proxy.uri_endpoint) != fold(other.uri_endpoint):
        return
    if VPC_ENDPOINT_SERVICE in (proxy.connectivity, other.connectivity):
        raise XksProxyUriEndpointInUseException(
            f"The endpoint {proxy.uri_endpoint} is already associated with an external key store."
        )
    if proxy.uri_path == other.uri_path:
        raise XksProxyUriInUseException(
            f"The address {proxy.uri_endpoint}{proxy.uri_path} is already associated with an "
            "external key store."
        )


def _updated_proxy(proxy: XksProxy, given: Any, account_id: str) -> XksProxy:
    credential = given.XksProxyAuthenticationCredential
    connectivity = given.XksProxyConnectivity or proxy.connectivity
    service, owner = proxy.vpc_service_name, proxy.vpc_service_owner
    if connectivity != proxy.connectivity:
        _check_present(given, ("XksProxyUriEndpoint",), f"connectivity {connectivity}")
        service = owner = None
    return _completed(
        XksProxy(
            connectivity=connectivity,
            access_key_id=proxy.access_key_id if credential is None else credential.AccessKeyId,
            uri_endpoint=given.XksProxyUriEndpoint or proxy.uri_endpoint,
            uri_path=given.XksProxyUriPath or proxy.uri_path,
            vpc_service_name=given.XksProxyVpcEndpointServiceName or service,
            vpc_service_owner=given.XksProxyVpcEndpointServiceOwner or owner,
        ),
        account_id,
    )


def _completed(proxy: XksProxy, account_id: str) -> XksProxy:
    """Return the proxy with the owner of its VPC endpoint service, if it has one.

    Raises:
        ValidationException: the service is missing, or there must be none.
    """
    named = proxy.vpc_service_name is not None or proxy.vpc_service_owner is not None
    if proxy.connectivity == PUBLIC_ENDPOINT:
        if named:
            raise ValidationException(
                f"{' and '.join(_OF_SERVICE)} are not valid for XksProxyConnectivity "
                f"{PUBLIC_ENDPOINT}."
            )
        return proxy
    if proxy.vpc_service_name is None:
        raise ValidationException(
            f"{_OF_SERVICE[0]} is required for XksProxyConnectivity {VPC_ENDPOINT_SERVICE}."
        )
    return XksProxy(
        connectivity=proxy.connectivity,
        access_key_id=proxy.access_key_id,
        uri_endpoint=proxy.uri_endpoint,
        uri_path=proxy.uri_path,
        vpc_service_name=proxy.vpc_service_name,
        vpc_service_owner=proxy.vpc_service_owner or account_id,
    )


def _check_present(given: Any, names: Sequence[str], of: str) -> None:
    missing = [name for name in names if getattr(given, name, None) is None]
    if missing:
        raise ValidationException(f"{', '.join(missing)} must be specified for {of}.")


def _check_absent(given: Any, names: Sequence[str], of: str) -> None:
    there = [name for name in names if getattr(given, name, None) is not None]
    if there:
        raise ValidationException(f"{', '.join(there)} cannot be specified for {of}.")
