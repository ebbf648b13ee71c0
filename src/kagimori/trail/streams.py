"""The streams that a deployment knows: those its own workers and commands have written.

A folder beside them that nobody registered is not the service's: it is followed by nothing, signed
by nothing, and reported. A closed stream is one whose journal lost something: it stays as it is,
and its worker goes on in another. So do the streams of a version without node ids, whose names
stand in signed digests: they are known for good, and a node goes on in streams of its own.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.deployment.node import node_id
from kagimori.deployment.nodes import membership
from kagimori.deployment.opened import Opened
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.admin import AdminStore, Change
from kagimori.machinery.store.database import Fact
from kagimori.ports import StoreConflict, Write
from kagimori.rules.chain.stream_names import admin_stream, worker_stream
from kagimori.rules.records.service_event import ServiceRecord, journal_event
from kagimori.trail.carry_over import settle_ends, streams_to_close
from kagimori.trail.reader import stream_folders
from kagimori.trail.recovery import CUT_EVENT, cut_details

FACT: Final = "streams"
SIGNS: Final = "signs"  # the fact that digests were made, from the first server on that makes some
ATTEMPTS_MAX: Final = 5
Streams = dict[str, bool]  # whether each is closed, by name


class Registered(Struct, frozen=True):
    """This node's id, its workers' streams by worker, and all streams that are known now."""

    node: str
    workers: Mapping[str, str]
    known: Streams


def known_streams(store: AdminStore) -> Streams | None:
    """Return the streams; None if none was ever registered.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    return _decode(store.facts().get(FACT))


def register_node(deployment: Opened, workers: int, *, signs: bool) -> Registered:
    """Register this node: its streams, and that it does what time asks for.

    A store in the folder is this folder's alone, whose lock we hold. So what another node had (this
    folder before it had an id, or before it was restored without one) is carried over to this one.
    Of a store that nodes share, the others keep what is theirs.
    `signs`: this server makes digests, so that some must be there from now on.

    Raises:
        StoreUnusable, OSError: the store or the audit folder cannot be read or written.
        Unusable: others register all the time, the node's id is none, or a stream lacks something
            that was acknowledged.
    """
    node = node_id(deployment.layout)
    shared = deployment.layout.is_shared
    if not shared:
        deployment.store.adopt_denials(node)
    for _ in range(ATTEMPTS_MAX):
        facts = deployment.store.facts()
        before = _decode(facts.get(FACT))
        known = _known_or_found(deployment, before)
        # A restored store may have records on their way to streams that were never registered.
        on_the_way = dict.fromkeys(deployment.store.outbox_streams(), False)
        leaving = [] if shared else streams_to_close(on_the_way | known, node)
        names = [f"w{number}" for number in range(workers)]
        own = {name: _open_name(worker_stream(node, name), known) for name in names}
        registered = known | dict.fromkeys(leaving, True)
        for name in (*own.values(), admin_stream(node)):
            registered.setdefault(name, False)
        further: list[Fact | Write] = [
            *_signing(facts, signs=signs),
            *membership(deployment.store, node, alone=not shared),
        ]
        if registered == before and not further:
            return Registered(node, own, registered)
        details = {
            "node": node,
            "streams": sorted(set(registered) - set(before or {})),
            "closed": sorted(leaving),
            "signs": signs,
        }
        records = [_record(deployment, "RegisterStreams", details)]
        records += [
            _record(deployment, CUT_EVENT, cut_details(cut))
            for cut in settle_ends(deployment, leaving)
        ]
        if _keep(deployment, registered, facts.get(FACT), records, further=further):
            return Registered(node, own, registered)
    raise Unusable("the streams cannot be registered: others do all the time")


def registered_as_found(deployment: Opened) -> list[Fact]:
    """Return the fact by which streams are known that a restored trail brought, if there are any.

    Raises:
        StoreUnusable, OSError: the store or the audit folder cannot be read.
    """
    before = deployment.store.facts().get(FACT)
    known, audit = _decode(before), deployment.layout.audit
    if known is None or not audit.is_dir():
        return []
    found = [folder.name for folder in stream_folders(audit) if any(folder.glob("*.jsonl"))]
    registered = dict.fromkeys(found, False) | known
    return [] if registered == known else [Fact(FACT, json.dumps(registered), before)]


def close_stream(deployment: Opened, stream: str, reason: str) -> None:
    """Note, and record, that nothing is added to a stream any more.

    Raises:
        StoreUnusable, OSError: the store or the audit folder cannot be read or written.
        Unusable: others register all the time.
    """
    for _ in range(ATTEMPTS_MAX):
        before = deployment.store.facts().get(FACT)
        closed = {**_known_or_found(deployment, _decode(before)), stream: True}
        record = _record(deployment, "AcceptJournalLoss", {"stream": stream, "reason": reason})
        if _keep(deployment, closed, before, [record]):
            return
    raise Unusable(f"{stream} cannot be closed: others register all the time")


def _known_or_found(deployment: Opened, known: Streams | None) -> Streams:
    """Return the streams; where a version registered none, those that it wrote."""
    if known is not None:
        return known
    audit = deployment.layout.audit
    folders = stream_folders(audit) if audit.is_dir() else []
    return {folder.name: False for folder in folders}


def _open_name(name: str, known: Streams) -> str:
    number, wanted = 1, name
    while known.get(wanted):
        number += 1
        wanted = f"{name}-{number}"
    return wanted


def _signing(facts: Mapping[str, Any], *, signs: bool) -> list[Fact]:
    return [Fact(SIGNS, "true")] if signs and SIGNS not in facts else []


def _record(deployment: Opened, event: str, details: dict[str, Any]) -> ServiceRecord:
    return journal_event(
        event_id=new_uuid(),
        now=round(time.time(), 3),
        name=event,
        region=deployment.facts.home_region,
        details=details,
        account_id=deployment.facts.operator_account_id,
    )


def _keep(
    deployment: Opened,
    streams: Streams,
    before: str | None,
    records: Sequence[ServiceRecord],
    *,
    further: Sequence[Fact | Write] = (),
) -> bool:
    """Keep the streams, and records of why; return whether they were still as before."""
    facts = [Fact(FACT, json.dumps(streams), before), *further]
    first, *others = records
    changes = [Change(facts, first), *(Change((), record) for record in others)]
    try:
        deployment.store.commit_together(changes)
    except StoreConflict:
        return False
    return True


def _decode(value: str | None) -> Streams | None:
    if value is None:
        return None
    return {str(name): bool(closed) for name, closed in json.loads(value).items()}
