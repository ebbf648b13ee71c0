"""`kagimori domain`: the keys that wrap all stored keys and secrets, for operators."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kagimori.deployment.domain_keys import stored_domain_keys
from kagimori_cli.admin import (
    EndpointUrl,
    Folder,
    plain_members,
    refusals_explained,
    served,
    server_for,
)
from kagimori_cli.approval_requests import ReasonIfAsked, ask_for, given, has_operators
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, print_json
from kagimori_cli.times import shown

POLL_SECONDS: Final = 0.5

domain = typer.Typer(
    help="Domain keys: rotation, and wrapping everything anew.",
    no_args_is_help=True,
    add_completion=False,
)


@domain.command(epilog="Example: kagimori domain status --data ./kagimori-data")
def status(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List the domain keys, and show how far tokens are wrapped anew."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            answer: dict[str, Any] = {"Domains": stored_domain_keys(data or Path())}
        else:
            answer = server.call("GetDomainStatus")
    _print(answer, output)


@domain.command(epilog="Example: kagimori domain rotate --data ./kagimori-data")
def rotate(
    domain_name: Annotated[
        str | None,
        typer.Option(
            "--domain", metavar="NAME", help="A region, or `identity`; by default all of them."
        ),
    ] = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Give domains a new domain key now; tokens are wrapped anew in the background."""
    server = served(data, endpoint)
    with refusals_explained():
        answer = server.call("RotateDomainKey", DomainName=domain_name)
    _print(answer, output)


@domain.command(epilog="Example: kagimori domain rewrap --wait 60 --data ./kagimori-data")
def rewrap(
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="How long to wait until all are wrapped anew."
        ),
    ] = 0.0,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Search all tokens again for those under retired domain keys, and wrap them anew.

    Exit code 1 if not all are when the time to wait is over.
    """
    server = served(data, endpoint)
    deadline = time.monotonic() + wait
    with refusals_explained():
        server.call("RewrapTokens")
        answer = server.call("GetDomainStatus")
        while _state(answer) == "running" and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            answer = server.call("GetDomainStatus")
    _print(answer, output)
    if wait and _state(answer) != "done":
        raise typer.Exit(1)


@domain.command(epilog="Example: kagimori domain destroy 8f0c2a1b9d3e4f50 --reason 'was seen'")
def destroy(
    key_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Domain keys that are no longer current.")
    ],
    reason: ReasonIfAsked = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have domain keys destroyed that have not rested; operators approve that, if there are any.

    What is stored is wrapped anew before. Session tokens that clients carry open no more.
    """
    server = served(data, endpoint)
    if has_operators(server):
        asked = {"Action": "DestroyDomainKeys", "DomainKeyIds": key_ids}
        ask_for(server, output, **asked, Reason=given(reason))
        return
    with refusals_explained():
        answer = server.call("DestroyDomainKeys", DomainKeyIds=key_ids)
    _print(answer, output)


def _state(answer: dict[str, Any]) -> str:
    return str(answer["Rewrapping"].get("State"))


def _print(answer: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(plain_members(answer))
        return
    rows = [
        (
            one["DomainName"],
            key["DomainKeyId"],
            key["State"],
            _time(key, "CreatedAt"),
            _time(key, "RetiredAt"),
        )
        for one in answer["Domains"]
        for key in one["Keys"]
    ]
    print_table(("domain", "domain key", "state", "made", "retired"), rows)
    rewrapping = answer.get("Rewrapping")
    if rewrapping:
        typer.echo(
            f"wrapping anew: {rewrapping['State']}, {rewrapping['Rewrapped']} so far"
            + (f", {rewrapping['Refused']} do not open" if rewrapping["Refused"] else "")
        )


def _time(key: dict[str, Any], member: str) -> str:
    return shown(key[member]) if member in key else "-"
