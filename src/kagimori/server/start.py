"""The parts put together: what `kagimori init`, `serve` and `dev` do. Alone knows them all."""

import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from cryptography.x509 import load_pem_x509_certificates
from msgspec import Struct

from kagimori.deployment import accounts
from kagimori.deployment import denials as denied
from kagimori.deployment import service_keys as service_principals
from kagimori.deployment.accounts import RootAccessKey, check_account_id, plan_account
from kagimori.deployment.folder import (
    Facts,
    Layout,
    Unusable,
    check_exists,
    is_locked,
    lock,
    make_folder,
    read_facts,
    store_facts,
    write_private,
)
from kagimori.deployment.regions import check_regions
from kagimori.dev.seed import BadSeed, planted, read_seed
from kagimori.entities.tables import ACCESS_KEYS, ACCOUNTS
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.http.tls import make_certificate_authority, server_context
from kagimori.machinery.chance import new_account_id
from kagimori.machinery.key_sets import read_key_set
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.sqlite import open_database
from kagimori.ports import Table
from kagimori.rules.partitions import is_known, known_regions
from kagimori.server.listeners import listener_at, url_of
from kagimori.server.supervisor import ServeOptions, Supervisor
from kagimori.server.worker_config import WebIdentityKeys
from kagimori.trail import policy_replay
from kagimori.trail import reading as audit_reading
from kagimori.trail import verification as audit_trail
from kagimori.trail.auditor import AuditOptions
from kagimori_boundary.commands import IDENTITY_DOMAIN, CreateDomains
from kagimori_boundary.replies import SealedDomains

__all__ = [
    "DEFAULT_LISTEN",
    "DEFAULT_REGION",
    "DEV_ACCOUNT",
    "RootAccessKey",
    "Unusable",
    "WebIdentityOptions",
    "audit_reading",
    "audit_trail",
    "create_account",
    "denied",
    "initialise",
    "policy_replay",
    "root_access_key",
    "running_server",
    "serve",
    "serve_dev",
    "service_principals",
]

DEFAULT_REGION: Final = "us-east-1"
DEFAULT_LISTEN: Final = "127.0.0.1:8567"
SOCKET_PATH_BYTES_MAX: Final = 100
DEV_ACCOUNT: Final = "000000000000"


class WebIdentityOptions(Struct, frozen=True):
    """Whose web identity tokens can be checked: `files` are `ISSUER=FILE` texts."""

    files: tuple[str, ...] = ()
    fetch: bool = False


def initialise(
    data: Path,
    *,
    account_id: str | None = None,
    regions: tuple[str, ...] = (DEFAULT_REGION,),
    unknown_regions: bool = False,
    tls_hosts: tuple[str, ...] | None = None,
) -> RootAccessKey:
    """Make a deployment: store, domains, and the account's root access key.

    Raises:
        Unusable: the folder, an account id that is none, or regions that cannot be served.
    """
    account_id = account_id or new_account_id()
    check_account_id(account_id)
    check_regions(regions, unknown=unknown_regions)
    return _initialise(data, account_id, regions, tls_hosts)


def _initialise(
    data: Path, account_id: str, regions: tuple[str, ...], tls_hosts: tuple[str, ...] | None = None
) -> RootAccessKey:
    layout = make_folder(data)
    try:
        return _fill(layout, account_id, regions, tls_hosts)
    except (OSError, sqlite3.Error, HsmRefused) as problem:
        _clear(data)
        raise Unusable(f"cannot make a deployment in {data}: {problem}") from None


def _clear(data: Path) -> None:
    """Take away what was made of a deployment that could not be finished; it held no key yet."""
    for made in data.iterdir():
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)


