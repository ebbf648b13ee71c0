"""The `kagimori` command: what it can do, and an example of each."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from kagimori_cli import accounts, audit, deployments, facts, policy, services
from kagimori_cli import settings as settings_commands
from kagimori_cli.clock import clock
from kagimori_cli.model_path import model_path
from kagimori_cli.why import why

app = typer.Typer(
    name="kagimori",
    help="AWS KMS as software you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command(epilog="Example: kagimori init --data ./kagimori-data --region eu-central-1")(
    deployments.init
)
app.command(epilog="Example: kagimori serve --data ./kagimori-data --listen 127.0.0.1:8567")(
    deployments.serve
)
app.command(epilog="Example: kagimori dev --listen 127.0.0.1:0")(deployments.dev)
app.command(epilog='Example: eval "$(kagimori env --data ./kagimori-data)"; aws kms list-keys')(
    facts.env
)
app.command(epilog="Example: kagimori status --data ./kagimori-data --output json")(facts.status)
app.command(epilog="Example: kagimori metrics --data ./kagimori-data")(facts.metrics)
app.command(
    epilog="Example: AWS_DATA_PATH=$(kagimori model-path) aws kagimori list-accounts",
)(model_path)
app.command(epilog="Example: kagimori why 5f0c... --data ./kagimori-data")(why)
app.add_typer(
    audit.audit,
    name="audit",
    epilog="Example: kagimori audit verify --data ./kagimori-data",
)
app.add_typer(
    accounts.account,
    name="account",
    epilog="Example: kagimori account create --data ./kagimori-data",
)
app.add_typer(
    services.service,
    name="service",
    epilog="Example: kagimori service create s3 --data ./kagimori-data",
)
app.add_typer(
    policy.policy,
    name="policy",
    epilog="Example: kagimori policy test --data ./kagimori-data --key alias/orders "
    "--policy new.json",
)
app.add_typer(
    settings_commands.settings,
    name="settings",
    epilog="Example: kagimori settings show --data ./kagimori-data",
)
app.add_typer(clock, name="clock", epilog="Example: kagimori clock advance 8d")


def _print_version(*, asked: bool) -> None:
    if asked:
        python = ".".join(map(str, sys.version_info[:3]))
        typer.echo(f"kagimori {metadata.version('kagimori')} (Python {python})")
        raise typer.Exit


@app.callback(epilog="Example: kagimori --version")
def _kagimori(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _print_version(asked=asked),
            is_eager=True,
            help="Print the version, and that of Python.",
        ),
    ] = False,
) -> None:
    """AWS KMS as software you run yourself."""


def main() -> None:
    """Run the command."""
    app()
