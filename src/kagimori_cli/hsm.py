"""`kagimori hsm`: how the HSM of a running server is, and its self-tests now."""

import json
from typing import Any, Final

import typer

from kagimori.deployment.running import running_server
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, served
from kagimori_cli.approval_requests import ReasonIfAsked, ask_for, given, has_operators
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json
from kagimori_cli.times import shown
from kagimori_client.connection import Endpoint, Unreachable

SECONDS_MAX: Final = 60.0
OPERATIONAL: Final = "OPERATIONAL"

hsm = typer.Typer(
    help="The HSM of a running server: its state and its self-tests.",
    no_args_is_help=True,
    add_completion=False,
)


@hsm.command(epilog="Example: kagimori hsm status --data ./kagimori-data")
def status(data: Data, output: OutputOption = Output.TEXT) -> None:
    """Print the HSM's state, and the self-tests that passed last. Exit code 1 if it is not well."""
    _print(_asked(data, "GET", "/hsm"), output)


@hsm.command("test", epilog="Example: kagimori hsm test --data ./kagimori-data")
def run_self_tests(data: Data, output: OutputOption = Output.TEXT) -> None:
    """Run every self-test now, while the HSM serves. Exit code 1 if one fails.

    After one that fails no key is used any more, until the server is started again.
    """
    _print(_asked(data, "POST", "/hsm/test"), output)


@hsm.command(epilog="Example: kagimori hsm zeroize --data ./kagimori-data")
def zeroize(
    reason: ReasonIfAsked = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have the HSM forget every key until the server is started again.

    Operators approve that, if there are any.
    """
    server = served(data, endpoint)
    if has_operators(server):
        ask_for(server, output, Action="ZeroizeHsm", Reason=given(reason))
        return
    with refusals_explained():
        server.call("ZeroizeHsm")
    typer.echo("The HSM forgets every key now. Start the server again to go on.")


def _asked(data: Any, method: str, page: str) -> dict[str, Any]:
    running = running_server(data)
    if running is None:
        give_up(f"{data} is not being served")
    try:
        answer = Endpoint(running["admin_url"]).send(method, page, {}, b"", seconds=SECONDS_MAX)[2]
        found: dict[str, Any] = json.loads(answer)
    except (Unreachable, ValueError):
        give_up(f"the server of {data} does not answer")
    return found


def _print(found: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(found)
    else:
        _print_text(found)
    if found["state"] != OPERATIONAL or found["reason"]:
        raise typer.Exit(1)


def _print_text(found: dict[str, Any]) -> None:
    typer.echo(f"state          {found['state'].lower()}")
    if found["reason"]:
        typer.echo(f"reason         {found['reason']}")
    if "tests" not in found:
        return
    typer.echo(f"sandbox        {', '.join(found['sandbox']) or '-'}")
    typer.echo(f"memory locked  {'yes' if found['memory_locked'] else 'no'}")
    if found["tested_at"]:
        passed = f"{len(found['tests'])} passed, {found['test_seconds'] * 1000:.0f} ms"
        typer.echo(f"self-tests     {passed}, {shown(found['tested_at'])}")
    rows = [(one["name"], one["source"]) for one in found["tests"]]
    print_table(("passed", "held against"), rows)
