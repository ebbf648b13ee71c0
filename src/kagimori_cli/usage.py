"""`kagimori usage`: who used what in a month, and what AWS would have charged for it."""

import csv
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, served
from kagimori_cli.table import print_table
from kagimori_cli.terminal import print_json

PAGE_SIZE: Final = 1000
_COLUMNS: Final = (
    "account_id", "region", "service", "name", "requests", "billed_requests", "version_hours",
)  # fmt: skip


class By(StrEnum):
    """The name that requests are counted by."""

    OPERATION = "operation"
    KEY = "key"
    PRINCIPAL = "principal"


class Form(StrEnum):
    """The form of the output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def usage(
    month: Annotated[
        str | None,
        typer.Option("--month", metavar="YYYY-MM", help="Of which month (UTC); by default this."),
    ] = None,
    *,
    by: Annotated[By, typer.Option("--by", help="Count the requests by this.")] = By.OPERATION,
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
    output: Annotated[Form, typer.Option("--output", help="The form of the output.")] = Form.TABLE,
) -> None:
    """Show the requests and key versions of a month, and what AWS would have charged for them.

    Prices are those of November 2018 and of now. As CSV, there are the counts alone.
    """
    server = served(data, endpoint)
    with refusals_explained():
        pages = list(
            server.pages(
                "GetUsage",
                Month=month,
                GroupBy=by.value.upper(),
                AccountId=account_id,
                MaxResults=PAGE_SIZE,
            )
        )
    found = {
        "month": pages[0]["Month"],
        "by": by.value,
        "entries": [plain_members(one) for page in pages for one in page["Entries"]],
        "bills": plain_members(pages[0]["Bills"]),
    }
    if output is Form.JSON:
        print_json(found)
    elif output is Form.CSV:
        _print_csv(found["entries"])
    else:
        _print_tables(found)


def _print_csv(entries: Iterable[dict[str, Any]]) -> None:
    """Print entries; version hours are those of the first version, then of each rotation."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in entries:
        hours = " ".join(map(str, entry["version_hours"]))
        writer.writerow([*(entry.get(name, "") for name in _COLUMNS[:-1]), hours])


def _print_tables(found: dict[str, Any]) -> None:
    typer.echo(f"Usage of {found['month']}, by {found['by']}:")
    print_table(
        ("account", "region", "service", found["by"], "requests", "billed", "version hours"),
        [_row(entry) for entry in found["entries"]],
        right=("requests", "billed", "version hours"),
        whole=("account",),
    )
    for bill in found["bills"]:
        print_bill(bill)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry.get("account_id", "(not identified)"),
        entry.get("region", ""),
        entry.get("service", ""),
        entry.get("name", "(none)"),
        f"{entry['requests']:,}",
        f"{entry['billed_requests']:,}",
        " + ".join(map(str, entry["version_hours"])),
    )


def print_bill(bill: dict[str, Any]) -> None:
    """Print the bill of an account by one price list, as AWS would have charged it."""
    typer.echo("")
    typer.echo(
        f"AWS would have charged account {bill['account_id']} for {bill['month']}, prices "
        f"{bill['price_list']}: {bill['total']} {bill['currency']}"
    )
    print_table(
        ("item", "region", "quantity", "free", "of", "price", "amount"),
        [
            (
                line["item"],
                line["region"],
                line["quantity"],
                line["free_quantity"],
                line["unit"],
                line["unit_price"],
                line["amount"],
            )
            for line in bill["lines"]
        ],
        right=("quantity", "free", "price", "amount"),
    )
