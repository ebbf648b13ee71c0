"""Counts each request against the quotas of its caller's account, and refuses what is too much.

A request counts once, however often it is decided, and only with a caller: nobody can use up an
account's quota without its credentials. Roles share as one principal, whatever their sessions are
called. Memory is bounded: buckets by what the deployment has, principals by the cells of a bucket.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, Protocol

from kagimori.gate.asked import Need
from kagimori.rules.quotas.fair_bucket import CELLS, Cells, Counts, FairBucket
from kagimori.rules.quotas.group import Charge, Group
from kagimori.rules.quotas.profile import OFF, SPEC_MEMBERS, Profile, profile_named
from kagimori.rules.quotas.refusals import throttled
from kagimori.rules.records.progress import Progress

BUCKETS_MAX: Final = 16_384
REMEMBERED_MAX: Final = 16_384
# The account of all those for which there is no bucket of their own any more.
_OTHERS: Final = "others"

# Account, region, service, operation, and the specs of the keys.
_Kind = tuple[str, str, str, str, str]


class AllCounts(Protocol):
    """The counts that workers share, and a secret by which cells are chosen."""

    @property
    def seed(self) -> bytes:
        """Return the secret, the same in all workers."""

    @property
    def workers(self) -> int:
        """Return how many share."""

    def of(self, name: str) -> tuple[Counts, Sequence[Counts]] | None:
        """Return a bucket's counts, own and others'; None if there is no room for more."""


class Quotas:
    """The buckets of one worker. `throttled` counts refusals by group."""

    def __init__(
        self,
        profile: str,
        rates: Mapping[str, float] | None = None,
        shared: AllCounts | None = None,
    ) -> None:
        self._profile, self._rates, self._shared = profile, rates or {}, shared
        self._seed = b"" if shared is None else shared.seed
        self._regions: dict[str, Profile] = {}
        self._buckets: dict[tuple[str, str, str], FairBucket] = {}
        self._known: dict[_Kind, tuple[tuple[FairBucket, Charge], ...]] = {}
        self._cells: dict[str, Cells] = {}
        self.throttled: Counter[str] = Counter()

    def admit(self, progress: Progress, needs: Sequence[Need], now: float) -> None:
        """Count a request that has a caller, by the keys that it needs, unless it was.

        What was counted before its keys were known is counted again with them, in place of that.

        Raises:
            ThrottlingException: it is beyond a quota.
            TooManyRequestsException: likewise, of Service Quotas.
        """
        caller = progress.caller
        if caller is None:
            return
        specs, kms_key = "", needs[0].kms_key if needs else None
        if len(needs) > 1 or progress.name in SPEC_MEMBERS:
            specs = _specs_of(progress, needs)
        elif kms_key is not None:
            specs = kms_key.key_spec
        if progress.counted == specs:
            return
        principal = caller.principal
        account, arn = principal.account_id or principal.arn, caller.issuer_arn or principal.arn
        cells = self._cells.get(arn) or self._cells_of(arn)
        kind = (account, progress.region, progress.service, progress.name, specs)
        charged = self._known.get(kind) or self._find(kind, progress, now)
        if progress.counted is not None:
            earlier = (*kind[:-1], progress.counted)
            for bucket, charge in self._known.get(earlier, ()):
                bucket.give_back(cells, charge.cost)
        progress.counted = specs
        for place, (bucket, charge) in enumerate(charged):
            if not bucket.take(cells, charge.cost, now):
                for before, paid in charged[:place]:
                    before.give_back(cells, paid.cost)
                self.throttled[charge.group.key] += 1
                raise throttled(progress.service)

    def _find(
        self, kind: _Kind, progress: Progress, now: float
    ) -> tuple[tuple[FairBucket, Charge], ...]:
        """Return the buckets of a kind of request, and what it counts in each."""
        account, region, *_, specs = kind
        profile = self._regions.get(region)
        if profile is None:
            profile = self._regions[region] = profile_named(self._profile, region)
        charges = {
            charge.group.key: charge
            for spec in specs.split(" ")
            for charge in profile.charges(progress, spec)
        }
        found = tuple(
            (self._bucket(account, region, charge.group, now), charge)
            for charge in charges.values()
        )
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[kind] = found
        return found

    def _bucket(self, account: str, region: str, group: Group, now: float) -> FairBucket:
        name = (account, region, group.key)
        bucket = self._buckets.get(name)
        if bucket is not None:
            return bucket
        if len(self._buckets) >= BUCKETS_MAX and account != _OTHERS:
            self._drop_full(now)
            if len(self._buckets) >= BUCKETS_MAX:
                return self._bucket(_OTHERS, region, group, now)
        rate = self._rates.get(group.key, group.rate)
        counts = None if self._shared is None else self._shared.of("/".join(name))
        if counts is not None:
            bucket = FairBucket(rate, now, *counts)
        else:  # unknown to the other workers, it has its part of the rate
            bucket = FairBucket(rate / (1 if self._shared is None else self._shared.workers), now)
        self._buckets[name] = bucket
        return bucket

    def _drop_full(self, now: float) -> None:
        """Forget the buckets that are as new ones would be."""
        self._known.clear()
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if not bucket.is_full(now)
        }

    def _cells_of(self, arn: str) -> Cells:
        if len(self._cells) >= REMEMBERED_MAX:
            self._cells.clear()
        digest = blake2b(arn.encode("utf-8", "surrogatepass"), digest_size=2, key=self._seed)
        first, second = digest.digest()
        cells = self._cells[arn] = (first % CELLS, CELLS + second % CELLS)
        return cells


def quotas_of(
    profile: str, rates: Mapping[str, float], shared: AllCounts | None = None
) -> Quotas | None:
    """Return the quotas of a profile; None for the one that has none."""
    return None if profile == OFF else Quotas(profile, rates, shared)


def _specs_of(progress: Progress, needs: Sequence[Need]) -> str:
    """Return the specs of a request's keys, or of the one it wants, with spaces between them."""
    members = SPEC_MEMBERS.get(progress.name)
    if members is not None:
        given = None if progress.call is None else progress.call.input
        return next((spec for name in members if (spec := getattr(given, name, None))), "")
    specs = {need.kms_key.key_spec for need in needs if need.kms_key is not None}
    return " ".join(sorted(specs))
