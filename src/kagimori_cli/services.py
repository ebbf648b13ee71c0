"""`kagimori service`: access keys of gateways that act for callers, as AWS's services do."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kagimori.deployment.service_keys import (
    ServiceKey,
    create_service_key,
    delete_service_key,
    service_keys,
)
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, server_for
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, print_json, without_none
from kagimori_cli.times import shown
from kagimori_client.admin import AdminClient

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
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make an access key with which a gateway acts as a service; its secret is shown this once."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            made = create_service_key(data or Path(), name)
        else:
            made = _created(server, name)
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"{made.service_principal} may act for callers. Its access key, shown this once:")
    typer.echo(f"  export AWS_ACCESS_KEY_ID={made.access_key_id}")
    typer.echo(f"  export AWS_SECRET_ACCESS_KEY={made.secret_access_key}")


@service.command("list", epilog="Example: kagimori service list --data ./kagimori-data")
def list_keys(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List the access keys of services."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            found = [without_none(key) for key in service_keys(data or Path())]
        else:
            pages = server.pages("ListServiceKeys")
            found = [_plain(key) for page in pages for key in page["ServiceKeys"]]
    if output is Output.JSON:
        print_json(found)
        return
    rows = [
        (key["access_key_id"], key["service_principal"], shown(key["created_at"])) for key in found
    ]
    print_table(("access key", "service", "made"), rows)


@service.command(epilog="Example: kagimori service delete AKIA... --data ./kagimori-data")
def delete(access_key_id: AccessKeyId, data: Folder = None, endpoint: EndpointUrl = None) -> None:
    """Delete an access key of a service; the next request with it is refused."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            delete_service_key(data or Path(), access_key_id)
        else:
            server.call("DeleteServiceKey", AccessKeyId=access_key_id)
    typer.echo(f"{access_key_id} is deleted")


def _created(server: AdminClient, name: str) -> ServiceKey:
    answer = server.call("CreateServiceKey", Service=name)
    key, secret = answer["ServiceKey"], answer["AccessKey"]["SecretAccessKey"]
    return ServiceKey(
        key["Service"], key["ServicePrincipal"], key["AccessKeyId"], secret, key["CreatedAt"]
    )


def _plain(key: dict[str, Any]) -> dict[str, Any]:
    return {
        "service": key["Service"],
        "service_principal": key["ServicePrincipal"],
        "access_key_id": key["AccessKeyId"],
        "created_at": key["CreatedAt"],
    }
