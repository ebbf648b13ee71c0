"""The `kagimori` command."""

import json
import sys
import urllib.error
import urllib.request
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from kagimori import assemble
from kagimori.assemble import DEFAULT_LISTEN, DEFAULT_REGION, RootAccessKey

app = typer.Typer(
    name="kagimori",
    help="AWS KMS as software you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The deployment's folder.")]


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", help="For people, or for programs.")]


@app.command(epilog="Example: kagimori init --data ./kagimori-data --region eu-central-1")
def init(
    data: Data,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="12 digits; drawn at random if absent.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="R", help=f"May be repeated; the first is home. [{DEFAULT_REGION}]"),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Make a certificate, and a CA file for AWS_CA_BUNDLE.")
    ] = False,
    tls_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A further name or address for the certificate."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a deployment: the store, the HSM's domains, and the account's root access key."""
    hosts = ("localhost", "127.0.0.1", "::1", *(tls_host or ())) if tls else None
    try:
        made = assemble.initialise(
            data,
            account_id=account,
            regions=tuple(dict.fromkeys(region or [DEFAULT_REGION])),
            tls_hosts=hosts,
        )
    except assemble.Unusable as reason:
        _give_up(str(reason))
    if output is Output.JSON:
        _print_json(_shown(made))
        return
    typer.echo(f"A deployment for account {made.account_id} in {made.region} is in {data}.")
    typer.echo(f"Its seal key is {data / 'seal.key'}: keep a copy elsewhere.")
    typer.echo(f'Start it:  kagimori serve --data {data}')
    typer.echo(f'Use it:    eval "$(kagimori env --data {data})"; aws kms list-keys')


@app.command(epilog="Example: kagimori serve --data ./kagimori-data --listen 127.0.0.1:8567")
def serve(
    data: Data,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 picks a free one.")
    ] = DEFAULT_LISTEN,
    workers: Annotated[int, typer.Option(min=1, max=64, help="API worker processes.")] = 1,
    admin_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Metrics and status; loopback only.")
    ] = "127.0.0.1:0",
    connections: Annotated[
        int, typer.Option(min=1, help="Open connections for each worker, at most.")
    ] = 4096,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM, with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM.")] = None,
) -> None:
    """Serve a deployment until SIGTERM or SIGINT."""
    try:
        failure = assemble.serve(
            data,
            listen=listen,
            admin_listen=admin_listen,
            workers=workers,
            connections=connections,
            certificate=tls_certificate,
            private_key=tls_key,
        )
    except assemble.Unusable as reason:
        _give_up(str(reason))
    if failure is not None:
        _give_up(failure)


@app.command(epilog="Example: kagimori dev --listen 127.0.0.1:0")
def dev(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 picks a free one.")
    ] = DEFAULT_LISTEN,
) -> None:
    """Serve for tests. NOT SAFE: nothing is kept, and any credentials are an account's root."""
    typer.echo("kagimori dev is NOT SAFE: nothing is kept, any credentials are accepted", err=True)
    try:
        failure = assemble.serve_dev(listen=listen)
    except assemble.Unusable as reason:
        _give_up(str(reason))
    if failure is not None:
        _give_up(failure)


@app.command(epilog='Example: eval "$(kagimori env --data ./kagimori-data)"; aws kms list-keys')
def env(data: Data) -> None:
    """Print the environment that the AWS CLI and SDKs need."""
    try:
        made = assemble.root_access_key(data)
    except assemble.Unusable as reason:
        _give_up(str(reason))
    variables = {
        "AWS_ENDPOINT_URL": made.endpoint_url,
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
        "AWS_DEFAULT_REGION": made.region,
        "AWS_REGION": made.region,
        "AWS_CA_BUNDLE": made.ca_bundle,
    }
    for name, value in variables.items():
        if value is not None:
            typer.echo(f"export {name}={_quoted(value)}")


@app.command(epilog="Example: kagimori status --data ./kagimori-data --output json")
def status(data: Data, output: OutputOption = Output.TEXT) -> None:
    """Tell whether the deployment is being served, and how it is. Exit code 1 if it is not."""
    running = assemble.running_server(data)
    found = _fetch(f"{running['admin_url']}/status") if running is not None else None
    if found is None:
        if output is Output.JSON:
            _print_json({"status": "not running"})
        else:
            typer.echo(f"{data} is not being served")
        raise typer.Exit(1)
    found["admin_url"] = running["admin_url"] if running is not None else None
    if output is Output.JSON:
        _print_json(found)
    else:
        for name, value in found.items():
            typer.echo(f"{name:13} {_flat(value)}")
    if found["status"] != "ready":
        raise typer.Exit(1)


@app.command(epilog="Example: kagimori clock 8d --endpoint http://127.0.0.1:8567")
def clock(
    advance: Annotated[str, typer.Argument(metavar="TIME", help="8d, 12h, 30m or 45s.")],
    endpoint: Annotated[
        str, typer.Option(envvar="AWS_ENDPOINT_URL", metavar="URL")
    ] = f"http://{DEFAULT_LISTEN}",
) -> None:
    """Move the clock of a running `kagimori dev` forward."""
    _ = advance, endpoint


def _shown(made: RootAccessKey) -> dict[str, Any]:
    members = {name: getattr(made, name) for name in made.__struct_fields__}
    return {name: value for name, value in members.items() if value is not None}


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value))


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)


def _fetch(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own admin URL
            found: dict[str, Any] = json.load(answer)
    except (OSError, ValueError):
        return None
    return found


def _give_up(reason: str) -> NoReturn:
    """End with one line that says why."""
    print(f"kagimori: {reason}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(1)


def main() -> None:
    app()
