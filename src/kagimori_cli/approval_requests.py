"""Requests for dangerous actions as commands make and print them, with all that is signed."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from kagimori_cli.admin import plain_members, refusals_explained
from kagimori_cli.terminal import Output, give_up, print_json
from kagimori_cli.times import shown
from kagimori_client.admin import AdminClient

ReasonIfAsked = Annotated[
    str | None,
    typer.Option(
        "--reason", metavar="TEXT", help="For those who are to approve, once there are operators."
    ),
]
# Members that are maps, whose names are not the service's.
KEPT: Final = frozenset(("Parameters",))


def has_operators(server: AdminClient) -> bool:
    """Return whether there are operators, so that a dangerous action needs their approval."""
    with refusals_explained():
        return bool(server.call("ListOperators")["Operators"])


def given(reason: str | None) -> str:
    """Return the reason; ends with one line without one."""
    if not reason:
        give_up("operators must approve this: give --reason TEXT for them")
    return reason


def ask_for(server: AdminClient, output: Output, **members: Any) -> None:
    """Make a request and print it, with the commands that come next."""
    with refusals_explained():
        made = server.call("RequestApproval", **members)["Approval"]
    print_approval(made, output)
    if output is Output.TEXT:
        typer.echo(
            f"\nNothing is done yet. Operators approve it with\n"
            f"  kagimori approval approve {made['RequestId']} --operator NAME --key FILE\n"
            f"and from {shown(made['NotBefore'])} on it is performed by\n"
            f"  kagimori approval execute {made['RequestId']}"
        )


def print_approval(found: Mapping[str, Any], output: Output) -> None:
    """Print a request with all its members."""
    if output is Output.JSON:
        print_json(plain_members(found, KEPT))
        return
    for name in ("RequestId", "DeploymentId", "Action", "Resource"):
        _print_line(name, found[name])
    for name, value in sorted(found["Parameters"].items()):
        _print_line(f"  {name}", value)
    for name in ("Reason", "MadeBy", "State"):
        _print_line(name, found[name])
    for name in ("MadeAt", "NotBefore", "ExpiresAt"):
        _print_line(name, shown(found[name]))
    _print_decisions(found)
    if "Document" in found:
        typer.echo("Key policy:")
        for line in found["Document"].split("\n"):
            typer.echo(f"  {_printable(line)}")


def _print_decisions(found: Mapping[str, Any]) -> None:
    for one in found["Approvals"]:
        _print_line("Approved by", f"{one['OperatorName']}, {shown(one['SignedAt'])}")
    if "Refusal" in found:
        one = found["Refusal"]
        _print_line("Refused by", f"{one['OperatorName']}, {shown(one['SignedAt'])}")
    if "ExecutedBy" in found:
        _print_line("Executed by", f"{found['ExecutedBy']}, {shown(found['ExecutedAt'])}")


def _print_line(name: str, value: str) -> None:
    typer.echo(f"{name:<18}{_printable(value)}")


def _printable(text: str) -> str:
    """Return a text as one line in which nothing moves the cursor or hides what is next to it."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)
