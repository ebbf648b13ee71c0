"""The holder of keys in external key stores: our own HSM inside, the proxy's layer outside.

What a proxy encrypts is a ciphertext of our own HSM already, with the backing key that the KMS key
has here as well. So neither of the two can decrypt alone, and no plaintext leaves our HSM for it.

Source: KMS Developer Guide, "External key stores" (double encryption).
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from kagimori.hsm import xks_messages as messages
from kagimori.hsm.holders import Holder, Use
from kagimori.hsm.xks_proxy import SERVICE, XksProxies
from kagimori.pending import Pending, start
from kagimori.ports import HolderRefused, Place, Purpose
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.keys.symmetric_ciphertext import parse_layer, written_layer
from kagimori.rules.sigv4.claim import Scope
from kagimori.rules.sigv4.sign import signing_key
from kagimori_boundary import commands
from kagimori_boundary.ciphertext_form import MATERIAL_ID_BYTES
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Bytes, Failed, Failure, NewDataKey, Reply

KEYS_KEPT_MAX: Final = 1000
_HEALTH: Final = "/health"
T = TypeVar("T")
Perform = Callable[[Any, Use], Coroutine[Any, Any, Reply]]


class ExternalStores:
    """Performs commands about keys of external key stores. Made and used on the loop."""

    is_layer = True

    def __init__(self, own: Holder, proxies: XksProxies) -> None:
        self._own, self._proxies = own, proxies
        self._functions: dict[type[Command], Perform] = {
            commands.GenerateKey: self._generate_key,
            commands.Encrypt: self._encrypt,
            commands.Decrypt: self._decrypt,
            commands.GenerateDataKey: self._generate_data_key,
        }
        # The day's signing keys, by all that they are derived from.
        self._keys: dict[tuple[str, bytes, str], bytes] = {}

    def check(self, store: CustomKeyStore, secret: str, purpose: Purpose) -> Pending[None]:
        """Ask the proxy how it is, with a secret in plain or the one that the store has."""
        return _pending(self._check(store, secret, purpose))

    def connect(self, store: CustomKeyStore, purpose: Purpose) -> Pending[None]:
        """Ask the proxy how it is."""
        return _pending(self._check(store, "", purpose))

    def disconnect(self, store: CustomKeyStore) -> Pending[None]:
        """Close the connections that nobody uses."""
        self._proxies.forget(store)
        done: Pending[None] = Pending()
        done.settle(None)
        return done

    def perform(self, command: Command, place: Place, purpose: Purpose) -> Pending[Reply]:
        """Perform a command here and at the proxy."""
        perform = self._functions.get(type(command), self._refuse)
        return _pending(perform(command, (place, purpose)))

    def wrapped(self, ciphertext: bytes, context: dict[str, str], ask: Use) -> Pending[bytes]:
        """Settle with the proxy's layer around a ciphertext of our own HSM."""
        return _pending(self._wrapped(ciphertext, context, ask))

    def unwrapped(self, ciphertext: bytes, context: dict[str, str], ask: Use) -> Pending[bytes]:
        """Settle with our own HSM's ciphertext in one that a proxy has put its layer around."""
        return _pending(self._unwrapped(ciphertext, context, ask))

    async def _check(self, store: CustomKeyStore, secret: str, purpose: Purpose) -> None:
        key = self._key_of(store, secret) if secret else await self._signing_key(store)
        body = messages.health_request(purpose)
        messages.check_health(await self._proxies.post(store, _HEALTH, body, key))

    async def _refuse(self, command: Command, use: Use) -> Reply:
        raise HolderRefused(Cause.UNSUPPORTED)

    async def _generate_key(self, command: commands.GenerateKey, use: Use) -> Reply:
        place, purpose = use
        key = await self._signing_key(place.store)
        path = f"/keys/{place.key_name}/metadata"
        body = messages.key_metadata_request(purpose)
        messages.check_key(await self._proxies.post(place.store, path, body, key))
        return await self._own.perform(command)

    async def _encrypt(self, command: commands.Encrypt, use: Use) -> Reply:
        reply = await self._own.perform(command)
        if not isinstance(reply, Bytes):
            return reply
        return Bytes(await self._wrapped(reply.value, command.encryption_context, use))

    async def _generate_data_key(self, command: commands.GenerateDataKey, use: Use) -> Reply:
        reply = await self._own.perform(command)
        if not isinstance(reply, NewDataKey):
            return reply
        outer = await self._wrapped(reply.ciphertext, command.encryption_context, use)
        return NewDataKey(reply.plaintext, outer)

    async def _decrypt(self, command: commands.Decrypt, use: Use) -> Reply:
        if parse_layer(command.ciphertext) is None:
            return Failed(Failure.INVALID_CIPHERTEXT)
        inner = await self._unwrapped(command.ciphertext, command.encryption_context, use)
        reply = await self._own.perform(replace(command, ciphertext=inner))
        if reply == Failed(Failure.INVALID_CIPHERTEXT):
            raise HolderRefused(Cause.INNER_CIPHERTEXT)
        return reply

    async def _wrapped(self, ciphertext: bytes, context: dict[str, str], use: Use) -> bytes:
        place, purpose = use
        material_id = ciphertext[1 : 1 + MATERIAL_ID_BYTES]
        aad = messages.aad_of(material_id, context)
        body = messages.encrypt_request(purpose, place.kms_key_arn, ciphertext, aad)
        key = await self._signing_key(place.store)
        path = f"/keys/{place.key_name}/encrypt"
        answer = await self._proxies.post(place.store, path, body, key)
        return written_layer(messages.encrypted_layer(answer, material_id, ciphertext, aad))

    async def _unwrapped(self, ciphertext: bytes, context: dict[str, str], use: Use) -> bytes:
        place, purpose = use
        layer = parse_layer(ciphertext)
        if layer is None:
            raise HolderRefused(Cause.INNER_CIPHERTEXT)
        aad = messages.aad_of(layer.material_id, context)
        body = messages.decrypt_request(purpose, place.kms_key_arn, layer, aad)
        key = await self._signing_key(place.store)
        path = f"/keys/{place.key_name}/decrypt"
        return messages.decrypted(await self._proxies.post(place.store, path, body, key), layer)

    def _key_of(self, store: CustomKeyStore, secret: str) -> bytes:
        """Return the day's signing key of a secret that is not stored yet."""
        return signing_key(secret, Scope("", self._proxies.today(), store.region, SERVICE))

    async def _signing_key(self, store: CustomKeyStore) -> bytes:
        """Return the day's signing key of a store, which our own HSM derives.

        Raises:
            HolderRefused: its secret does not open.
        """
        date = self._proxies.today()
        name = (store.key_store_id, store.sealed_secret, date)
        known = self._keys.get(name)
        if known is not None:
            return known
        proxy = store.proxy
        reply = await self._own.perform(
            commands.DeriveProxySigningKey(
                store.account_id,
                store.region,
                store.key_store_id,
                "" if proxy is None else proxy.access_key_id,
                store.sealed_secret,
                date,
            )
        )
        if not isinstance(reply, Bytes):
            raise HolderRefused(Cause.HSM_FAILED)
        if len(self._keys) >= KEYS_KEPT_MAX:
            self._keys.clear()
        self._keys[name] = reply.value
        return reply.value


def _pending(work: Coroutine[Pending[Any], None, T]) -> Pending[T]:
    """Return a pending that a coroutine settles; it must wait for pendings alone."""
    pending: Pending[T] = Pending()

    async def run() -> None:
        try:
            pending.settle(await work)
        except Exception as problem:  # noqa: BLE001 - whoever waits must hear of it
            pending.fail(problem)

    start(run())
    return pending
