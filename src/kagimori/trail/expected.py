"""Expectations of a trail by the deployment beside it: its key, its digests, its streams.

Whoever removes the key together with all digests leaves a trail that nothing signed, as if nothing
ever had. The store and the synced marks know better.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from kagimori.deployment.audit_key import AuditKey, stored_audit_key
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.node import node_id
from kagimori.deployment.opened import new_store
from kagimori.entities.node_tables import SHARED_TO
from kagimori.machinery.store.admin import AdminStore, StoreUnusable
from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.chain import Link
from kagimori.rules.chain.digest_chain import PLACE
from kagimori.rules.chain.findings import Finding, StreamReport
from kagimori.rules.chain.stream_names import is_admin_stream, node_of
from kagimori.trail.mark import MARKS, read_mark
from kagimori.trail.streams import SIGNS, Streams, known_streams


class Expected(Struct, frozen=True):
    """Facts that a deployment has about its trail; `marks` are the newest synced records."""

    key: AuditKey | None  # none if no server has made digests yet
    streams: Streams | None
    marks: Mapping[str, Link]
    unshared: frozenset[str] = frozenset()  # streams of other nodes of which nothing was shared


def expected_of(audit: Path) -> Expected | None:
    """Return the expectations of the deployment around an audit folder; None for a copy without.

    Raises:
        Unusable: its store cannot be read.
    """
    layout = Layout(audit.parent)
    if not layout.is_deployment:
        return None
    try:
        with new_store(layout, read_only=True) as store:
            key, streams = stored_audit_key(store), known_streams(store)
            if SIGNS not in store.facts():
                key = None
            unshared = _unshared(layout, store, streams or {}) if layout.is_shared else frozenset()
    except StoreUnusable as reason:
        raise Unusable(str(reason)) from None
    folder = layout.data / MARKS
    marks = {file.name: read_mark(file) for file in folder.iterdir()} if folder.is_dir() else {}
    found = {stream: mark for stream, mark in marks.items() if mark is not None and mark.sequence}
    return Expected(key, streams, found, unshared)


def _unshared(layout: Layout, store: AdminStore, streams: Streams) -> frozenset[str]:
    shared = {one.stream for one in store.page(SHARED_TO, (), None, None)}
    own = node_id(layout)
    return frozenset(name for name in streams if node_of(name) not in (None, own)) - shared


def missing(
    expected: Expected | None,
    reports: Sequence[StreamReport],
    *,
    fingerprint: str | None,
    is_signed: bool,
) -> list[Finding]:
    """Return findings of missing things; `fingerprint` is that of the key that was used."""
    if expected is None:
        if is_signed or fingerprint is not None:
            return []
        text = (
            "neither digests nor a public key are here, and no store beside them says whether any "
            "should be: the chain alone holds these records, and anybody who wrote them could have "
            "made another"
        )
        return [Finding(kinds.MISSING, text, PLACE)]
    return [
        *_missing_key(expected, fingerprint, is_signed=is_signed),
        *_strangers(expected, reports),
        *_missing_streams(expected, reports),
    ]


def _missing_key(expected: Expected, fingerprint: str | None, *, is_signed: bool) -> list[Finding]:
    key = expected.key
    if key is None:
        return []
    if fingerprint is None and not is_signed:
        text = (
            f"the public key and all digests are gone; the store has the audit key "
            f"{key.fingerprint}, so there were some"
        )
        return [Finding(kinds.MISSING, text, PLACE)]
    if fingerprint is not None and fingerprint != key.fingerprint:
        text = f"the public key {fingerprint} is not the deployment's, which is {key.fingerprint}"
        return [Finding(kinds.FOREIGN_KEY, text, PLACE)]
    return []


def _strangers(expected: Expected, reports: Sequence[StreamReport]) -> list[Finding]:
    if expected.streams is None:
        return []
    text = "no stream of this deployment: somebody put it here, and no digest signs it"
    return [
        Finding(kinds.UNKNOWN_STREAM, text, report.stream)
        for report in reports
        if report.stream not in expected.streams
    ]


def _missing_streams(expected: Expected, reports: Sequence[StreamReport]) -> list[Finding]:
    newest = {report.stream: report.newest.sequence for report in reports}
    found = []
    for stream, mark in sorted(expected.marks.items()):
        if newest.get(stream, 0) < mark.sequence:
            text = (
                f"the journal ends with record {newest.get(stream, 0)}, but record "
                f"{mark.sequence} was acknowledged"
            )
            found.append(Finding(kinds.CUT_TAIL, text, stream))
    for stream in sorted(set(expected.streams or ()) - expected.unshared):
        if stream not in newest and stream not in expected.marks and not is_admin_stream(stream):
            text = "the deployment has registered this stream, and there is nothing of it"
            found.append(Finding(kinds.MISSING, text, stream))
    return found
