"""A new deployment: its folder, store, domains, audit key, and its operators' account."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from kagimori.deployment.accounts import NewAccount, check_account_id, plan_account
from kagimori.deployment.audit_key import new_audit_key
from kagimori.deployment.certificates import make_certificate_authority
from kagimori.deployment.facts import Facts, new_facts
from kagimori.deployment.folder import Layout, Unusable, make_folder, write_private
from kagimori.deployment.integrity import arm
from kagimori.deployment.opened import new_store
from kagimori.deployment.regions import check_regions
from kagimori.deployment.running import RootAccessKey
from kagimori.deployment.seal_problems import why_refused
from kagimori.deployment.trust_files import write_trust_files
from kagimori.entities.tables import DOMAINS
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.machinery.chance import new_account_id, new_uuid
from kagimori.machinery.store.admin import Change, StoreUnusable
from kagimori.ports import Put, StoreConflict
from kagimori.rules.keys.domains import Domains, first_domains
from kagimori.rules.records.service_event import deployment_created
from kagimori.settings import DEFAULT_PORT
from kagimori_boundary.commands import IDENTITY_DOMAIN, Command, CreateDomains, MakeFirstSeal
from kagimori_boundary.replies import Reply, SealedDomains
from kagimori_boundary.seal_replies import SealAdded

DEFAULT_REGION: Final = "us-east-1"
_TAKEN: Final = "the store already holds a deployment: add a node with `kagimori join`"


class FirstSeal(NamedTuple):
    """The first seal of a deployment, if it is not of a file; shares go to `on_shares`."""

    kind: str
    parameters: Mapping[str, str | int]
    secret: bytes
    on_shares: Callable[[list[str]], None]

    def __repr__(self) -> str:
        return f"FirstSeal({self.kind})"


def initialise(
    data: Path,
    *,
    account_id: str | None = None,
    regions: tuple[str, ...] = (DEFAULT_REGION,),
    unknown_regions: bool = False,
    tls_hosts: tuple[str, ...] | None = None,
    first_seal: FirstSeal | None = None,
    store: str | None = None,
) -> RootAccessKey:
    """Make a deployment: store, domains, and the root access key of its operators' account.

    `store` is the whole URL of its store, if that is not to be a file in the folder.

    Raises:
        Unusable: the folder, the store, an account id that is none, regions that cannot be
            served, or a first seal that cannot be made.
    """
    account_id = account_id or new_account_id()
    check_account_id(account_id)
    check_regions(regions, unknown=unknown_regions)
    return make_deployment(data, account_id, regions, tls_hosts, first_seal=first_seal, store=store)


def make_deployment(
    data: Path,
    account_id: str,
    regions: tuple[str, ...],
    tls_hosts: tuple[str, ...] | None = None,
    *,
    audit_key: bool = True,
    first_seal: FirstSeal | None = None,
    store: str | None = None,
) -> RootAccessKey:
    """Make a deployment with whatever regions; the first is its home.

    Without `first_seal`, its seal is of a new file. Without `audit_key`, the first server that
    signs digests makes one.

    Raises:
        Unusable: the folder, or the store.
    """
    layout = make_folder(data, with_seal_key=first_seal is None, store_url=store)
    try:
        with _new_hsm(layout) as ask:
            shares = [] if first_seal is None else _make_first(first_seal, ask)
            made = _fill(layout, account_id, regions, tls_hosts, ask, audit_key=audit_key)
    except StoreConflict:
        _clear(data)
        raise Unusable(f"cannot make a deployment in {data}: {_TAKEN}") from None
    except (OSError, StoreUnusable, HsmRefused, Unusable) as problem:
        _clear(data)
        raise Unusable(f"cannot make a deployment in {data}: {problem}") from None
    if first_seal is not None:
        first_seal.on_shares(shares)
    return made


def _make_first(first_seal: FirstSeal, ask: Callable[[Command], Reply]) -> list[str]:
    """Have the HSM make the first seal; return the shares of its root."""
    reply = ask(MakeFirstSeal(first_seal.kind, "", dict(first_seal.parameters), first_seal.secret))
    if not isinstance(reply, SealAdded):
        raise HsmRefused(why_refused(reply))
    return reply.shares


@contextmanager
def _new_hsm(layout: Layout) -> Iterator[Callable[[Command], Reply]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kagimori-"))
        hsm = HsmProcess(Path(folder) / "hsm.sock", layout.seal_keys)
        stack.callback(hsm.end)
        yield hsm.ask


def _fill(
    layout: Layout,
    account_id: str,
    regions: tuple[str, ...],
    tls_hosts: tuple[str, ...] | None,
    ask: Callable[[Command], Reply],
    *,
    audit_key: bool,
) -> RootAccessKey:
    now = round(time.time(), 3)
    sealed = ask(CreateDomains([IDENTITY_DOMAIN, *regions], account_id))
    if not isinstance(sealed, SealedDomains):
        raise HsmRefused("the HSM answered something else")
    facts = Facts(
        regions,
        _endpoint_url(tls_hosts),
        sealed.sealed_domains,
        tls=tls_hosts is not None,
        created_at=now,
        operator_account_id=account_id,
    )
    planned = plan_account(account_id, ask, now)
    domains = first_domains(sealed.sealed_domains, sealed.keys)
    changes = [_creation(facts, domains), planned.change(facts.home_region)]
    if audit_key:
        changes.append(new_audit_key(facts, ask, now))
    with new_store(layout) as store:
        if store.facts():
            raise Unusable(_TAKEN)
        arm(store, layout, ask)
        store.commit_together(changes, marks=store.standing())
    made = _root_access_key(layout, facts, planned, tls_hosts)
    write_private(layout.credentials, msgspec.json.encode(made))
    return made


def _creation(facts: Facts, domains: Domains) -> Change:
    record = deployment_created(
        event_id=new_uuid(),
        now=facts.created_at,
        account_id=facts.operator_account_id,
        regions=facts.regions,
    )
    return Change([*new_facts(facts), Put(DOMAINS, domains)], record)


def _endpoint_url(tls_hosts: tuple[str, ...] | None) -> str:
    if tls_hosts is None:
        return f"http://127.0.0.1:{DEFAULT_PORT}"
    return f"https://localhost:{DEFAULT_PORT}"


def _root_access_key(
    layout: Layout, facts: Facts, planned: NewAccount, tls_hosts: tuple[str, ...] | None
) -> RootAccessKey:
    ca_bundle = None
    if tls_hosts is not None:
        layout.tls.mkdir(mode=0o700)
        ca_bundle = str(make_certificate_authority(layout.tls, list(tls_hosts)).authority)
        write_trust_files(layout.tls)
    return RootAccessKey(
        planned.account.account_id,
        facts.home_region,
        facts.endpoint_url,
        planned.access_key.access_key_id,
        planned.secret_access_key,
        ca_bundle,
    )


def _clear(data: Path) -> None:
    """Remove a deployment whose creation failed; it held no key yet."""
    for made in data.iterdir():
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)
