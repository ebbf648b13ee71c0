"""Finds the holder of the key in a command: our own HSM, or a custom key store.

The path and the operations know this one port. There is one holder for each type of key store; it
reaches every store of its type by the entity that comes with each command, so that the state in the
database decides in each worker, and no worker has to follow another.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from kagimori.pending import Pending, start
from kagimori.ports import Ask, HolderRefused, Outside, Place, Purpose
from kagimori.rules.key_stores.asks import CheckStore, ConnectStore, DisconnectStore
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori_boundary.commands import Command, Decrypt, Encrypt, ReEncrypt, SealStoreSecret
from kagimori_boundary.commands.key_stores import PASSWORD, PROXY
from kagimori_boundary.replies import Bytes, Failed, Failure, Reply


class Holder(Protocol):
    """Our own HSM."""

    def perform(self, command: Command) -> Pending[Reply]:
        """Settle with the reply; fail with `HsmGone` when nobody is there."""


class KeyStoreHolder(Protocol):
    """The holder of the keys of one type of custom key store.

    Each method's pending fails with `HolderRefused` and its cause when that is not done.
    """

    # Whether every ciphertext is one of our own HSM, with a layer of the store's around it: then
    # ReEncrypt needs no plaintext outside the HSM.
    is_layer: bool

    def check(self, store: CustomKeyStore, secret: str, purpose: Purpose) -> Pending[None]:
        """Check that the store can be reached as it is described, with this secret in plain.

        An empty secret stands for the one that the store has (`sealed_secret`).
        """

    def connect(self, store: CustomKeyStore, purpose: Purpose) -> Pending[None]:
        """Connect with the secret that the store has."""

    def disconnect(self, store: CustomKeyStore) -> Pending[None]:
        """Give up the connection, and forget what was kept of it."""

    def perform(self, command: Command, place: Place, purpose: Purpose) -> Pending[Reply]:
        """Settle with the reply to a command about a key of a store."""

    def unwrapped(self, ciphertext: bytes, context: dict[str, str], ask: "Use") -> Pending[bytes]:
        """Settle with our own HSM's ciphertext in one of the store, if it is a layer."""

    def wrapped(self, ciphertext: bytes, context: dict[str, str], ask: "Use") -> Pending[bytes]:
        """Settle with the store's layer around a ciphertext of our own HSM."""


Use = tuple[Place, Purpose]


class Holders:
    """Sends each command to the holder of its key."""

    def __init__(
        self,
        own: Holder,
        of_type: Mapping[KeyStoreType, KeyStoreHolder] | None = None,
    ) -> None:
        self._own = own
        self._of_type = dict(of_type or {})

    def perform(self, ask: Ask) -> Pending[Reply]:
        """Settle with the reply; fail with `HsmGone` or `HolderRefused` if there is none."""
        outside, command = ask
        if outside is None:
            return self._own.perform(command)  # type: ignore[arg-type] # StoreAsks are outside
        if isinstance(command, ReEncrypt):
            return _settled_by(self._re_encrypt(command, outside))
        if outside.place is None:
            return _refused(Cause.CLUSTER_NOT_FOUND)
        place, purpose = outside.place, outside.purpose
        holder = self._of_type.get(place.store.key_store_type)
        if holder is None:
            return _refused(Cause.CLUSTER_NOT_FOUND)
        match command:
            case CheckStore():
                return _settled_by(self._check(holder, command, outside))
            case ConnectStore():
                return _settled_by(_empty(holder.connect(place.store, purpose)))
            case DisconnectStore():
                return _settled_by(_empty(holder.disconnect(place.store)))
        return holder.perform(command, place, purpose)

    async def _check(self, holder: KeyStoreHolder, command: CheckStore, outside: Outside) -> Reply:
        """Check the store if that is asked for, then have the secret sealed."""
        place = outside.place
        if place is None:
            raise HolderRefused(Cause.CLUSTER_NOT_FOUND)
        if command.reach:
            await holder.check(place.store, command.secret, outside.purpose)
        if not command.secret:
            return Bytes(b"")
        return await self._own.perform(sealing(place.store, command.secret))

    async def _re_encrypt(self, command: ReEncrypt, outside: Outside) -> Reply:
        """Decrypt under one key and encrypt under another, one of which a store holds.

        With layers alone, our HSM does it and no plaintext leaves it. A cluster gives out the
        plaintext, or takes it in.
        """
        source, destination = outside.place, outside.destination
        if self._is_layered(source) and self._is_layered(destination):
            return await self._re_encrypt_inside(command, outside)
        opened = await self._at(
            source,
            Decrypt(
                command.source,
                command.source_algorithm,
                command.ciphertext,
                command.source_encryption_context,
            ),
            outside.purpose,
        )
        if not isinstance(opened, Bytes):
            return opened
        return await self._at(
            destination,
            Encrypt(
                command.destination,
                command.destination_algorithm,
                opened.value,
                command.destination_encryption_context,
            ),
            outside.purpose,
        )

    async def _re_encrypt_inside(self, command: ReEncrypt, outside: Outside) -> Reply:
        source, destination, purpose = outside.place, outside.destination, outside.purpose
        if source is not None:
            context = command.source_encryption_context
            holder = self._of_type[source.store.key_store_type]
            inner = await holder.unwrapped(command.ciphertext, context, (source, purpose))
            command = replace(command, ciphertext=inner)
        reply = await self._own.perform(command)
        if source is not None and reply == Failed(Failure.INVALID_CIPHERTEXT):
            raise HolderRefused(Cause.INNER_CIPHERTEXT)
        if destination is None or not isinstance(reply, Bytes):
            return reply
        context = command.destination_encryption_context
        holder = self._of_type[destination.store.key_store_type]
        return Bytes(await holder.wrapped(reply.value, context, (destination, purpose)))

    def _is_layered(self, place: Place | None) -> bool:
        if place is None:
            return True
        holder = self._of_type.get(place.store.key_store_type)
        return holder is not None and holder.is_layer

    def _at(self, place: Place | None, command: Command, purpose: Purpose) -> Pending[Reply]:
        """Perform a command at a place; None is our own HSM."""
        if place is None:
            return self._own.perform(command)
        holder = self._of_type.get(place.store.key_store_type)
        if holder is None:
            return _refused(Cause.CLUSTER_NOT_FOUND)
        return holder.perform(command, place, purpose)


def sealing(store: CustomKeyStore, secret: str) -> SealStoreSecret:
    """Return the command that seals a secret for a store."""
    proxy = store.proxy
    return SealStoreSecret(
        store.account_id,
        store.region,
        store.key_store_id,
        PASSWORD if proxy is None else PROXY,
        "" if proxy is None else proxy.access_key_id,
        secret,
    )


async def _empty(done: Pending[None]) -> Reply:
    await done
    return Bytes(b"")


def _refused(cause: Cause) -> Pending[Reply]:
    pending: Pending[Reply] = Pending()
    pending.fail(HolderRefused(cause))
    return pending


def _settled_by(work: Coroutine[Pending[Any], None, Reply]) -> Pending[Reply]:
    """Return a pending that a coroutine settles; it must wait for pendings alone."""
    pending: Pending[Reply] = Pending()

    async def run() -> None:
        try:
            pending.settle(await work)
        except Exception as problem:  # noqa: BLE001 - whoever waits must hear of it
            pending.fail(problem)

    start(run())
    return pending
