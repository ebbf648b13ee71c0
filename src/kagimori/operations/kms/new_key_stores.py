"""Custom key stores: create and update, with a check that the store can be reached."""

from collections.abc import Sequence

from kagimori.entities.tables import KEY_STORES
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.held_outside import purpose_of
from kagimori.operations.kms.key_stores import (
    StoreFacts,
    key_store_named,
    key_stores_of,
    shown_beside,
)
from kagimori.operations.operation import Operation, Outcome
from kagimori.ports import Expect, ExpectAtMost, Outside, Place, Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import with_fields
from kagimori.rules.key_stores.asks import CheckStore
from kagimori.rules.key_stores.causes import Cause, refusal_of_check
from kagimori.rules.key_stores.key_store import PUBLIC_ENDPOINT, CustomKeyStore
from kagimori.rules.key_stores.properties import (
    OF_PROXIES,
    changes_of,
    check_quota,
    check_unique,
    new_key_store,
    updated_key_store,
)
from kagimori.rules.key_stores.states import check_connection
from kagimori.rules.refusal import Refusal
from kagimori_boundary.replies import Bytes

_ID_DIGITS = 17


class _Checked(Operation[StoreFacts, Bytes | None]):
    def look_up(self, asked: Asked) -> StoreFacts:
        return StoreFacts((Need(f"kms:{self.name}"),))

    def refusal_outside(self, asked: Request, facts: StoreFacts, cause: Cause) -> Refusal:
        return refusal_of_check(cause)


class CreateCustomKeyStore(_Checked):
    def read(self, asked: Asked, facts: StoreFacts) -> StoreFacts:
        planned = new_key_store(
            asked.call.input,
            account_id=asked.caller.account_id,
            region=asked.call.region,
            key_store_id="cks-" + asked.draw().replace("-", "")[:_ID_DIGITS],
            now=asked.now,
        )
        return StoreFacts(
            facts.needs,
            outside=Outside(purpose_of(asked), Place(planned)),
            others=key_stores_of(asked),
            planned=planned,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: StoreFacts) -> CheckStore:
        planned = facts.to_be
        check_quota(facts.others)
        check_unique(planned, facts.others)
        # A proxy behind a VPC endpoint service is reached when the store is connected.
        is_public = planned.proxy is None or planned.proxy.connectivity == PUBLIC_ENDPOINT
        return CheckStore(secret_given(asked), reach=is_public)

    def finish(self, asked: Request, facts: StoreFacts, reply: Bytes | None) -> Outcome:
        store = facts.to_be
        if reply is not None:
            store = with_fields(store, sealed_secret=reply.value)
        answer = {"CustomKeyStoreId": store.key_store_id}
        writes = (*beside(store, facts.others), Put(KEY_STORES, store), _no_more(store, facts))
        return Outcome(answer, writes, response_elements=answer)


class UpdateCustomKeyStore(_Checked):
    def read(self, asked: Asked, facts: StoreFacts) -> StoreFacts:
        store = key_store_named(asked, asked.call.input.CustomKeyStoreId)
        planned = updated_key_store(store, asked.call.input)
        return StoreFacts(
            facts.needs,
            outside=Outside(purpose_of(asked), Place(planned)),
            store=store,
            others=key_stores_of(asked),
            planned=planned,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: StoreFacts) -> CheckStore | None:
        given, store, planned = asked.call.input, facts.found, facts.to_be
        check_connection(changes_of(store, given), store.state, store.key_store_id)
        check_unique(planned, facts.others)
        secret, reach = secret_given(asked), given.CloudHsmClusterId is not None
        if planned.proxy is not None and planned.proxy.connectivity == PUBLIC_ENDPOINT:
            reach = any(getattr(given, name) is not None for name in OF_PROXIES)
        return CheckStore(secret, reach=reach) if secret or reach else None

    def refusal_outside(self, asked: Request, facts: StoreFacts, cause: Cause) -> Refusal:
        """Return the refusal; a cluster with another certificate is one that is not related."""
        is_other = cause is Cause.TRUST_ANCHOR
        return super().refusal_outside(asked, facts, Cause.NOT_RELATED if is_other else cause)

    def finish(self, asked: Request, facts: StoreFacts, reply: Bytes | None) -> Outcome:
        store, planned = facts.found, facts.to_be
        additional = shown_beside(store)
        if planned is store:
            return Outcome({}, additional=additional)
        if reply is not None and reply.value:
            planned = with_fields(planned, sealed_secret=reply.value)
        others = beside(store, facts.others)
        put = Put(KEY_STORES, planned, store, destroys=planned.sealed_secret != store.sealed_secret)
        return Outcome({}, (*others, put, _no_more(store, facts)), additional=additional)


def secret_given(asked: Request) -> str:
    """Return the secret of a proxy's credential or a cluster's user; empty if none is given."""
    given = asked.call.input
    credential = given.XksProxyAuthenticationCredential
    if credential is not None:
        return str(credential.RawSecretAccessKey)
    return str(given.KeyStorePassword or "")


def beside(store: CustomKeyStore, others: Sequence[CustomKeyStore]) -> list[Write]:
    """Return the expectation that the account's other stores are as they were looked at."""
    return [
        Expect(KEY_STORES, other) for other in others if other.key_store_id != store.key_store_id
    ]


def _no_more(store: CustomKeyStore, facts: StoreFacts) -> ExpectAtMost:
    """Return the expectation that nobody has made another store meanwhile."""
    known = {other.key_store_id for other in facts.others} | {store.key_store_id}
    return ExpectAtMost(KEY_STORES, "by_owner", (store.account_id, store.region), len(known))
