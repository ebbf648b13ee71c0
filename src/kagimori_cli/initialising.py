"""`kagimori init`: a deployment is made."""

from typing import Annotated

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.init import DEFAULT_REGION, initialise
from kagimori_cli.terminal import (
    Data,
    Output,
    OutputOption,
    give_up,
    print_json,
    without_none,
)


def init(
    *,
    data: Data,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="12 digits; drawn at random if absent.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="R", help=f"May be repeated; the first is home. [{DEFAULT_REGION}]"),
    ] = None,
    allow_unknown_regions: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-regions", help="Take regions that botocore does not know yet."
        ),
    ] = False,
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
        made = initialise(
            data,
            account_id=account,
            regions=tuple(dict.fromkeys(region or [DEFAULT_REGION])),
            unknown_regions=allow_unknown_regions,
            tls_hosts=hosts,
        )
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"A deployment for account {made.account_id} in {made.region} is in {data}.")
    typer.echo(f"Its seal key is {data / 'seal.key'}: keep a copy elsewhere.")
    typer.echo(f"Start it:  kagimori serve --data {data}")
    typer.echo(f'Use it:    eval "$(kagimori env --data {data})"; aws kms list-keys')
