"""`kagimori account`: the accounts of a deployment."""

from pathlib import Path
from typing import Annotated

import typer

from kagimori.deployment.accounts import accounts, create_account
from kagimori.deployment.running import RootAccessKey
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, server_for
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json, without_none
from kagimori_cli.times import shown
from kagimori_client.admin import AdminClient

account = typer.Typer(help="Accounts of a deployment.", no_args_is_help=True, add_completion=False)


@account.command(epilog="Example: kagimori account create --data ./kagimori-data --output json")
def create(
    *,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    account_id: Annotated[
        str | None,
        typer.Option(
            "--account", metavar="ID", help="12 digits, with --data; drawn at random if absent."
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make an account and its root access key, whose secret is shown now and never again."""
    if account_id is not None and data is None:
        give_up("--account goes with --data: over the network, accounts have ids drawn at random")
    server = None if account_id is not None else server_for(data, endpoint)
    with refusals_explained():
        made = create_account(data or Path(), account_id) if server is None else _created(server)
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"Account {made.account_id} is made. Its root access key, shown this once:")
    typer.echo(f"  export AWS_ACCESS_KEY_ID={made.access_key_id}")
    typer.echo(f"  export AWS_SECRET_ACCESS_KEY={made.secret_access_key}")


def _created(server: AdminClient) -> RootAccessKey:
    answer = server.call("CreateAccount")
    key = answer["AccessKey"]
    return RootAccessKey(
        answer["Account"]["AccountId"],
        server.region,
        server.endpoint_url,
        key["AccessKeyId"],
        key["SecretAccessKey"],
        server.ca_bundle,
    )


@account.command("list", epilog="Example: kagimori account list --data ./kagimori-data")
def list_accounts(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List the accounts of the deployment."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            found = [without_none(one) for one in accounts(data or Path())]
        else:
            pages = server.pages("ListAccounts")
            found = [
                {
                    "account_id": one["AccountId"],
                    "created_at": one["CreatedAt"],
                    "is_operator": one["IsOperator"],
                }
                for page in pages
                for one in page["Accounts"]
            ]
    if output is Output.JSON:
        print_json(found)
        return
    rows = [
        (one["account_id"], shown(one["created_at"]), "operators" if one["is_operator"] else "")
        for one in found
    ]
    print_table(("account", "made", ""), rows)
