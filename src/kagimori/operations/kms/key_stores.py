"""Custom key stores: connect, disconnect, describe and delete."""

from collections.abc import Sequence
from typing import Any

from kagimori.entities.tables import KEY_STORES, KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.ports import Delete, ExpectAtMost, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.key_stores.refusals import (
    CustomKeyStoreHasCMKsException,
    CustomKeyStoreNotFoundException,
)
from kagimori.rules.key_stores.states import ConnectionState, after, check_connection
from kagimori.rules.refusal import ValidationException


class StoreFacts(Facts, kw_only=True):
    """The store that the request is about, and all of the account in the Region.

    `planned` is the store as it will be, but for its secret.
    """

    store: CustomKeyStore | None = None
    others: Sequence[CustomKeyStore] = ()
    has_keys: bool = False
    planned: CustomKeyStore | None = None

    @property
    def found(self) -> CustomKeyStore:
        """Return the store, which `read` has found."""
        if self.store is None:
            raise CustomKeyStoreNotFoundException
        return self.store

    @property
    def to_be(self) -> CustomKeyStore:
        """Return the store as it will be; the same if it is not to change."""
        return self.found if self.planned is None else self.planned


def key_store_named(asked: Asked, key_store_id: str) -> CustomKeyStore:
    """Return a custom key store of the caller's account in the Region.

    Raises:
        CustomKeyStoreNotFoundException: there is none with this id.
    """
    key = (asked.caller.account_id, asked.call.region, key_store_id)
    found: CustomKeyStore | None = asked.view.one(KEY_STORES, key)
    if found is None:
        raise CustomKeyStoreNotFoundException(f"Custom key store {key_store_id} does not exist")
    return found


def key_stores_of(asked: Asked) -> Sequence[CustomKeyStore]:
    """Return all custom key stores of the caller's account in the Region."""
    owner = (asked.caller.account_id, asked.call.region)
    found: Sequence[CustomKeyStore] = asked.view.group(KEY_STORES, "by_owner", owner)
    return found


def shown_beside(store: CustomKeyStore) -> dict[str, Any]:
    """Return the members on a store that a record has beside the request's.

    Source: KMS Developer Guide, "ConnectCustomKeyStore" (CloudTrail log entries).
    """
    shown = {"customKeyStoreName": store.name}
    return shown if store.cluster_id is None else {**shown, "clusterId": store.cluster_id}


class OnStore(Operation[StoreFacts, None]):
    """An operation on one store, which only the allowed may find."""

    def look_up(self, asked: Asked) -> StoreFacts:
        return StoreFacts((Need(f"kms:{self.name}"),))

    def read(self, asked: Asked, facts: StoreFacts) -> StoreFacts:
        store = key_store_named(asked, asked.call.input.CustomKeyStoreId)
        return StoreFacts(facts.needs, store=store)

    def ask(self, asked: Request, allowed: Allowed, facts: StoreFacts) -> None:
        check_connection(self.name, facts.found.state, facts.found.key_store_id)


class ConnectCustomKeyStore(OnStore):
    def finish(self, asked: Request, facts: StoreFacts, reply: None) -> Outcome:
        store = facts.found
        additional = shown_beside(store)
        state = after("connect", store.state)
        if state is store.state:  # connected, or about to be
            return Outcome({}, additional=additional)
        connecting = changed(store, state=state, error_code=None, due_at=asked.now)
        return Outcome({}, (Put(KEY_STORES, connecting, store),), additional=additional)


class DisconnectCustomKeyStore(OnStore):
    def finish(self, asked: Request, facts: StoreFacts, reply: None) -> Outcome:
        store = facts.found
        put = Put(KEY_STORES, disconnected(store, asked.now), store)
        return Outcome({}, (put,), additional=shown_beside(store))


