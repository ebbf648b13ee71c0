"""The parts put together: what `kagimori init`, `serve` and `dev` do. Alone knows them all."""

import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import uvloop
from cryptography.x509 import load_pem_x509_certificates
from msgspec import Struct

from kagimori.deployment import denials as denied
from kagimori.deployment import service_keys as service_principals
from kagimori.deployment.accounts import create_account
from kagimori.deployment.folder import SOCKET_PATH_BYTES_MAX, Layout, Unusable, lock
from kagimori.deployment.init import DEFAULT_PORT, DEFAULT_REGION, initialise, make_deployment
from kagimori.deployment.opened import opened
from kagimori.deployment.running import RootAccessKey, root_access_key, running_server
from kagimori.dev.seed import BadSeed, planted, read_seed
from kagimori.hsm.process import HsmProcess
from kagimori.http.tls import server_context
from kagimori.machinery.key_sets import read_key_set
from kagimori.rules.partitions import is_known, known_regions
from kagimori.server.listeners import listener_at, url_of
from kagimori.server.supervisor import ServeOptions, Supervisor
from kagimori.server.worker_config import WebIdentityKeys
from kagimori.trail import acceptance, policy_replay
from kagimori.trail import reading as audit_reading
from kagimori.trail import verification as audit_trail
from kagimori.trail.auditor import AuditOptions
from kagimori.trail.streams import register_streams

__all__ = [
    "DEFAULT_LISTEN",
    "DEFAULT_REGION",
    "DEV_ACCOUNT",
    "RootAccessKey",
    "Unusable",
    "WebIdentityOptions",
    "acceptance",
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

DEFAULT_LISTEN: Final = f"127.0.0.1:{DEFAULT_PORT}"
DEV_ACCOUNT: Final = "000000000000"


class WebIdentityOptions(Struct, frozen=True):
    """Whose web identity tokens can be checked: `files` are `ISSUER=FILE` texts."""

    files: tuple[str, ...] = ()
    fetch: bool = False


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
        with opened(data) as deployment:
            facts = deployment.facts
            streams, known_streams = register_streams(deployment, workers)
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
            streams=tuple(streams),
            known_streams=known_streams,
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
        make_deployment(data, DEV_ACCOUNT, regions, audit_key=False)
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
            deployment = stack.enter_context(opened(layout.data))
            hsm = HsmProcess(_hsm_socket(layout, stack), layout.seal_key, dev=True)
            stack.callback(hsm.end)
            hsm.unseal(deployment.facts.sealed_domains)
            now = round(time.time(), 3)
            change = planted(wanted, account_id, region, now, hsm.ask)
            deployment.store.commit(change.writes, change.record)
    except BadSeed as reason:
        raise Unusable(str(reason)) from None


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
