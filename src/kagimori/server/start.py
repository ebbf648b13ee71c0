"""Assembles and runs `kagimori serve`; knows all parts, but those of `dev`."""

import contextlib
import importlib.metadata
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from cryptography.x509 import load_pem_x509_certificates

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import SOCKET_PATH_BYTES_MAX, Layout, Unusable, lock
from kagimori.deployment.opened import opened
from kagimori.deployment.private_files import check_private_files
from kagimori.deployment.trust_files import trust_files_in, write_trust_files
from kagimori.http.tls import server_context
from kagimori.machinery.key_sets import read_key_set
from kagimori.server.listeners import listener_at, url_of
from kagimori.server.serve_options import ServeOptions
from kagimori.server.supervisor import Supervisor
from kagimori.server.tokens import clusters_of, token_children
from kagimori.server.worker_config import WebIdentityKeys
from kagimori.settings import Settings, WebIdentity
from kagimori.trail.options import signs
from kagimori.trail.streams import register_node


def serve(
    data: Path,
    settings: Settings,
    *,
    worker_module: str = "kagimori",
    dev_hsm: bool = False,
    accepts_rollback: bool = False,
) -> str | None:
    """Serve until a signal to stop; return the reason if that was impossible.

    Raises:
        Unusable: the folder or the addresses.
    """
    layout = Layout(data)
    with ExitStack() as stack:
        held = lock(layout)
        for warning in check_private_files(layout, settings):
            sys.stderr.write(f"kagimori: WARNING: {warning}\n")
        with opened(data) as deployment:
            facts = deployment.facts
        certificate, private_key = _certificate_of(layout, facts, settings)
        is_plain = certificate is None
        listener = stack.enter_context(listener_at(settings.serve.listen, plain=is_plain))
        admin = stack.enter_context(listener_at(settings.admin.listen, plain=True))
        trust_roots = tuple(_read_root(Path(file)) for file in settings.attestation.roots)
        key_store_roots = tuple(_read_root(Path(file)) for file in settings.key_stores.authorities)
        web_identity = _web_identity_keys(settings.web_identity)
        with opened(data) as deployment:  # nothing is changed by a server that cannot start
            registered = register_node(
                deployment, settings.serve.workers, signs=signs(settings.audit)
            )
        socket_path = hsm_socket(layout, stack)
        children = token_children(settings.tokens, socket_path)
        options = ServeOptions(
            url=url_of(listener, secure=not is_plain),
            registered=registered,
            settings=settings,
            certificate=certificate,
            private_key=private_key,
            trust_roots=trust_roots,
            key_store_roots=key_store_roots,
            web_identity=web_identity,
            worker_module=worker_module,
            software=importlib.metadata.version("kagimori") or "unknown",
            dev_hsm=dev_hsm,
            token_children=children,
            clusters=tuple(clusters_of(settings.tokens, children)),
            accepts_rollback=accepts_rollback,
        )

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
                hsm_socket=socket_path,
                on_ready=on_ready,
            )
            return await supervisor.run()

        return uvloop.run(run())


def _certificate_of(
    layout: Layout, facts: Facts, settings: Settings
) -> tuple[str | None, str | None]:
    """Return certificate and key for TLS, if it is served: those of the settings, or of `init`."""
    certificate, private_key = settings.tls.certificate, settings.tls.key
    if facts.tls and certificate is None and private_key is None:
        with contextlib.suppress(OSError):  # a deployment made before there were such files
            if not trust_files_in(layout.tls).trust_store.exists():
                write_trust_files(layout.tls)
        certificate, private_key = str(layout.tls / "server.pem"), str(layout.tls / "server.key")
    if certificate is None or private_key is None:
        return None, None
    try:  # the workers read them again, each for itself
        server_context(Path(certificate), Path(private_key))
    except (OSError, ValueError) as problem:
        raise Unusable(f"cannot use {certificate} with {private_key}: {problem}") from None
    return certificate, private_key


def _web_identity_keys(settings: WebIdentity) -> WebIdentityKeys:
    given: dict[str, list[dict[str, Any]]] = {}
    for issuer, file in settings.keys.items():
        try:
            name, keys = read_key_set(issuer, Path(file))
        except (OSError, ValueError):
            raise Unusable(
                "--web-identity-keys takes ISSUER=FILE with a JSON Web Key Set, "
                f"not {issuer}={file}"
            ) from None
        given[name] = keys
    return WebIdentityKeys(given, settings.fetch)


def _read_root(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
        load_pem_x509_certificates(text.encode())
    except (OSError, ValueError):
        raise Unusable(f"{file} holds no certificate in PEM") from None
    return text


def hsm_socket(layout: Layout, stack: ExitStack) -> Path:
    """Return where the HSM's socket goes: in the folder, unless its path is too long for one."""
    layout.run.mkdir(mode=0o700, exist_ok=True)
    path = layout.run / "hsm.sock"
    if len(str(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    folder = tempfile.mkdtemp(prefix="kagimori-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "hsm.sock"