def _fill(
    layout: Layout, account_id: str, regions: tuple[str, ...], tls_hosts: tuple[str, ...] | None
) -> RootAccessKey:
    scheme = "http" if tls_hosts is None else "https"
    host = "127.0.0.1" if tls_hosts is None else "localhost"
    endpoint_url = f"{scheme}://{host}:{DEFAULT_LISTEN.rpartition(':')[2]}"
    with ExitStack() as stack:
        hsm = HsmProcess(_hsm_socket(layout, stack), layout.seal_key)
        stack.callback(hsm.end)
        sealed = hsm.ask(CreateDomains([IDENTITY_DOMAIN, *regions]))
        planned = plan_account(account_id, hsm.ask, round(time.time(), 3))
    if not isinstance(sealed, SealedDomains):
        raise HsmRefused("the HSM answered something else")
    ca_bundle = None
    if tls_hosts is not None:
        layout.tls.mkdir(mode=0o700)
        ca_bundle = str(make_certificate_authority(layout.tls, list(tls_hosts)).authority)
    store_facts(
        layout,
        Facts(
            regions,
            endpoint_url,
            sealed.sealed_domains,
            tls=tls_hosts is not None,
            created_at=round(time.time(), 3),
        ),
    )
    _insert(layout, ((ACCOUNTS, planned.account), (ACCESS_KEYS, planned.access_key)))
    made = RootAccessKey(
        account_id,
        regions[0],
        endpoint_url,
        planned.access_key.access_key_id,
        planned.secret_access_key,
        ca_bundle,
    )
    write_private(layout.credentials, msgspec.json.encode(made))
    return made


def create_account(data: Path, account_id: str | None = None) -> RootAccessKey:
    """Make a further account, whether the deployment is being served or not.

    Raises:
        Unusable: no deployment, an account id that is none or that exists.
    """
    return accounts.create_account(data, account_id, root_access_key(data))


def root_access_key(data: Path) -> RootAccessKey:
    """Return what `init` printed, with the endpoint of the server that runs now, if one does.

    Raises:
        Unusable: no deployment, or the file with the access key was taken away.
    """
    layout = Layout(data)
    check_exists(layout)
    try:
        made = msgspec.json.decode(layout.credentials.read_bytes(), type=RootAccessKey)
    except (OSError, ValueError):
        raise Unusable(f"{layout.credentials} cannot be read") from None
    if made.ca_bundle is not None:
        # Wherever the folder is now, and whatever folder the reader is in.
        bundle = layout.tls.resolve() / Path(made.ca_bundle).name
        made = msgspec.structs.replace(made, ca_bundle=str(bundle))
    running = running_server(data)
    if running is None:
        return made
    return msgspec.structs.replace(made, endpoint_url=_reachable(running["endpoint_url"]))


def _reachable(url: str) -> str:
    """Return a URL that a client on this machine can use; "every address" is none."""
    for every in ("0.0.0.0", "[::]"):  # noqa: S104 - read here, not listened on
        url = url.replace(f"//{every}:", "//localhost:")
    return url


def running_server(data: Path) -> dict[str, str] | None:
    """Return the facts of the server that uses this folder; None if there is none."""
    layout = Layout(data)
    try:
        found: dict[str, str] = msgspec.json.decode(layout.running.read_bytes())
    except (OSError, ValueError):
        return None
    # A server that was killed leaves its facts behind, but not its lock.
    return found if is_locked(layout) else None


def serve(
    data: Path,
    *,
    listen: str = DEFAULT_LISTEN,
    admin_listen: str = "127.0.0.1:0",
    workers: int = 1,
    connections: int = 4096,
    certificate: Path | None = None,
    private_key: Path | None = None,
    attestation_roots: tuple[Path, ...] = (),
    web_identity: WebIdentityOptions | None = None,
    audit: AuditOptions | None = None,
    dev: bool = False,
) -> str | None:
    """Serve until told to stop; return why not, if it could not be done.

    Raises:
        Unusable: the folder or the addresses.
    """
    layout = Layout(data)
    with ExitStack() as stack:
        held = lock(layout)
        facts = read_facts(layout)
        if facts.tls and certificate is None:
            certificate, private_key = layout.tls / "server.pem", layout.tls / "server.key"
        if (certificate is None) != (private_key is None):
            raise Unusable("--tls-certificate and --tls-key go together")
        if certificate is not None and private_key is not None:
            _check_certificate(certificate, private_key)
        listener = stack.enter_context(listener_at(listen, plain=certificate is None))
        admin = stack.enter_context(listener_at(admin_listen, plain=True))
        options = ServeOptions(
            url=url_of(listener, secure=certificate is not None),
            workers=workers,
            connections=connections,
            certificate=None if certificate is None else str(certificate),
            private_key=None if private_key is None else str(private_key),
            trust_roots=tuple(_read_root(file) for file in attestation_roots),
            web_identity=_web_identity_keys(web_identity or WebIdentityOptions()),
            dev=dev,
            audit=audit or AuditOptions(),
        )
        hsm_socket = _hsm_socket(layout, stack)

        def on_ready() -> None:
            sys.stdout.write(f"kagimori ready at {options.url}\n")
            sys.stdout.flush()

        async def run() -> str | None:
            supervisor = Supervisor(
                layout,
                facts,
                options,
                listener=listener,
                admin=admin,
                lock=held,
                hsm_socket=hsm_socket,
                on_ready=on_ready,
            )
            return await supervisor.run()

        return uvloop.run(run())


