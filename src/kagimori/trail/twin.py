"""The recorded requests of a time, replayed through the quotas of a profile, and their price."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from kagimori.rules.metering.request_kinds import RequestKind, kind_of
from kagimori.rules.metering.twin import ReplayedRequest, Twin, TwinFound, TwinQuery
from kagimori.rules.metering.usage import periods_between
from kagimori.rules.records.entry import Entry
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.times import epoch_of
from kagimori.trail.meter_reader import MeterReader, owner_and_id
from kagimori.trail.search import matching

Specs = Mapping[tuple[str, str], str]


def replay_requests(audit: Path, query: TwinQuery) -> TwinFound:
    """Return when a time's requests would have been throttled, and what they would have cost.

    Raises:
        Unusable: there is no meter (yet), or it cannot be read.
        OSError: a journal cannot be read.
    """
    with contextlib.closing(MeterReader(audit)) as meter:
        twin, specs = Twin(query.profile), meter.specs()
        wanted = RecordFilter(since=query.since, until=query.until)
        for _, entry, _ in matching(audit, wanted):
            kind = kind_of(entry)
            if kind is None or not kind.account_id:
                continue
            if query.account_id in (None, kind.account_id):
                twin.take(_request(entry, kind, specs))
        bills = [
            bill
            for period in periods_between(query.since, query.until)
            for bill in meter.bills(query.account_id, period)
        ]
    return TwinFound(twin.replayed(), tuple(bills))


def _request(entry: Entry, kind: RequestKind, specs: Specs) -> ReplayedRequest:
    arns = [arn for arn in (kind.key_arn, kind.other_key_arn) if arn]
    of_keys = dict.fromkeys(specs.get(owner_and_id(arn), "") for arn in arns)
    return ReplayedRequest(
        at=epoch_of(entry.event_time),
        account_id=kind.account_id,
        service=kind.service,
        region=kind.region,
        name=kind.operation,
        read_only=entry.read_only,
        specs=(kind.pair_spec,) if kind.pair_spec else tuple(of_keys),
    )
