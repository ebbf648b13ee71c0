"""`kagimori join`: another node for a deployment whose store several nodes share."""

from pathlib import Path
from typing import Annotated

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.joining import join as join_deployment
from kagimori.deployment.store_place import store_url
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json, without_none


def join(
    *,
    data: Data,
    store: Annotated[
        str,
        typer.Option(metavar="URL", help="The store of the deployment: postgresql://..."),
    ],
    store_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The database's password, in a line of a private file."),
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A seal key that opens the domains; it is copied into the folder. Without one "
            "the node is opened as its seals ask for: kagimori unseal, a token, another KMS.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the data folder of a further node; then `kagimori serve` it."""
    try:
        joined = join_deployment(data, store_url(store, store_password_file), root or [])
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(joined))
        return
    typer.echo(f"Node {joined.node_id} for {', '.join(joined.regions)} is in {data}.")
    typer.echo(f"Start it:  kagimori serve --data {data}")
    if not joined.opens:
        typer.echo(f"Open it:   kagimori unseal --data {data}")
