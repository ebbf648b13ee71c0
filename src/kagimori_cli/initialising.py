"""`kagimori init`: a deployment is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.init import DEFAULT_REGION, FirstSeal, initialise
from kagimori.deployment.store_place import store_url
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
)
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
    seal: Annotated[
        str, typer.Option(metavar="KIND", help="Its first seal: file, passphrase or quorum.")
    ] = "file",
    threshold: Threshold = None,
    shares: Shares = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep the store in PostgreSQL, postgresql://USER@HOST/DATABASE, without password.",
        ),
    ] = None,
    store_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The database's password, in a line of a private file."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a deployment: the store, the HSM's domains, and the account's root access key."""
    printed: list[str] = []
    first_seal = _first_seal(seal, threshold, shares, printed.extend)
    hosts = ("localhost", "127.0.0.1", "::1", *(tls_host or ())) if tls else None
    try:
        url = None if store is None else store_url(store, store_password_file)
        made = initialise(
            data,
            account_id=account,
            regions=tuple(dict.fromkeys(region or [DEFAULT_REGION])),
            unknown_regions=allow_unknown_regions,
            tls_hosts=hosts,
            first_seal=first_seal,
            store=url,
        )
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(made) | ({"shares": printed} if printed else {}))
        return
    typer.echo(f"A deployment for account {made.account_id} in {made.region} is in {data}.")
    if first_seal is None:
        typer.echo(f"Its seal key is {data / 'seal.key'}: keep a copy elsewhere.")
    print_shares(printed)
    typer.echo(f"Start it:  kagimori serve --data {data}")
    if first_seal is not None:
        typer.echo(f"Open it:   kagimori unseal --data {data}")
    typer.echo(f'Use it:    eval "$(kagimori env --data {data})"; aws kms list-keys')


def _first_seal(
    kind: str,
    threshold: int | None,
    shares: int | None,
    on_shares: Callable[[list[str]], None],
) -> FirstSeal | None:
    """Return the first seal; None for a file."""
    if kind not in (FILE, *WITH_PEOPLE):
        give_up(f"the first seal is of a {FILE}, a {PASSPHRASE} or a {QUORUM}: add others later")
    parameters = parameters_of(kind, threshold=threshold, shares=shares)
    if kind == FILE:
        return None
    secret = new_passphrase() if kind == PASSPHRASE else b""
    return FirstSeal(kind, parameters, secret, on_shares)
