"""Counts each request against the quotas of its caller's account, and refuses what is too much.

A request counts once, however often it is decided, and only with a caller: nobody can use up an
account's quota without its credentials. Roles share as one principal, whatever their sessions are
called. Memory is bounded: buckets by what the deployment has, principals by the cells of a bucket.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Protocol

from kagimori.entities.tables import ACCOUNT_QUOTAS
from kagimori.gate.asked import Need
from kagimori.ports import CountingView
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.quotas.account_quotas import AccountQuotas
from kagimori.rules.quotas.fair_bucket import CELLS, Cells, Counts, FairBucket
from kagimori.rules.quotas.group import Charge, Group
from kagimori.rules.quotas.open_groups import SIMULATIONS, size_of
from kagimori.rules.quotas.profile import OFF, SPEC_MEMBERS, Profile, profile_named
from kagimori.rules.quotas.refusals import throttled
from kagimori.rules.records.progress import Progress

BUCKETS_MAX: Final = 16_384
REMEMBERED_MAX: Final = 16_384
# The account of all those for which there is no bucket of their own any more.
_OTHERS: Final = "others"

# Operations that count by what they are given, and not by the key that they need.
_BY_MEMBERS: Final = frozenset((*SPEC_MEMBERS, *SIMULATIONS))

# Between the spec of a key and the custom key store that holds it.
_HELD_BY: Final = "@"

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

    def of(self, name: str) -> tuple[Counts, Sequence[Counts], Counts] | None:
        """Return a bucket's counts, own and others', and this node's share; None without room."""


class Quotas:
    """The buckets of one worker. `throttled` counts refusals by group."""

    def __init__(
        self,
        profile: str,
        rates: Mapping[str, float],
        view: CountingView,
        shared: AllCounts | None = None,
    ) -> None:
        self._profile, self._rates, self._view, self._shared = profile, rates, view, shared
        self._epoch = view.epoch
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
            Absent: the account's own numbers are not in memory yet; nothing is counted.
        """
        caller = progress.caller
        if caller is None:
            return
        specs, kms_key = "", needs[0].kms_key if needs else None
        if len(needs) > 1 or progress.name in _BY_MEMBERS:
            specs = _specs_of(progress, needs)
        elif kms_key is not None:
            specs = kms_key.key_spec if kms_key.custom_key_store_id is None else _spec_of(kms_key)
        if progress.counted == specs:
            return
        if self._epoch != self._view.epoch:  # numbers of accounts may have changed
            self._known.clear()
            self._epoch = self._view.epoch
        principal = caller.principal
        account, arn = principal.account_id or principal.arn, caller.issuer_arn or principal.arn
        cells = self._cells.get(arn) or self._cells_of(arn)
        kind = (account, progress.region, progress.service, progress.name, specs)
        charged = self._known.get(kind) or self._find(kind, progress, now)
        if progress.counted is not None:
            earlier = (*kind[:-1], progress.counted)
            self._give_back(self._known.get(earlier) or self._find(earlier, progress, now), cells)
        progress.counted = specs
        for place, (bucket, charge) in enumerate(charged):
            if not bucket.take(cells, charge.cost, now):
                self._give_back(charged[:place], cells)
                self.throttled[charge.group.key] += 1
                raise throttled(progress.service)

    @staticmethod
    def _give_back(charged: Iterable[tuple[FairBucket, Charge]], cells: Cells) -> None:
        for bucket, charge in charged:
            bucket.give_back(cells, charge.cost)

    def _find(
        self, kind: _Kind, progress: Progress, now: float
    ) -> tuple[tuple[FairBucket, Charge], ...]:
        """Return the buckets of a kind of request, and what it counts in each."""
        account, region, *_, specs = kind
        own = self._view.one(ACCOUNT_QUOTAS, (account, region))
        profile = self._regions.get(region)
        if profile is None:
            profile = self._regions[region] = profile_named(self._profile, region)
        charges: dict[tuple[str, str], Charge] = {}
        for text in specs.split(" "):
            spec, _, store = text.partition(_HELD_BY)
            for charge in profile.charges(progress, spec):
                charges[account, charge.group.key] = charge
            of_store = profile.store_charge(progress) if store else None
            if of_store is not None:
                charges[store, of_store.group.key] = of_store
        found = tuple(
            (
                self._bucket(owner, region, charge.group, own if owner == account else None, now),
                charge,
            )
            for (owner, _), charge in charges.items()
        )
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[kind] = found
        return found

    def _bucket(
        self, account: str, region: str, group: Group, own: AccountQuotas | None, now: float
    ) -> FairBucket:
        name = (account, region, group.key)
        rate = self._rates.get(group.key, group.rate)
        if own is not None:
            rate = own.rates.get(group.key, rate)
        bucket = self._buckets.get(name)
        if bucket is not None:
            bucket.set_rate(rate)
            return bucket
        if len(self._buckets) >= BUCKETS_MAX and account != _OTHERS:
            self._drop_full(now)
            if len(self._buckets) >= BUCKETS_MAX:
                return self._bucket(_OTHERS, region, group, None, now)
        counts = None if self._shared is None else self._shared.of("/".join(name))
        if counts is not None:
            mine, theirs, share = counts
            bucket = FairBucket(rate, now, mine, theirs, share=share)
        else:  # unknown to the other workers, it has its part of the rate
            workers = 1 if self._shared is None else self._shared.workers
            bucket = FairBucket(rate, now, part=1.0 / workers)
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
    profile: str,
    rates: Mapping[str, float],
    view: CountingView,
    shared: AllCounts | None = None,
) -> Quotas | None:
    """Return the quotas of a profile; None for the one that has none."""
    return None if profile == OFF else Quotas(profile, rates, view, shared)


def _specs_of(progress: Progress, needs: Sequence[Need]) -> str:
    """Return the specs of a request's keys, or of the one it wants, with spaces between them.

    A simulation has its size in place of them.
    """
    if progress.name in SIMULATIONS:
        return "" if progress.call is None else size_of(progress.call.input)
    members = SPEC_MEMBERS.get(progress.name)
    if members is not None:
        given = None if progress.call is None else progress.call.input
        return next((spec for name in members if (spec := getattr(given, name, None))), "")
    first, second = needs[0].kms_key, needs[-1].kms_key
    one = "" if first is None else first.key_spec
    other = one if second is None else second.key_spec
    if (first and first.custom_key_store_id) or (second and second.custom_key_store_id):
        one = "" if first is None else _spec_of(first)
        other = one if second is None else _spec_of(second)
    return one if one == other else f"{one} {other}"


def _spec_of(kms_key: KmsKey) -> str:
    """Return the spec of a key, with the custom key store that holds it, if one does."""
    if kms_key.custom_key_store_id is None:
        return kms_key.key_spec
    store = f"{kms_key.account_id}:{kms_key.custom_key_store_id}"
    return f"{kms_key.key_spec}{_HELD_BY}{store}"
