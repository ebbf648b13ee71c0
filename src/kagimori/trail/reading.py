"""Reading the audit trail from outside: searched, followed, and asked whether a key was used."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.folder import Unusable
from kagimori.rules.chain.unused import Proof, Tally, plan
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.times import epoch_of
from kagimori.trail.reader import stream_folders
from kagimori.trail.search import Found, RecordsGone, matching, stretch
from kagimori.trail.tail import Lines, StreamTail, TrailBroken, place_at_end
from kagimori.trail.verification import audit_folder, demands_of, verify

FOLLOW_SECONDS: Final = 0.25


def records(data: Path, **wanted: Any) -> Iterator[bytes]:
    """Yield matching records (JSON), oldest first; `wanted` are the members of a RecordFilter.

    Raises:
        Unusable: it cannot be read.
    """
    for _, _, record in search(data, RecordFilter(**wanted)):
        yield record


def coming_records(data: Path, **wanted: Any) -> Iterator[bytes]:
    """Return an iterator, without end, over matching records (JSON) that come from now on.

    Raises:
        Unusable: it cannot be read, or is not intact; also from the iterator.
    """
    return (record for _, _, record in follow(data, RecordFilter(**wanted)))


def search(data: Path, wanted: RecordFilter, newest: int | None = None) -> Iterator[Found]:
    """Yield matching records, oldest first; of those the newest so many, if that is given.

    Raises:
        Unusable: it cannot be read.
    """
    try:
        found = matching(audit_folder(data), wanted)
        yield from found if newest is None else deque(found, maxlen=newest)
    except OSError as problem:
        raise Unusable(_why(problem)) from None


def follow(data: Path, wanted: RecordFilter) -> Iterator[Found]:
    """Return an iterator, without end, over matching records that come from now on.

    Raises:
        Unusable: it cannot be read, or is not intact; also from the iterator.
    """
    audit = audit_folder(data)
    try:
        tails = {
            folder.name: StreamTail(folder, place_at_end(folder))
            for folder in stream_folders(audit)
        }
    except (TrailBroken, OSError) as problem:
        raise Unusable(_why(problem)) from None
    return _follow(audit, tails, wanted)


def _follow(audit: Path, tails: dict[str, StreamTail], wanted: RecordFilter) -> Iterator[Found]:
    while True:
        found: list[Found] = []
        try:
            for folder in stream_folders(audit):
                tail = tails.setdefault(folder.name, StreamTail(folder))
                for lines in tail.read():
                    found += _wanted_of(lines, wanted)
        except (TrailBroken, OSError) as problem:
            raise Unusable(_why(problem)) from None
        yield from sorted(found, key=lambda one: one[0])
        time.sleep(FOLLOW_SECONDS)


def _wanted_of(lines: Lines, wanted: RecordFilter) -> Iterator[Found]:
    for _, _, record in lines.records():
        entry = wanted.entry_in(record)
        if entry is not None:
            yield entry.event_time, entry, record


def _why(problem: TrailBroken | OSError) -> str:
    if isinstance(problem, TrailBroken):
        return f"the trail is not intact; see `kagimori audit verify`: {problem}"
    return f"{problem.filename} cannot be read: {problem.strerror}"


def prove_unused(
    data: Path,
    key: str,
    since: float,
    until: float | None = None,
    *,
    checkpoints: Path | None = None,
    public_key: Path | None = None,
    served: bool | None = None,
) -> Proof:
    """Return whether a key was used with success from `since` to before `until`.

    Without `until`, to the newest digest: of what came later nothing can be proven yet, since the
    chain alone holds it. The whole trail is verified first: of one that is not intact nothing
    follows, and neither of one that nobody signed.

    Raises:
        Unusable: it cannot be read.
    """
    held = verify(data, checkpoints=checkpoints, public_key=public_key, served=served)
    if not held.intact:
        kind = held.findings[0].kind
        return Proof(None, f"the trail is not intact ({kind}); see `audit verify`")
    if held.newest_digest_time is None:
        return Proof(None, "no digest signs this trail: anybody who can write it could replace it")
    signed_until = epoch_of(held.newest_digest_time)
    end = signed_until if until is None else until
    audit = audit_folder(data)
    digests = demands_of(audit, checkpoints, public_key).digests
    planned = plan(
        [signed.digest for signed in digests],
        [folder.name for folder in stream_folders(audit)],
        key,
        since,
        end,
    )
    tally = Tally({name: list(pair) for name, pair in planned.tally.counts.items()})
    wanted = RecordFilter(key=key, since=since, until=end)
    read = 0

    def proof(why: str, *, unused: bool | None) -> Proof:
        relied_on = planned.digests_relied_on
        return Proof(unused, why, end, tally.counts, relied_on, read, held.notes)

    try:
        for part in planned.stretches:
            for _, entry, _ in stretch(audit / part.stream, part.after, part.to, wanted):
                read += 1
                tally.add(entry.event_name, 1, int(entry.error_code is not None))
    except RecordsGone as gone:
        return proof(str(gone), unused=None)
    except OSError as problem:
        raise Unusable(_why(problem)) from None
    if tally.uses:
        return proof(f"used {tally.uses} times", unused=False)
    if end > signed_until:
        until_then = f"no record of a use, but nothing after {held.newest_digest_time} is signed"
        return proof(f"{until_then}: ask up to then, or after the next digest", unused=None)
    return proof("no record of a use, in an intact trail that is signed until then", unused=True)
