"""Secrets of custom key stores: sealed under the domain key of their region, for one store each."""

from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import commands
from kagimori_boundary.commands.key_stores import PASSWORD, PROXY
from kagimori_boundary.replies import Bytes, Reply
from kagimori_hsm.commands.identity import signing_key
from kagimori_hsm.minting import check_scope_date
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of
from kagimori_hsm.world import World

PROXY_SERVICE: Final = "kms-xks-proxy"
_PURPOSES: Final = (PROXY, PASSWORD)


class KeyStoreCommands:
    """One function for each command about the secrets of custom key stores."""

    def __init__(self, rings: Rings, world: World) -> None:
        self._rings = rings
        self._world = world

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.SealStoreSecret: self._seal,
            commands.DeriveProxySigningKey: self._derive,
            commands.OpenStorePassword: self._open_password,
        }

    def _seal(self, command: commands.SealStoreSecret) -> Reply:
        if command.purpose not in _PURPOSES:
            raise Refused(Reason.FORBIDDEN)
        binding = store_secret_binding(
            command.account_id,
            command.region,
            command.key_store_id,
            command.purpose,
            command.access_key_id,
        )
        return Bytes(self._rings.of(command.region).wrap(command.secret.encode(), binding))

    def _derive(self, command: commands.DeriveProxySigningKey) -> Reply:
        check_scope_date(command.date, PROXY_SERVICE, self._world.now())
        binding = store_secret_binding(
            command.account_id,
            command.region,
            command.key_store_id,
            PROXY,
            command.access_key_id,
        )
        secret = self._rings.of(command.region).unwrap(command.sealed, binding)
        return Bytes(signing_key(secret, command.date, command.region, PROXY_SERVICE))

    def _open_password(self, command: commands.OpenStorePassword) -> Reply:
        binding = store_secret_binding(
            command.account_id, command.region, command.key_store_id, PASSWORD, ""
        )
        return Bytes(self._rings.of(command.region).unwrap(command.sealed, binding))


def store_secret_binding(
    account_id: str, region: str, key_store_id: str, purpose: str, access_key_id: str
) -> bytes:
    """Return the binding of the sealed secret of a custom key store."""
    return binding_of("key store secret", account_id, region, key_store_id, purpose, access_key_id)
