"""`kagimori operator`: the people who approve dangerous actions, and their keys."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kagimori.deployment.domain_keys import stored_operators
from kagimori_cli.admin import (
    EndpointUrl,
    Folder,
    plain_members,
    refusals_explained,
    served,
    server_for,
)
from kagimori_cli.approval_requests import ReasonIfAsked, ask_for, given
from kagimori_cli.operator_keys import make_key, public_file_of, read_public_key
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_client.admin import AdminClient

operator = typer.Typer(
    help="Operators: people who approve dangerous actions, with a key each.",
    no_args_is_help=True,
    add_completion=False,
)

Quorum = Annotated[
    int | None,
    typer.Option("--quorum", metavar="K", min=1, help="How many must approve from then on."),
]


@operator.command(epilog="Example: kagimori operator key alice.key")
def key(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To be made; FILE.pub as well.")],
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Ask for a passphrase that protects it.")
    ] = False,
) -> None:
    """Make your key as an operator: the private one in FILE, the public one in FILE.pub."""
    passphrase = None
    if encrypt:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True).encode()
    public = make_key(file, passphrase)
    typer.echo(f"{public}")
    typer.echo(f"Keep {file} to yourself; {public_file_of(file)} is what to register.", err=True)


@operator.command(
    epilog="Example: kagimori operator add alice=alice.key.pub bob=bob.key.pub --quorum 2"
)
def add(
    *,
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=KEY...", help="Operators and their public keys, or the files with them."
        ),
    ],
    quorum: Quorum = None,
    reason: ReasonIfAsked = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Add operators: the first ones at once, later ones by a request that operators approve."""
    operators = [_operator(one) for one in named]
    server = served(data, endpoint)
    if _roster(server)["Operators"]:
        ask_for(
            server,
            output,
            Action="AddOperators",
            Operators=operators,
            Quorum=quorum,
            Reason=given(reason),
        )
        return
    if quorum is None:
        give_up("give --quorum K: how many of the first operators must approve")
    with refusals_explained():
        _print(server.call("AddOperators", Operators=operators, Quorum=quorum), output)


@operator.command(epilog="Example: kagimori operator remove bob --reason 'has left'")
def remove(
    *,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The operators.")],
    reason: ReasonIfAsked = None,
    quorum: Quorum = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask for the removal of operators, which operators approve."""
    ask_for(
        served(data, endpoint),
        output,
        Action="RemoveOperators",
        OperatorNames=names,
        Quorum=quorum,
        Reason=given(reason),
    )


@operator.command("quorum", epilog="Example: kagimori operator quorum 3 --reason 'one more'")
def change_quorum(
    quorum: Annotated[int, typer.Argument(metavar="K", min=1, help="How many must approve.")],
    reason: ReasonIfAsked = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask for another quorum, which operators approve."""
    server = served(data, endpoint)
    ask_for(server, output, Action="ChangeQuorum", Quorum=quorum, Reason=given(reason))


@operator.command("list", epilog="Example: kagimori operator list --data ./kagimori-data")
def list_operators(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List the operators, and how many of them must approve."""
    with refusals_explained():
        server = server_for(data, endpoint)
        found = stored_operators(data or Path()) if server is None else _roster(server)
    _print(found, output)


def _roster(server: AdminClient) -> dict[str, Any]:
    with refusals_explained():
        return server.call("ListOperators")


def _operator(written: str) -> dict[str, str]:
    name, _, public = written.partition("=")
    if not name or not public:
        give_up(f"an operator is given as NAME=KEY, not {written!r}")
    return {"OperatorName": name, "PublicKey": read_public_key(public)}


def _print(found: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(plain_members(found))
        return
    if not found["Operators"]:
        typer.echo("There are no operators: the administrator acts alone.")
        return
    rows = [(one["OperatorName"], one["PublicKey"]) for one in found["Operators"]]
    print_table(("operator", "public key"), rows, whole=("public key",))
    typer.echo(f"{found['Quorum']} of {len(rows)} must approve")
