"""`kagimori twin`: when AWS would have throttled recorded requests, and what it would charge."""

import time
from collections import defaultdict
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, served
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, print_json, unreadable
from kagimori_cli.times import moment, shown
from kagimori_cli.usage import print_bill


class TwinProfile(StrEnum):
    """The profile of quotas that requests are replayed through."""

    AWS = "aws"
    OPEN = "open"


def twin(
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Requests from then on; 30d is ago.")
    ] = "30d",
    *,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Requests before then.")
    ] = None,
    profile: Annotated[
        TwinProfile, typer.Option("--profile", help="The quotas to replay through.")
    ] = TwinProfile.AWS,
    account_id: Annotated[
        str | None,
        typer.Option(
            "--account",
            metavar="ID",
            help="Whose; by default your account's, or for operators all.",
        ),
    ] = None,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Replay recorded requests through quotas: when they would be throttled, at what price."""
    now = time.time()
    try:
        start = moment(since, now)
        end = None if until is None else moment(until, now)
    except ValueError as reason:
        unreadable(str(reason))
    server = served(data, endpoint)
    with refusals_explained():
        answer = server.call(
            "ReplayQuotas",
            Profile=profile.value,
            AccountId=account_id,
            StartTime=start,
            EndTime=end,
        )
    found = plain_members(answer)
    if output is Output.JSON:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    typer.echo(
        f"{found['requests']:,} requests from {shown(found['start_time'])} to "
        f"{shown(found['end_time'])}, profile {found['profile']}: "
        f"{found['throttled']:,} would have been throttled."
    )
    if found["minutes"]:
        print_table(
            ("minute", "account", "region", "group", "requests", "throttled"),
            [
                (
                    shown(one["minute"]),
                    one["account_id"],
                    one["region"],
                    one["group_name"],
                    f"{one['requests']:,}",
                    f"{one['throttled']:,}",
                )
                for one in found["minutes"]
            ],
            right=("requests", "throttled"),
            whole=("minute", "account"),
        )
    if found["minutes_omitted"]:
        typer.echo(f"... and {found['minutes_omitted']:,} minutes more")
    for bill in found["bills"]:
        print_bill(bill)
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for bill in found["bills"]:
        totals[bill["price_list"], bill["currency"]] += Decimal(bill["total"])
    for (prices, currency), total in totals.items():
        typer.echo(f"Together, prices {prices}: {total} {currency}")
