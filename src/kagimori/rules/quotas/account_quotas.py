"""The quotas of an account in a region: its own numbers, or else those of the profile."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from kagimori.rules.quotas.group import Group
from kagimori.rules.quotas.profile import OFF, profile_named


class RequestedRate(Struct, frozen=True):
    """A number that an account has asked for, until an operator sets one."""

    request_id: str
    rate: float
    at: float
    by: str


class AccountQuotas(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The own numbers of an account in a region, by group, as stored."""

    account_id: str
    region: str
    version: int = 1
    rates: dict[str, float] = {}
    requested: dict[str, RequestedRate] = {}


class Applied(Struct, frozen=True):
    """A quota as it counts for an account: its group, its number, and the one of everybody."""

    group: Group
    rate: float
    default: float
    requested: RequestedRate | None = None

    @property
    def is_own(self) -> bool:
        return self.rate != self.default


def applied_quotas(
    profile: str, rates: Mapping[str, float], region: str, own: AccountQuotas | None
) -> Iterator[Applied]:
    """Yield the quotas of an account in a region, by group; none with the profile `off`."""
    if profile == OFF:
        return
    for key, group in sorted(profile_named(profile, region).groups.items()):
        default = rates.get(key, group.rate)
        if own is None:
            yield Applied(group, default, default)
        else:
            rate = own.rates.get(key, default)
            yield Applied(group, rate, default, own.requested.get(key))
