"""`kagimori service`: access keys of gateways that act for callers, as AWS's services do."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from kagimori.server import start as assemble
from kagimori.server.start import service_principals
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json, without_none

service = typer.Typer(
    help="Access keys of services that act for callers.",
    no_args_is_help=True,
    add_completion=False,
)

AccessKeyId = Annotated[str, typer.Argument(metavar="ACCESS_KEY_ID", help="As `list` shows it.")]


@service.command(epilog="Example: kagimori service create s3 --data ./kagimori-data")
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As in signatures for it: s3, ec2, rds …")
    ],
    data: Data,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make an access key with which a gateway acts as a service; its secret is shown this once."""
    try:
        made = service_principals.create_service_key(data, name)
    except assemble.Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"{made.service_principal} may act for callers. Its access key, shown this once:")
    typer.echo(f"  export AWS_ACCESS_KEY_ID={made.access_key_id}")
    typer.echo(f"  export AWS_SECRET_ACCESS_KEY={made.secret_access_key}")


@service.command("list", epilog="Example: kagimori service list --data ./kagimori-data")
def list_keys(data: Data, output: OutputOption = Output.TEXT) -> None:
    """List the access keys of services."""
    try:
        found = service_principals.service_keys(data)
    except assemble.Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json([without_none(key) for key in found])
        return
    for key in found:
        made = datetime.fromtimestamp(key.created_at, UTC).isoformat(timespec="seconds")
        typer.echo(f"{key.access_key_id}  {key.service_principal:30}  {made}")


@service.command(epilog="Example: kagimori service delete AKIA... --data ./kagimori-data")
def delete(access_key_id: AccessKeyId, data: Data) -> None:
    """Take an access key of a service away, at once."""
    try:
        service_principals.delete_service_key(data, access_key_id)
    except assemble.Unusable as reason:
        give_up(str(reason))
    typer.echo(f"{access_key_id} is taken away")
