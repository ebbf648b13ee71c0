"""Domain keys: rotation and destruction as sealed successors, and tokens wrapped anew.

A successor is made of the rings as they are kept, whatever is in force, and is not in force itself.
The service keeps it, and the operator has it adopted from where it is kept (`module.py`): a domain
key that a crash loses has never wrapped a token.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.replies import (
    DomainKeyFacts,
    DomainKeys,
    Reply,
    RosterFacts,
    SealedDomains,
    Tokens,
)
from kagimori_hsm.commands.audit import AUDIT_KEY_BINDING
from kagimori_hsm.commands.identity import secret_binding
from kagimori_hsm.commands.key_stores import store_secret_binding
from kagimori_hsm.commands.mfa import seed_binding
from kagimori_hsm.commands.passwords import password_binding
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Ring, Rings
from kagimori_hsm.roots.contents import Contents
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roster import further_with, roster_in
from kagimori_hsm.tokens import TokenRefused
from kagimori_hsm.world import World


def sealed(sealed_domains: bytes, contents: Contents) -> SealedDomains:
    """Return sealed domains as the service keeps them, with the facts about their contents."""
    roster = roster_in(contents.further)
    facts = RosterFacts(roster.deployment_id, roster.quorum, roster.operators)
    return SealedDomains(sealed_domains, key_facts(contents.rings), facts)


def key_facts(rings: Mapping[str, Ring]) -> list[DomainKeyFacts]:
    """Return each domain key by its id and times, the oldest of a ring first."""
    return [
        DomainKeyFacts(name, key_id, life.made_at, life.retired_at, key_id == ring.current)
        for name, ring in sorted(rings.items())
        for key_id, life in ring.lives.items()
    ]


class DomainCommands:
    """One function for each command about domain keys that a worker may send."""

    def __init__(self, rings: Rings, keys: BackingKeys, roots: RootKeys, world: World) -> None:
        self._rings = rings
        self._keys = keys
        self._roots = roots
        self._world = world

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.DescribeDomains: self._describe,
            commands.RotateDomainKeys: self._rotate,
            commands.DestroyDomainKeys: self._destroy,
            commands.RewrapTokens: self._rewrap,
        }

    def _describe(self, _: commands.DescribeDomains) -> Reply:
        return DomainKeys(key_facts(self._rings.all()))

    def _rotate(self, command: commands.RotateDomainKeys) -> Reply:
        now = self._world.moment(command.now)

        def rotated(kept: Contents) -> Contents:
            if not kept.rings.keys() >= set(command.names):
                raise TokenRefused
            new = {name: kept.rings[name].rotated(now) for name in command.names}
            return replace(kept, rings={**kept.rings, **new})

        return self._succeeded(command.sealed_domains, rotated)

    def _destroy(self, command: commands.DestroyDomainKeys) -> Reply:
        now, unwanted = self._world.moment(command.now), frozenset(command.key_ids)

        def destroyed(kept: Contents) -> Contents:
            roster, rings = roster_in(kept.further), dict(kept.rings)
            for name, ring in kept.rings.items():
                lost = unwanted & ring.lives.keys()
                if lost:
                    # A successor without a key that still wraps could never be put in force.
                    self._rings.of(name).check_retired(lost)
                    rings[name] = ring.without(lost, now, roster.doomed)
            further = further_with(kept.further, roster.without_doomed(unwanted))
            return replace(kept, rings=rings, further=further)

        return self._succeeded(command.sealed_domains, destroyed)

    def _succeeded(
        self,
        sealed_domains: bytes,
        change: Callable[[Contents], Contents],
    ) -> Reply:
        """Return the successor of a blob of this deployment with changed contents.

        Raises:
            SealRefused: it does not open.
            Refused: FORBIDDEN, it names other operators.
        """
        head, contents = self._roots.opened(sealed_domains)
        if contents.operator_account_id != self._rings.operator_account_id:
            raise Refused(Reason.FORBIDDEN)
        successor = change(contents)
        return sealed(self._roots.sealed(successor, head), successor)

    def _rewrap(self, command: commands.RewrapTokens) -> Reply:
        return Tokens([self._rewrapped(token) for token in command.tokens])

    def _rewrapped(self, token: commands.StoredToken) -> bytes:
        """Return one token under the current domain key of its ring.

        Raises:
            TokenRefused: it does not open for what it is presented as.
        """
        match token:
            case commands.KeyToken():
                return self._keys.rewrap(token.bound_token)
            case commands.SecretToken():
                binding = secret_binding(token.account_id, token.access_key_id, token.holder)
            case commands.SeedToken():
                binding = seed_binding(token.serial_number)
            case commands.PasswordToken():
                binding = password_binding(token.account_id, token.user_id)
            case commands.AuditKeyToken():
                binding = AUDIT_KEY_BINDING
            case commands.StoreSecretToken():
                return self._rings.of(token.region).rewrap(token.sealed, _of_store(token))
        return self._rings.identity().rewrap(token.sealed, binding)


def _of_store(token: commands.StoreSecretToken) -> bytes:
    return store_secret_binding(
        token.account_id, token.region, token.key_store_id, token.purpose, token.access_key_id
    )
