"""The holder of keys in CloudHSM key stores: each cluster is a PKCS#11 token of the settings.

A token process stays logged in by itself. To connect a store is to show that its password is the
PIN of that token, and that the token is there now.

Source: KMS Developer Guide, "AWS CloudHSM key stores" and "Troubleshooting a custom key store".
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from msgspec import Struct

from kagimori.hsm.token_holder import TokenHolder
from kagimori.pending import Pending, start
from kagimori.ports import HolderRefused, Place, Purpose
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.keys.kms_key import CLOUDHSM, SYMMETRIC_DEFAULT
from kagimori_boundary.commands import BoundToken, Command, ForgetMaterial, HsmCommand
from kagimori_boundary.commands.token import TOKEN_MARK, ConnectToken, DestroyTokenKey
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, Failed, Failure, Reply, TokenConnection, Tokens


class Cluster(Struct, frozen=True):
    """A token that stands for a cluster, and where its process is reached."""

    cluster_id: str
    trust_anchor: str
    socket_path: str
    operation_seconds: float


Own = Callable[[Command], Pending[Reply]]
# The command for our own HSM that opens the sealed password of a store.
OpeningOf = Callable[[CustomKeyStore], Command]

_encode: Final = msgspec.msgpack.Encoder().encode
_OF_ERROR: Final[dict[str, Cause]] = {
    "INVALID_CREDENTIALS": Cause.CREDENTIALS,
    "USER_LOCKED_OUT": Cause.USER_LOCKED_OUT,
    "USER_NOT_FOUND": Cause.USER_NOT_FOUND,
    "CLUSTER_NOT_FOUND": Cause.CLUSTER_NOT_ACTIVE,
    "NETWORK_ERRORS": Cause.CLUSTER_NOT_REACHABLE,
}
_OF_FAILURE: Final[dict[Failure, Cause]] = {
    Failure.TOKEN_AWAY: Cause.CLUSTER_NOT_REACHABLE,
    Failure.KEY_NOT_IN_TOKEN: Cause.KEY_NOT_IN_CLUSTER,
    Failure.MALFORMED: Cause.UNSUPPORTED,
}
# How a token is that cannot be logged in to; a check without the password passes these.
_OF_THE_PASSWORD: Final = frozenset({Cause.CREDENTIALS, Cause.USER_LOCKED_OUT})


class Clusters:
    """All clusters of a worker. Made on the loop; `run` keeps it connected to their processes."""

    is_layer = False

    def __init__(self, clusters: Sequence[Cluster], own: Own, opening: OpeningOf) -> None:
        self._own, self._opening = own, opening
        self._clusters = {cluster.cluster_id: cluster for cluster in clusters}
        self._holders = {
            cluster.cluster_id: TokenHolder(cluster.socket_path, cluster.operation_seconds)
            for cluster in clusters
        }

    async def run(self) -> None:
        """Stay connected to every process until cancelled."""
        await asyncio.gather(*(holder.run() for holder in self._holders.values()))

    def close(self) -> None:
        for holder in self._holders.values():
            holder.close()

    def check(self, store: CustomKeyStore, secret: str, purpose: Purpose) -> Pending[None]:
        """Check that the cluster is there, with this trust anchor; the password is not tried.

        AWS finds out at the connection whether the password is right.
        """
        return _settled_by(self._check(store))

    def connect(self, store: CustomKeyStore, purpose: Purpose) -> Pending[None]:
        """Check that the store's password is that of the token, and that it is logged in to."""
        return _settled_by(self._connect(store))

    def disconnect(self, store: CustomKeyStore) -> Pending[None]:
        """Do nothing: the token stays logged in to for itself, and no command comes any more."""
        done: Pending[None] = Pending()
        done.settle(None)
        return done

    def perform(self, command: Command, place: Place, purpose: Purpose) -> Pending[Reply]:
        """Settle with the reply of the token that holds the key."""
        if isinstance(command, ForgetMaterial):
            return _settled_by(self._destroy(command, place))
        return self.perform_there(command, place.store)

    def perform_there(self, command: HsmCommand, store: CustomKeyStore) -> Pending[Reply]:
        """Settle with the reply of the store's token."""
        return _settled_by(self._perform(command, store))

    def unwrapped(self, ciphertext: bytes, context: dict[str, str], ask: Any) -> Pending[bytes]:
        """Refuse: ciphertexts of a token have no layer of our HSM inside."""
        return _refused()

    def wrapped(self, ciphertext: bytes, context: dict[str, str], ask: Any) -> Pending[bytes]:
        """Refuse: ciphertexts of a token have no layer of our HSM inside."""
        return _refused()

    async def _check(self, store: CustomKeyStore) -> None:
        cluster = self._clusters.get(store.cluster_id or "")
        if cluster is None:
            raise HolderRefused(Cause.CLUSTER_NOT_FOUND)
        if _der(store.trust_anchor or "") != _der(cluster.trust_anchor):
            raise HolderRefused(Cause.TRUST_ANCHOR)
        try:
            await self._log_in(store, "")
        except HolderRefused as refused:
            if refused.cause not in _OF_THE_PASSWORD:
                raise

    async def _connect(self, store: CustomKeyStore) -> None:
        password = ""
        if store.sealed_secret:
            opened = await self._own(self._opening(store))
            if not isinstance(opened, Bytes):
                raise HolderRefused(Cause.HSM_FAILED)
            password = opened.value.decode()
        await self._log_in(store, password)

    async def _log_in(self, store: CustomKeyStore, password: str) -> None:
        reply = await self._perform(ConnectToken(password), store)
        if not isinstance(reply, TokenConnection):
            raise HolderRefused(Cause.CLUSTER_NOT_REACHABLE)
        if reply.error:
            raise HolderRefused(_OF_ERROR.get(reply.error, Cause.HSM_FAILED))

    async def _destroy(self, command: ForgetMaterial, place: Place) -> Reply:
        """Destroy the keys in the token that a deleted KMS key leaves behind."""
        for material_id in command.material_ids:
            bound_token = _bound_token(place.kms_key_arn, material_id)
            reply = await self._perform(DestroyTokenKey(bound_token), place.store)
            if isinstance(reply, Failed):
                return reply
        return Tokens([])

    async def _perform(self, command: HsmCommand, store: CustomKeyStore) -> Reply:
        holder = self._holders.get(store.cluster_id or "")
        if holder is None:  # it was taken out of the settings
            raise HolderRefused(Cause.CLUSTER_NOT_FOUND)
        reply = await holder.perform(command)
        if isinstance(reply, Failed) and reply.failure in _OF_FAILURE:
            raise HolderRefused(_OF_FAILURE[reply.failure])
        return reply


def _bound_token(kms_key_arn: str, material_id: bytes) -> bytes:
    """Return the name of a key in a token, as its process takes it."""
    *_, region, account_id, resource = kms_key_arn.split(":")
    return _encode(
        BoundToken(
            account_id,
            region,
            resource.removeprefix("key/"),
            SYMMETRIC_DEFAULT,
            KeyUsage.ENCRYPT_DECRYPT.value,
            CLOUDHSM,
            material_id,
            TOKEN_MARK,
        )
    )


def _der(certificate: str) -> bytes | None:
    try:
        return load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    except ValueError:
        return None


def _refused() -> Pending[bytes]:
    refused: Pending[bytes] = Pending()
    refused.fail(HolderRefused(Cause.UNSUPPORTED))
    return refused


def _settled_by(work: Coroutine[Pending[Any], None, Any]) -> Pending[Any]:
    """Return a pending that a coroutine settles; it must wait for pendings alone."""
    pending: Pending[Any] = Pending()

    async def run() -> None:
        try:
            pending.settle(await work)
        except Exception as problem:  # noqa: BLE001 - whoever waits must hear of it
            pending.fail(problem)

    start(run())
    return pending
