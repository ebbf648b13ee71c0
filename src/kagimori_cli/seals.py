"""`kagimori seal` and `kagimori unseal`: the ways to the root key, and those who hold them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from kagimori.deployment.custody import (
    Custodian,
    SealRefused,
    add_file_seal,
    custodian,
    stored_seals,
)
from kagimori.deployment.domain_keys import stored_operators
from kagimori.deployment.folder import Unusable
from kagimori.deployment.running import running_server
from kagimori_cli.admin import served
from kagimori_cli.approval_requests import ReasonIfAsked, ask_for, given
from kagimori_cli.seal_input import (
    FILE,
    PASSPHRASE,
    QUORUM,
    WITH_PEOPLE,
    Shares,
    Threshold,
    new_passphrase,
    parameters_of,
    print_shares,
    read_secret,
)
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json
from kagimori_cli.times import shown

seal = typer.Typer(
    help="Seals: what opens the domain keys. Files, passphrases, people, tokens, other KMSs.",
    no_args_is_help=True,
    add_completion=False,
)
SealId = Annotated[str, typer.Argument(metavar="ID", help="As `kagimori seal list` shows it.")]
Label = Annotated[str, typer.Option(metavar="TEXT", help="A name for people.")]


@contextmanager
def problems_explained() -> Iterator[None]:
    """End with one line if the HSM refuses, or there is none to ask."""
    try:
        yield
    except (SealRefused, Unusable) as reason:
        give_up(str(reason))


@seal.command("list", epilog="Example: kagimori seal list --data ./kagimori-data")
def list_seals(*, data: Data, output: OutputOption = Output.TEXT) -> None:
    """List the seals, whether the domains are open, and how many shares were given."""
    with problems_explained():
        if running_server(data) is None:
            state, seals = "not served", stored_seals(data)
        else:
            with custodian(data) as connection:
                found = connection.seals()
            state, seals = "open" if found.is_open else "sealed", found.seals
    if output is Output.JSON:
        members = ("seal_id", "kind", "label", "made_at", "given", "needed", "wait_seconds")
        rows = [{name: getattr(one, name) for name in members} for one in seals]
        print_json({"state": state, "seals": rows})
        return
    print_table(
        ("seal", "kind", "label", "made", "given"),
        [
            (one.seal_id, one.kind, one.label, shown(one.made_at), f"{one.given} of {one.needed}")
            for one in seals
        ],
    )
    typer.echo(f"the domains are {state}" if state != "not served" else "no server runs")


@seal.command(
    epilog="Example: kagimori seal add quorum --threshold 2 --shares 3 --data ./kagimori-data"
)
def add(
    *,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="file, passphrase, quorum, pkcs11 or kms.")
    ],
    data: Data,
    label: Label = "",
    threshold: Threshold = None,
    shares: Shares = None,
    root: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="pkcs11, kms: its name in the server's settings."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="ARN", help="kms: the key that encrypts the secret.")
    ] = None,
) -> None:
    """Add a seal to a deployment that is being served. Shares are shown once, here."""
    with problems_explained():
        if kind == FILE:
            added = add_file_seal(data, label)
        else:
            parameters = parameters_of(kind, threshold=threshold, shares=shares, root=root, key=key)
            secret = new_passphrase() if kind == PASSPHRASE else b""
            with custodian(data) as connection:
                added = connection.add(kind, label, parameters, secret)
    typer.echo(f"seal {added.seal_id} is added")
    if added.file is not None:
        typer.echo(f"Its key is {added.file}: keep a copy elsewhere.")
    print_shares(added.shares)


@seal.command(epilog="Example: kagimori seal remove 5f0c2a81b3d4 --data ./kagimori-data")
def remove(
    seal_id: SealId,
    *,
    reason: ReasonIfAsked = None,
    data: Data,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove a seal: a new root key is drawn, and what it opened is kept no longer.

    Operators approve that, if there are any.
    """
    with problems_explained():
        has_operators = bool(stored_operators(data)["Operators"])
    if has_operators:
        asked = {"Action": "RemoveSeal", "SealId": seal_id}
        ask_for(served(data, None), output, **asked, Reason=given(reason))
        return
    with problems_explained(), custodian(data) as connection:
        kind = _kind(connection, seal_id)
        connection.remove(seal_id)
    typer.echo(f"seal {seal_id} is removed: it opens nothing that is kept from now on")
    if kind == FILE:
        typer.echo("Its file is of no more use: remove it, and all copies of it.")


@seal.command(epilog="Example: kagimori seal test 5f0c2a81b3d4 --data ./kagimori-data")
def test(seal_id: SealId, *, data: Data) -> None:
    """Try whether a seal opens the domains; asks for a passphrase, or for one share a time."""
    with problems_explained(), custodian(data) as connection:
        kind = _kind(connection, seal_id)
        secret = read_secret(_prompt(kind)) if kind in WITH_PEOPLE else b""
        progress = connection.test(seal_id, secret)
    if progress.is_done:
        typer.echo(f"seal {seal_id} opens the domains")
    else:
        typer.echo(_more(progress.given, progress.needed))


def unseal(
    *,
    data: Data,
    seal_id: Annotated[
        str | None,
        typer.Option("--seal", metavar="ID", help="Which seal, if people hold several."),
    ] = None,
) -> None:
    """Open the domains of a sealed server: with a passphrase, or with one share a time.

    Different people give their shares, each with this command. Nothing of them is kept.
    """
    with problems_explained(), custodian(data) as connection:
        found = connection.seals()
        if found.is_open:
            typer.echo("the domains are open")
            return
        chosen = seal_id or _only([one.seal_id for one in found.seals if one.kind in WITH_PEOPLE])
        kind = _kind(connection, chosen)
        progress = connection.open(chosen, read_secret(_prompt(kind)))
    typer.echo("unsealed" if progress.is_done else _more(progress.given, progress.needed))


def _kind(connection: Custodian, seal_id: str) -> str:
    kinds = [one.kind for one in connection.seals().seals if one.seal_id == seal_id]
    if not kinds:
        give_up(f"there is no seal {seal_id!r}: see `kagimori seal list`")
    return kinds[0]


def _only(seal_ids: list[str]) -> str:
    if not seal_ids:
        give_up(
            "no seal of this deployment is held by people: its file, token or KMS must be there"
        )
    if len(seal_ids) > 1:
        give_up(f"people hold several seals: choose one with --seal: {', '.join(seal_ids)}")
    return seal_ids[0]


def _prompt(kind: str) -> str:
    return "one share: " if kind == QUORUM else "passphrase: "


def _more(given: int, needed: int) -> str:
    more = "1 more is" if needed - given == 1 else f"{needed - given} more are"
    return f"{given} of {needed} shares are there: {more} needed"
