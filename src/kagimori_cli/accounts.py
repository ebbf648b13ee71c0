"""`kagimori account`: further accounts in a deployment."""

from typing import Annotated

import typer

from kagimori.server import start as assemble
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json, without_none

account = typer.Typer(help="Accounts of a deployment.", no_args_is_help=True, add_completion=False)


@account.callback()
def _accounts() -> None:
    """Accounts of a deployment."""


@account.command(epilog="Example: kagimori account create --data ./kagimori-data --output json")
def create(
    *,
    data: Data,
    account_id: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="12 digits; drawn at random if absent."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make an account and its root access key, whose secret is shown now and never again."""
    try:
        made = assemble.create_account(data, account_id)
    except assemble.Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"Account {made.account_id} is made. Its root access key, shown this once:")
    typer.echo(f"  export AWS_ACCESS_KEY_ID={made.access_key_id}")
    typer.echo(f"  export AWS_SECRET_ACCESS_KEY={made.secret_access_key}")
