"""`kagimori guard`: keys that were used lately are not disabled or deleted."""

from typing import Annotated, Any

import typer

from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, served
from kagimori_cli.terminal import Output, OutputOption, print_json

guard = typer.Typer(
    help="Keys that were used lately stay usable.", no_args_is_help=True, add_completion=False
)


@guard.command(epilog="Example: kagimori guard show --data ./kagimori-data")
def show(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """Show the guard of your account."""
    server = served(data, endpoint)
    with refusals_explained():
        _print(server.call("GetKeyGuard"), output)


@guard.command("set", epilog="Example: kagimori guard set 30 --data ./kagimori-data")
def set_guard(
    days: Annotated[
        int, typer.Argument(metavar="DAYS", min=1, help="Keys used within so many stay usable.")
    ],
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Refuse to disable, or to schedule the deletion of, keys used within some days."""
    server = served(data, endpoint)
    with refusals_explained():
        _print(server.call("SetKeyGuard", Days=days), output)


@guard.command(epilog="Example: kagimori guard remove --data ./kagimori-data")
def remove(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """Let every key be disabled and deleted again."""
    server = served(data, endpoint)
    with refusals_explained():
        _print(server.call("SetKeyGuard"), output)


def _print(answer: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(plain_members(answer))
        return
    days, account = answer.get("Days"), answer["AccountId"]
    if days is None:
        typer.echo(f"Account {account} has no guard: any key may be disabled or deleted.")
    else:
        typer.echo(f"Account {account} has a guard: keys used within {days} days stay usable.")
