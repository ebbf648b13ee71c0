"""`kagimori console`: the web console, beside a server of this machine or anywhere else."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.running import root_access_key, running_endpoint
from kagimori_cli.terminal import give_up, unreadable

WAIT_SECONDS_MAX: Final = 120.0
_WAIT_SECONDS: Final = 0.1

Listen = Annotated[
    str, typer.Option("--listen", metavar="HOST:PORT", help="Where browsers reach the console.")
]
Regions = Annotated[
    list[str] | None,
    typer.Option("--region", help="A region to choose from; may be given several times."),
]
TlsCertificate = Annotated[
    Path | None, typer.Option("--tls-cert", help="The console's certificate (PEM).")
]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Its private key (PEM).")]
PublicUrl = Annotated[
    str | None,
    typer.Option("--public-url", help="The address that browsers use, behind a proxy with TLS."),
]
SessionKey = Annotated[
    Path | None,
    typer.Option(
        "--session-key-file",
        help="Seals session cookies; made if absent. Without it, sessions end with the console.",
    ),
]


def console(
    *,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="The service's endpoint.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="The folder of a deployment that is served here."
        ),
    ] = None,
    listen: Listen = "127.0.0.1:8568",
    region: Regions = None,
    tls_cert: TlsCertificate = None,
    tls_key: TlsKey = None,
    public_url: PublicUrl = None,
    session_key_file: SessionKey = None,
    idle_minutes: Annotated[
        int, typer.Option("--idle-minutes", min=1, help="Sign people out who do nothing so long.")
    ] = 60,
    beside_server: Annotated[
        bool, typer.Option("--beside-server", hidden=True, help="End when standard input ends.")
    ] = False,
) -> None:
    """Serve the web console until SIGTERM or SIGINT."""
    url, bundle = _endpoint(endpoint, data, wait=beside_server)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        unreadable(f"--listen takes HOST:PORT, not {listen!r}")
    if (tls_cert is None) != (tls_key is None):
        unreadable("--tls-cert and --tls-key go together")
    options: dict[str, Any] = {
        "endpoint_url": url,
        "ca_bundle": bundle,
        "host": host.strip("[]"),
        "port": int(port),
        "regions": region or _regions(data),
        "tls": None if tls_cert is None else [str(tls_cert), str(tls_key)],
        "public_url": public_url,
        "session_key_file": None if session_key_file is None else str(session_key_file),
        "idle_minutes": idle_minutes,
        "beside_server": beside_server,
    }
    _become_console(options)


def _endpoint(endpoint: str | None, data: Path | None, *, wait: bool) -> tuple[str, str | None]:
    if (endpoint is None) == (data is None):
        unreadable("give --endpoint URL, or --data DIR")
    if data is None:
        return str(endpoint), os.environ.get("AWS_CA_BUNDLE") or None
    until = time.monotonic() + (WAIT_SECONDS_MAX if wait else 0.0)
    while (found := running_endpoint(data)) is None:
        if time.monotonic() >= until:
            give_up(f"{data} is not being served")
        time.sleep(_WAIT_SECONDS)
    return found


def _regions(data: Path | None) -> list[str]:
    if data is not None:
        try:
            return [root_access_key(data).region]
        except Unusable:
            pass
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None:
        unreadable("give --region (or AWS_REGION)")
    return [region]


def _become_console(options: dict[str, Any]) -> NoReturn:
    sys.stdout.flush()
    arguments = [sys.executable, "-P", "-m", "kagimori_console", json.dumps(options)]
    os.execv(sys.executable, arguments)  # noqa: S606 - hands this process over