class DeleteCustomKeyStore(OnStore):
    def read(self, asked: Asked, facts: StoreFacts) -> StoreFacts:
        store = key_store_named(asked, asked.call.input.CustomKeyStoreId)
        keys = asked.view.count(KMS_KEYS, "by_key_store", (store.account_id, store.key_store_id))
        return StoreFacts(facts.needs, store=store, has_keys=keys > 0)

    def ask(self, asked: Request, allowed: Allowed, facts: StoreFacts) -> None:
        super().ask(asked, allowed, facts)
        if facts.has_keys:
            raise CustomKeyStoreHasCMKsException(
                f"Custom key store {facts.found.key_store_id} contains KMS keys."
            )

    def finish(self, asked: Request, facts: StoreFacts, reply: None) -> Outcome:
        store = facts.found
        keys = (store.account_id, store.key_store_id)
        writes = (
            ExpectAtMost(KMS_KEYS, "by_key_store", keys),
            Delete(KEY_STORES, store, destroys=True),
        )
        return Outcome({}, writes, additional=shown_beside(store))


class DescribeCustomKeyStores(Operation[StoreFacts, None]):
    read_only = True

    def look_up(self, asked: Asked) -> StoreFacts:
        given = asked.call.input
        if given.CustomKeyStoreId is not None and given.CustomKeyStoreName is not None:
            raise ValidationException(
                "CustomKeyStoreId and CustomKeyStoreName cannot be specified together."
            )
        limit_of(given.Limit, default=100, most=1000)
        start_of(given.Marker, self.name)
        return StoreFacts((Need("kms:DescribeCustomKeyStores"),))

    def read(self, asked: Asked, facts: StoreFacts) -> StoreFacts:
        given, stores = asked.call.input, key_stores_of(asked)
        if given.CustomKeyStoreId is not None:
            stores = (key_store_named(asked, given.CustomKeyStoreId),)
        elif given.CustomKeyStoreName is not None:
            stores = [store for store in stores if store.name == given.CustomKeyStoreName]
            if not stores:
                raise CustomKeyStoreNotFoundException(
                    f"Custom key store {given.CustomKeyStoreName} does not exist"
                )
        return StoreFacts(facts.needs, others=stores)

    def finish(self, asked: Request, facts: StoreFacts, reply: None) -> Outcome:
        given, stores = asked.call.input, facts.others
        limit = limit_of(given.Limit, default=100, most=1000)
        begin = start_of(given.Marker, self.name)
        if begin is not None:
            stores = [store for store in stores if store.key_store_id > begin[0]]
        page = page_of(
            stores,
            limit,
            self.name,
            name="CustomKeyStores",
            shown=list_entry,
            key=lambda store: [store.key_store_id],
        )
        return Outcome(page)


def disconnected(store: CustomKeyStore, now: float) -> CustomKeyStore:
    """Return a store whose connection is given up: at once, or soon if a cluster is behind it."""
    state = after("disconnect", store.state)
    if store.is_external:  # there is nothing to be undone
        state = after("released", state)
    due_at = now if state is ConnectionState.DISCONNECTING else None
    return changed(store, state=state, error_code=None, due_at=due_at)


def list_entry(store: CustomKeyStore) -> dict[str, Any]:
    """Return a store as DescribeCustomKeyStores shows it: never with its secret."""
    entry: dict[str, Any] = {
        "CustomKeyStoreId": store.key_store_id,
        "CustomKeyStoreName": store.name,
        "ConnectionState": store.state.value,
        "CreationDate": store.created_at,
        "CustomKeyStoreType": store.key_store_type.value,
    }
    if store.state is ConnectionState.FAILED:
        entry["ConnectionErrorCode"] = store.error_code
    proxy = store.proxy
    if proxy is None:
        entry["CloudHsmClusterId"] = store.cluster_id
        entry["TrustAnchorCertificate"] = store.trust_anchor
        return entry
    configuration = {
        "Connectivity": proxy.connectivity,
        "AccessKeyId": proxy.access_key_id,
        "UriEndpoint": proxy.uri_endpoint,
        "UriPath": proxy.uri_path,
    }
    if proxy.vpc_service_name is not None:
        configuration["VpcEndpointServiceName"] = proxy.vpc_service_name
        configuration["VpcEndpointServiceOwner"] = proxy.vpc_service_owner or store.account_id
    entry["XksProxyConfiguration"] = configuration
    return entry
