"""The twin: recorded requests, replayed through the quotas of a profile.

It shows when a service with these quotas would have throttled. Each account, region and group has a
token bucket as large as those of this service. How AWS shares a quota among the callers of an
account is not published; here requests are taken in their order, whoever makes them.

Source: KMS Developer Guide, "Throttling AWS KMS requests" and "Request quotas".
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from kagimori.rules.metering.bill import Bill
from kagimori.rules.quotas import open_groups
from kagimori.rules.quotas.fair_bucket import capacity_of
from kagimori.rules.quotas.group import Charge
from kagimori.rules.quotas.profile import AWS, Profile, profile_named

MINUTE_SECONDS: Final = 60
MINUTES_MAX: Final = 1_000
# The groups of the profile `aws` that are ours: AWS publishes no numbers for what they count.
_OURS: Final = (open_groups.READS, open_groups.CHANGES, open_groups.SEARCHES)


class TwinQuery(Struct, frozen=True):
    """Requests to replay: of an account, or of all (None), from `since` to before `until`."""

    account_id: str | None
    profile: str
    since: float
    until: float


class ReplayedRequest(Struct, frozen=True):
    """A request as it was recorded. `specs` are those of its keys, or of its data key pair."""

    at: int
    account_id: str
    service: str
    region: str
    name: str
    read_only: bool
    specs: tuple[str, ...]


class ThrottledMinute(Struct):
    """The requests of an account and group in a minute, and how many would have been throttled."""

    minute: int
    account_id: str
    region: str
    group: str
    requests: int = 0
    throttled: int = 0


class Replayed(Struct, frozen=True):
    """All requests that count, and the minutes in which some would have been throttled."""

    requests: int
    throttled: int
    minutes: tuple[ThrottledMinute, ...]
    minutes_omitted: int


class TwinFound(Struct, frozen=True):
    """When requests would have been throttled, and what AWS would have charged in that time."""

    replayed: Replayed
    bills: tuple[Bill, ...] = ()


class _Bucket:
    __slots__ = ("at", "capacity", "level", "minute", "rate")

    def __init__(self, rate: float, at: int) -> None:
        self.rate, self.capacity, self.at = rate, capacity_of(rate), at
        self.level = self.capacity
        self.minute: ThrottledMinute | None = None

    def takes(self, cost: float, at: int) -> bool:
        """Return whether a request is let in; one that costs more than there is leaves a debt."""
        if at > self.at:
            self.level = min(self.capacity, self.level + (at - self.at) * self.rate)
            self.at = at
        if self.level < min(cost, self.capacity / 2):
            return False
        self.level -= cost
        return True


class Twin:
    """Quotas of a profile, to which requests come one after the other, in the order of time."""

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._regions: dict[str, Profile] = {}
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._requests = self._throttled = self._omitted = 0
        self._minutes: list[ThrottledMinute] = []

    def take(self, request: ReplayedRequest) -> None:
        """Count a request; one that is throttled takes nothing from any bucket."""
        charges = self._charges(request)
        if not charges:
            return
        self._requests += 1
        taken: list[tuple[_Bucket, Charge]] = []
        for charge in charges:
            bucket = self._bucket(request, charge)
            minute = self._minute(bucket, request, charge)
            minute.requests += 1
            if not bucket.takes(charge.cost, request.at):
                for earlier, earlier_charge in taken:
                    earlier.level += earlier_charge.cost
                minute.throttled += 1
                self._throttled += 1
                if minute.throttled == 1:
                    self._note(minute)
                return
            taken.append((bucket, charge))

    def replayed(self) -> Replayed:
        """Return the minutes in which requests were throttled, and the sums."""
        minutes = sorted(
            self._minutes, key=lambda one: (one.minute, one.account_id, one.region, one.group)
        )
        return Replayed(self._requests, self._throttled, tuple(minutes), self._omitted)

    def _charges(self, request: ReplayedRequest) -> Sequence[Charge]:
        profile = self._regions.get(request.region)
        if profile is None:
            profile = self._regions[request.region] = profile_named(self._profile, request.region)
        found: dict[str, Charge] = {}
        for spec in request.specs or ("",):
            for charge in profile.charges(request, spec):
                if self._profile != AWS or charge.group.key not in _OURS:
                    found[charge.group.key] = charge
        return tuple(found.values())

    def _bucket(self, request: ReplayedRequest, charge: Charge) -> _Bucket:
        name = (request.account_id, request.region, charge.group.key)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(charge.group.rate, request.at)
        return bucket

    def _minute(self, bucket: _Bucket, request: ReplayedRequest, charge: Charge) -> ThrottledMinute:
        at = max(request.at, bucket.at) // MINUTE_SECONDS * MINUTE_SECONDS
        minute = bucket.minute
        if minute is None or minute.minute != at:
            minute = bucket.minute = ThrottledMinute(
                at, request.account_id, request.region, charge.group.key
            )
        return minute

    def _note(self, minute: ThrottledMinute) -> None:
        if len(self._minutes) < MINUTES_MAX:
            self._minutes.append(minute)
        else:
            self._omitted += 1
