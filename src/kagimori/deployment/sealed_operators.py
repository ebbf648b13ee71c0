"""Sealed domains brought up to date, and the operators' account as it is sealed with them.

The store names the account as well, for people and for commands without a server; a worker can
write the store, so that a server believes the HSM alone.
"""

import time

from msgspec.structs import replace

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout
from kagimori.deployment.integrity import (
    Standing,
    arm,
    integrity_key,
    settle_standing,
    standing_of,
)
from kagimori.deployment.opened import Opened, opened
from kagimori.entities.tables import DOMAINS
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.logs import Log
from kagimori.ports import Put, StoreConflict
from kagimori.rules.keys.domains import ALL, Domains, succeeded
from kagimori.rules.records.service_event import domains_sealed_anew
from kagimori_boundary.commands import CreateDomains
from kagimori_boundary.replies import SealedDomains
from kagimori_boundary.seals import seals_in


def with_sealed_operators(
    layout: Layout, facts: Facts, hsm: HsmProcess, *, accepts_rollback: bool = False
) -> Facts:
    """Return the facts with the operators' account that the HSM, which is open, has sealed.

    Domains that an earlier version sealed are sealed anew now: under a root key, in a seal of the
    seal key; and with the operators' account as the store names it, if none was sealed. Domains
    without a secret for the integrity of the store get one, and its rows are marked.

    Raises:
        HsmRefused: it was not sealed.
        Unusable: the store cannot be written.
    """
    known = hsm.operator_account_id
    if known and known != facts.operator_account_id:
        why = "the store names other operators than the HSM has sealed; the HSM is believed"
        Log().error("trouble", part="operators", why=why)
    if known:
        facts = replace(facts, operator_account_id=known)
    has_key = bool(integrity_key(hsm.ask))
    if known and has_key and seals_in(facts.sealed_domains):
        return facts
    sealed = hsm.ask(CreateDomains([], facts.operator_account_id))
    if not isinstance(sealed, SealedDomains):
        raise HsmRefused("the HSM answered something else")
    record = domains_sealed_anew(
        event_id=new_uuid(),
        now=round(time.time(), 3),
        account_id=facts.operator_account_id,
        region=facts.home_region,
        seals=[seal.kind for seal in seals_in(sealed.sealed_domains)],
    )
    try:
        with opened(layout.data) as deployment:
            before = _unchanged(deployment, facts)
            after = succeeded(before, sealed.sealed_domains, sealed.keys)
            arm(deployment.store, layout, hsm.ask)
            # The rows of an earlier version are marked with the record of the key, and never again.
            standing = standing_of(
                deployment.store,
                layout,
                had_witness=True,
                accepts_rollback=accepts_rollback,
                is_first=not has_key,
            )
            put = Put(DOMAINS, after, before)
            deployment.store.commit((put,), record, marks=standing.missing)
            settle_standing(deployment.store, facts, Standing((), standing.accepted))
    except StoreConflict:
        raise HsmRefused("the sealed domains were changed meanwhile: start again") from None
    return replace(facts, sealed_domains=sealed.sealed_domains)


def _unchanged(deployment: Opened, facts: Facts) -> Domains:
    """Return the domains that the facts were read from.

    Raises:
        StoreConflict: they were changed meanwhile.
    """
    found: Domains | None = deployment.store.one(DOMAINS, (ALL,))
    if found is None or found.sealed != facts.sealed_domains:
        raise StoreConflict("domains")
    return found
