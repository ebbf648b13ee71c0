"""`kagimori quota`: how often an account may call, and other numbers for one account."""

from typing import Annotated, Any

import typer

from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, server_for
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_client.admin import AdminClient

quota = typer.Typer(help="Request quotas of accounts.", no_args_is_help=True, add_completion=False)


@quota.command(epilog="Example: kagimori quota show --data ./kagimori-data")
def show(
    account_id: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="Whose; by default those of your account."),
    ] = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show how often an account may call in the region, by groups of operations."""
    server = _served(data, endpoint)
    with refusals_explained():
        answer = server.call("ListQuotas", AccountId=account_id)
    if output is Output.JSON:
        print_json(plain_members(answer))
        return
    typer.echo(f"Account {answer['AccountId']}, profile {answer['Profile']}, each second:")
    print_table(
        ("group", "number", "default", "asked for", "of"),
        [_row(one) for one in answer["Quotas"]],
        right=("number", "default", "asked for"),
    )


@quota.command(
    "set",
    epilog="Example: kagimori quota set --account 111122223333 Changes 50 --data ./kagimori-data",
)
def set_quota(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="As `quota show` names it.")],
    number: Annotated[
        float | None,
        typer.Argument(
            metavar="NUMBER", help="Each second; without it, what every account has.", min=0.01
        ),
    ] = None,
    *,
    account_id: Annotated[str, typer.Option("--account", metavar="ID", help="Whose.")],
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Give an account another number in the region, in force at once; for operators."""
    server = _served(data, endpoint)
    with refusals_explained():
        answer = server.call("SetQuota", AccountId=account_id, GroupName=group, Value=number)
    if output is Output.JSON:
        print_json(plain_members(answer))
    else:
        shown = answer["Quota"]
        typer.echo(
            f"{shown['GroupName']} of account {answer['AccountId']}: {_plain(shown['Value'])}"
        )


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    asked_for = one.get("RequestedValue")
    return (
        one["GroupName"],
        _plain(one["Value"]),
        _plain(one["DefaultValue"]),
        "" if asked_for is None else _plain(asked_for),
        one["Unit"],
    )


def _plain(number: float) -> str:
    return f"{number:,.2f}".removesuffix("0").removesuffix(".0")


def _served(data: Any, endpoint: str | None) -> AdminClient:
    server = server_for(data, endpoint)
    if server is None:
        give_up(f"{data} is not being served")
    return server
