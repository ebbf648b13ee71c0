"""`kagimori console`: the web console, beside a server of this machine or anywhere else."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from kagimori.deployment.running import running_endpoint, running_regions
from kagimori_cli.admin import refusals_explained, served
from kagimori_cli.terminal import give_up, unreadable

LINK_TOKEN: Final = "KAGIMORI_SIGN_IN_TOKEN"  # noqa: S105 - a name
PORT_MAX: Final = 65_535
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
    listen: Listen = "127.0.0.1:8569",
    region: Regions = None,
    tls_cert: TlsCertificate = None,
    tls_key: TlsKey = None,
    public_url: PublicUrl = None,
    session_key_file: SessionKey = None,
    idle_minutes: Annotated[
        int, typer.Option("--idle-minutes", min=1, help="Sign people out who do nothing so long.")
    ] = 60,
    requests_per_second: Annotated[
        int, typer.Option("--requests-per-second", min=1, help="The most from one address.")
    ] = 50,
    sign_ins_per_minute: Annotated[
        int, typer.Option("--sign-ins-per-minute", min=1, help="The most tries from one address.")
    ] = 20,
    sign_in_link: Annotated[
        bool,
        typer.Option("--sign-in-link", help="Print a link that signs root in once; with --data."),
    ] = False,
    beside_server: Annotated[
        bool, typer.Option("--beside-server", hidden=True, help="End when standard input ends.")
    ] = False,
) -> None:
    """Serve the web console until SIGTERM or SIGINT."""
    url, bundle = _endpoint(endpoint, data, wait=beside_server)
    host, port = _place(listen)
    if (tls_cert is None) != (tls_key is None):
        unreadable("--tls-cert and --tls-key go together")
    options: dict[str, Any] = {
        "endpoint_url": url,
        "ca_bundle": bundle,
        "host": host,
        "port": port,
        "regions": region or _regions(data),
        "tls": None if tls_cert is None else [str(tls_cert), str(tls_key)],
        "public_url": public_url,
        "session_key_file": None if session_key_file is None else str(session_key_file),
        "idle_minutes": idle_minutes,
        "requests_per_second": requests_per_second,
        "sign_ins_per_minute": sign_ins_per_minute,
        "beside_server": beside_server,
    }
    _become_console(options, _link_token(data) if sign_in_link else None)


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


def start_beside(data: Path, listen: str, *, link: bool) -> None:
    """Start a console that waits for the server of a folder, and ends with this process.

    With `link` it prints a link that signs the folder's root user in once.

    The process that becomes the server keeps the writing end of a pipe: the console ends when its
    standard input does, however the server ended.
    """
    _place(listen)
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - takes no names
    program = "from kagimori_cli.command import main; main()"
    options: tuple[str, ...] = (
        "console",
        "--data",
        str(data),
        "--listen",
        listen,
        "--beside-server",
    )
    options += ("--sign-in-link",) if link else ()
    subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-c", program, *options], stdin=reading
    )
    os.close(reading)


def _place(listen: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; ends with one line if it has another form."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        unreadable(f"a console listens at HOST:PORT, not {listen!r}")
    return host.strip("[]"), int(port)


def _regions(data: Path | None) -> list[str]:
    if data is not None and (found := running_regions(data)):
        return list(found)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None:
        unreadable("give --region (or AWS_REGION)")
    return [region]


def _link_token(data: Path | None) -> str:
    """Return a token that signs the folder's root user in once; ends with one line if it can't."""
    if data is None:
        unreadable("--sign-in-link needs --data DIR")
    with refusals_explained():
        answer = served(data, None).call("CreateSignInToken")
    return str(answer["SignInToken"])


def _become_console(options: dict[str, Any], token: str | None) -> NoReturn:
    """Hand this process over to the console; the token goes where other people cannot read it."""
    sys.stdout.flush()
    environment = {name: value for name, value in os.environ.items() if name != LINK_TOKEN}
    if token is not None:
        environment[LINK_TOKEN] = token
    arguments = [sys.executable, "-P", "-m", "kagimori_console", json.dumps(options)]
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - hands this process over