def serve_dev(
    *,
    listen: str = DEFAULT_LISTEN,
    seed: Path | None = None,
    seed_region: str = DEFAULT_REGION,
    seed_account: str = DEV_ACCOUNT,
    web_identity: WebIdentityOptions | None = None,
) -> str | None:
    """Serve a throwaway deployment for tests: any credentials, a clock that moves.

    Raises:
        Unusable: the address, the seed file, or a region of the seed that does not exist.
    """
    if not is_known(seed_region):
        raise Unusable(f"AWS has no region {seed_region!r}")
    with tempfile.TemporaryDirectory(prefix="kagimori-dev-") as folder:
        data = Path(folder) / "data"
        # It makes no difference here, so a test may name any region of any partition.
        regions = (DEFAULT_REGION, *(one for one in known_regions() if one != DEFAULT_REGION))
        _initialise(data, DEV_ACCOUNT, regions)
        if seed is not None:
            _plant(Layout(data), seed, seed_account, seed_region)
        return serve(
            data,
            listen=listen,
            web_identity=web_identity,
            audit=AuditOptions(digest_minutes=0),
            dev=True,
        )


def _plant(layout: Layout, seed: Path, account_id: str, region: str) -> None:
    """Put the keys and aliases of a seed file into a new store."""
    try:
        wanted = read_seed(seed)
        with ExitStack() as stack:
            hsm = HsmProcess(_hsm_socket(layout, stack), layout.seal_key, dev=True)
            stack.callback(hsm.end)
            hsm.unseal(read_facts(layout).sealed_domains)
            now = round(time.time(), 3)
            rows = list(planted(wanted, account_id, region, now, hsm.ask))
    except (BadSeed, HsmRefused) as reason:
        raise Unusable(str(reason)) from None
    _insert(layout, rows)


def _insert(layout: Layout, rows: Iterable[tuple[Table, Any]]) -> None:
    connection = open_database(layout.database)
    connection.execute("BEGIN IMMEDIATE")
    for table, entity in rows:
        statements = Statements(table)
        connection.execute(statements.insert, statements.row(entity))
    connection.execute("COMMIT")
    connection.close()


def _web_identity_keys(options: WebIdentityOptions) -> WebIdentityKeys:
    given: dict[str, list[dict[str, Any]]] = {}
    for written in options.files:
        issuer, _, file = written.rpartition("=")
        try:
            name, keys = read_key_set(issuer, Path(file))
        except (OSError, ValueError):
            raise Unusable(
                f"--web-identity-keys takes ISSUER=FILE with a JSON Web Key Set, not {written!r}"
            ) from None
        given[name] = keys
    return WebIdentityKeys(given, options.fetch)


def _read_root(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
        load_pem_x509_certificates(text.encode())
    except (OSError, ValueError):
        raise Unusable(f"{file} holds no certificate in PEM") from None
    return text


def _check_certificate(certificate: Path, private_key: Path) -> None:
    """Return if the files can be served with; the workers read them again, each for itself."""
    try:
        server_context(certificate, private_key)
    except (OSError, ValueError) as problem:
        raise Unusable(f"cannot use {certificate} with {private_key}: {problem}") from None


def _hsm_socket(layout: Layout, stack: ExitStack) -> Path:
    """Return where the HSM's socket goes: in the folder, unless its path is too long for one."""
    layout.run.mkdir(mode=0o700, exist_ok=True)
    path = layout.run / "hsm.sock"
    if len(str(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    folder = tempfile.mkdtemp(prefix="kagimori-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "hsm.sock"
