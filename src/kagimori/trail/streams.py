"""The streams that a deployment knows: those its own workers and commands have written.

A folder beside them that nobody registered is not the service's: it is followed by nothing, signed
by nothing, and reported. A closed stream is one whose journal lost something: it stays as it is,
and its worker goes on in another.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, Final

from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import Opened
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.admin import ADMIN_STREAM, AdminStore
from kagimori.machinery.store.sqlite import Fact
from kagimori.ports import StoreConflict
from kagimori.rules.records.service_event import journal_event
from kagimori.trail.reader import stream_folders

FACT: Final = "streams"
SIGNS: Final = "signs"  # the fact that digests were made, from the first server on that makes some
ATTEMPTS_MAX: Final = 5
Streams = dict[str, bool]  # whether each is closed, by name


def known_streams(store: AdminStore) -> Streams | None:
    """Return the streams; None if none was ever registered.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    return _decode(store.facts().get(FACT))


def register_streams(deployment: Opened, workers: int, *, signs: bool) -> tuple[list[str], Streams]:
    """Return the names of the workers' streams, and all that are known now, these included.

    `signs`: this server makes digests, so that some must be there from now on.

    Raises:
        StoreUnusable, OSError: the store or the audit folder cannot be read or written.
        Unusable: others register all the time.
    """
    for _ in range(ATTEMPTS_MAX):
        facts = deployment.store.facts()
        before = facts.get(FACT)
        known = _decode(before)
        if known is None:  # of a version that registered none: what is there is what it wrote
            audit = deployment.layout.audit
            folders = stream_folders(audit) if audit.is_dir() else []
            known = {folder.name: False for folder in folders}
        names = [_open_name(f"w{number}", known) for number in range(workers)]
        registered = {**known}
        for name in (*names, ADMIN_STREAM):
            registered.setdefault(name, False)
        further = [Fact(SIGNS, "true")] if signs and SIGNS not in facts else []
        if registered == _decode(before) and not further:
            return names, registered
        new = sorted(set(registered) - set(_decode(before) or {}))
        details = {"streams": new, "signs": signs}
        if _keep(deployment, registered, before, "RegisterStreams", details, further=further):
            return names, registered
    raise Unusable("the streams cannot be registered: others do all the time")


def close_stream(deployment: Opened, stream: str, reason: str) -> None:
    """Note, and record, that nothing is added to a stream any more.

    Raises:
        StoreUnusable: the store cannot be written.
        Unusable: others register all the time.
    """
    for _ in range(ATTEMPTS_MAX):
        before = deployment.store.facts().get(FACT)
        closed = {**(_decode(before) or {}), stream: True}
        details = {"stream": stream, "reason": reason}
        if _keep(deployment, closed, before, "AcceptJournalLoss", details):
            return
    raise Unusable(f"{stream} cannot be closed: others register all the time")


def _open_name(name: str, known: Streams) -> str:
    number, wanted = 1, name
    while known.get(wanted):
        number += 1
        wanted = f"{name}-{number}"
    return wanted


def _keep(
    deployment: Opened,
    streams: Streams,
    before: str | None,
    event: str,
    details: dict[str, Any],
    *,
    further: Sequence[Fact] = (),
) -> bool:
    """Keep the streams and record why; return whether they were still as they were before."""
    record = journal_event(
        event_id=new_uuid(),
        now=round(time.time(), 3),
        name=event,
        region=deployment.facts.home_region,
        details=details,
        account_id=deployment.facts.operator_account_id,
    )
    try:
        deployment.store.commit([Fact(FACT, json.dumps(streams), before), *further], record)
    except StoreConflict:
        return False
    return True


def _decode(value: str | None) -> Streams | None:
    if value is None:
        return None
    return {str(name): bool(closed) for name, closed in json.loads(value).items()}
