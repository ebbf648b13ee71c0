"""The integrity of a store, seen from a deployment: its key, its first marks, and its standing.

Commands that change what decides have an HSM, and so the key. A server looks at the standing of its
store before it answers: an older store, or one that lost its marks, is not served unless its
operator accepts that, which is recorded.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.admin import AdminStore, Change, StoreUnusable
from kagimori.machinery.store.witness import remove_witness
from kagimori.rules.chain.stream_names import admin_stream, worker_stream
from kagimori.rules.records.service_event import ServiceRecord, journal_event
from kagimori_boundary.commands import Command, DeriveIntegrityKey
from kagimori_boundary.replies import Bytes, Reply

MARKED_EVENT: Final = "MarkStoreRows"
ACCEPTED_EVENT: Final = "AcceptStoreRollback"
_ADVICE: Final = "what to do stands in docs/do/when-the-store-was-altered.md"
Ask = Callable[[Command], Reply]


def integrity_key(ask: Ask) -> bytes:
    """Return the key that authenticates rows; no bytes for a deployment that has none yet.

    Raises:
        HsmRefused: the HSM does not give it.
    """
    reply = ask(DeriveIntegrityKey())
    if not isinstance(reply, Bytes):
        raise HsmRefused("the HSM answered something else")
    return reply.value


def arm(store: AdminStore, layout: Layout, ask: Ask) -> bool:
    """Have a store check what it reads and mark what it writes; return whether there is a key.

    Raises:
        HsmRefused: the HSM does not give the key.
        StoreUnusable: the witness cannot be used.
    """
    key = integrity_key(ask)
    if key:
        store.arm(key, layout.witness)
    return bool(key)


class Standing(Struct, frozen=True):
    """How a server may go on with a store: spaces to mark, and why it had to be believed."""

    missing: Sequence[str]
    accepted: str | None = None


def standing_of(
    store: AdminStore,
    layout: Layout,
    *,
    had_witness: bool,
    accepts_rollback: bool,
    is_first: bool = False,
) -> Standing:
    """Return the standing of an armed store; `is_first`: it is to get its first marks.

    With `accepts_rollback`, a store that is older than it was is believed as it is.

    Raises:
        Unusable: it is older, lost its marks, or a fact of it was changed.
    """
    try:
        return Standing(_missing(store, layout, had_witness=had_witness, is_first=is_first))
    except (StoreUnusable, Unusable) as problem:
        why = str(problem)
        if not accepts_rollback:
            raise Unusable(f"{why}; {_ADVICE}") from None
    remove_witness(layout.witness)
    try:
        missing = store.forget_witness(layout.witness)
    except StoreUnusable as problem:
        raise Unusable(f"{problem}, and that cannot be accepted; {_ADVICE}") from None
    if store.is_unmarked(missing) and not is_first:
        raise Unusable(f"{why}, and that cannot be accepted; {_ADVICE}")
    return Standing(missing, why)


def settle_standing(store: AdminStore, facts: Facts, standing: Standing) -> None:
    """Mark new rows, with a record; record also that an older store was accepted.

    Raises:
        StoreUnusable: the store cannot be written.
    """
    changes = []
    if standing.missing:
        changes.append(Change((), _record(facts, MARKED_EVENT, {"spaces": standing.missing})))
    if standing.accepted is not None:
        details = {"reason": standing.accepted}
        changes.append(Change((), _record(facts, ACCEPTED_EVENT, details)))
    if changes:
        store.commit_together(changes, marks=standing.missing)


def _missing(store: AdminStore, layout: Layout, *, had_witness: bool, is_first: bool) -> list[str]:
    """Return the spaces that a newer version has brought.

    Raises:
        StoreUnusable, Unusable: the store does not stand as it should.
    """
    missing = store.standing()
    if is_first:
        return missing
    if store.is_unmarked(missing):
        raise Unusable("the rows of the store have lost their marks")
    if not had_witness and _has_written(layout):
        raise Unusable(
            f"{layout.witness} is missing: nothing shows that the store is as new as it was"
        )
    return missing


def _has_written(layout: Layout) -> bool:
    """Return whether this node has journals: then it had a witness as well."""
    try:
        node = layout.node_id.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return False
    names = (admin_stream(node), worker_stream(node, "w0"))
    return any(
        any(file.stat().st_size for file in (layout.audit / name).glob("*.jsonl")) for name in names
    )


def _record(facts: Facts, name: str, details: dict[str, Any]) -> ServiceRecord:
    return journal_event(
        event_id=new_uuid(),
        now=round(time.time(), 3),
        name=name,
        region=facts.home_region,
        details=details,
        account_id=facts.operator_account_id,
    )
