"""Domain keys as the service keeps them: the sealed rings, and the life of each key in them.

A domain key is current, then retired (it opens what it wrapped), then closed (no further token of
it is taken in), then gone. Each step is one change of one entity, so that a crash leaves the one
before or the one after.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.entity import changed
from kagimori.rules.operators.roster import Roster, roster_from
from kagimori_boundary.commands import IDENTITY_DOMAIN
from kagimori_boundary.replies import DomainKeyFacts, RosterFacts

CURRENT, RETIRED, CLOSED = "CURRENT", "RETIRED", "CLOSED"
ALL: Final = "all"  # the one entity's name: all rings are sealed together


class DomainKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One domain key by its id (hex); times are seconds since the epoch, `made_at` 0 if unknown."""

    domain: str
    key_id: str
    made_at: float
    retired_at: float | None = None
    is_current: bool = False
    closed_at: float | None = None

    @property
    def state(self) -> str:
        if self.is_current:
            return CURRENT
        return RETIRED if self.closed_at is None else CLOSED


class Domains(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rings, which the HSM alone opens. `keys` is empty until the HSM has listed them.

    `rewrap_asked_at` is when an operator last asked for all tokens to be gone through; `roster` are
    the operators who approve dangerous actions, as they are sealed.
    """

    name: str = ALL
    sealed: bytes
    keys: tuple[DomainKey, ...] = ()
    rewrap_asked_at: float = 0.0
    roster: Roster = Roster()
    version: int = 1

    @property
    def stale(self) -> tuple[DomainKey, ...]:
        """The domain keys that no token needs once all are wrapped anew."""
        return tuple(key for key in self.keys if not key.is_current)

    @property
    def current_ids(self) -> frozenset[str]:
        return frozenset(key.key_id for key in self.keys if key.is_current)


class ClosedDomainKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A domain key under which the store takes in no further token; kept for good."""

    key_id: str
    closed_at: float
    version: int = 1


def first_domains(sealed: bytes, listed: Iterable[DomainKeyFacts]) -> Domains:
    """Return the rings of a new deployment."""
    return Domains(sealed=sealed, keys=_keys(listed, ()))


def listed_in(domains: Domains, listed: Iterable[DomainKeyFacts]) -> Domains:
    """Return the successor that knows which keys are in its rings."""
    return changed(domains, keys=_keys(listed, domains.keys))


def succeeded(domains: Domains, sealed: bytes, listed: Iterable[DomainKeyFacts]) -> Domains:
    """Return the successor with these rings."""
    return changed(domains, sealed=sealed, keys=_keys(listed, domains.keys))


def performed(
    domains: Domains,
    sealed: bytes,
    listed: Iterable[DomainKeyFacts],
    roster: RosterFacts,
) -> Domains:
    """Return the successor after something that operators decided about."""
    return changed(
        domains, sealed=sealed, keys=_keys(listed, domains.keys), roster=roster_from(roster)
    )


def names_of(domains: Domains, regions: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all domains; `regions` where the keys are not listed yet."""
    known = {key.domain for key in domains.keys} or {IDENTITY_DOMAIN, *regions}
    return tuple(sorted(known))


def due_for_rotation(domains: Domains, now: float, period_seconds: float) -> tuple[str, ...]:
    """Return the domains whose current key is that old; 0 seconds: none is ever due."""
    if period_seconds <= 0:
        return ()
    return tuple(
        sorted(
            key.domain
            for key in domains.keys
            if key.is_current and now >= key.made_at + period_seconds
        )
    )


def due_for_closing(domains: Domains, now: float, keep_seconds: float) -> tuple[DomainKey, ...]:
    """Return the retired keys that have been kept for long enough."""
    return tuple(
        key
        for key in domains.stale
        if key.closed_at is None
        and key.retired_at is not None
        and now >= key.retired_at + keep_seconds
    )


def closed(domains: Domains, keys: Iterable[DomainKey], now: float) -> Domains:
    """Return the successor in which these keys are closed."""
    chosen = {key.key_id for key in keys}
    return changed(
        domains,
        keys=tuple(
            replace(key, closed_at=now) if key.key_id in chosen else key for key in domains.keys
        ),
    )


def shown_domains(domains: Domains) -> list[dict[str, Any]]:
    """Return each domain with its keys, in the members of the admin service."""
    return [
        {
            "DomainName": name,
            "Keys": [_shown(key) for key in domains.keys if key.domain == name],
        }
        for name in names_of(domains, ())
    ]


def _shown(key: DomainKey) -> dict[str, Any]:
    times = {
        "CreatedAt": key.made_at or None,
        "RetiredAt": key.retired_at,
        "ClosedAt": key.closed_at,
    }
    known = {name: time for name, time in times.items() if time is not None}
    return {"DomainKeyId": key.key_id, "State": key.state, **known}


def _keys(listed: Iterable[DomainKeyFacts], before: Iterable[DomainKey]) -> tuple[DomainKey, ...]:
    """Return keys as the HSM lists them; that one is closed is known here alone."""
    closings = {key.key_id: key.closed_at for key in before}
    return tuple(
        DomainKey(
            domain=one.domain,
            key_id=one.key_id.hex(),
            made_at=one.made_at,
            retired_at=one.retired_at,
            is_current=one.is_current,
            closed_at=closings.get(one.key_id.hex()),
        )
        for one in listed
    )
