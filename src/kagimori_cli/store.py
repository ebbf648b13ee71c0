"""`kagimori store`: where a deployment keeps what it knows, and moves of that."""

from pathlib import Path
from typing import Annotated

import typer

from kagimori.deployment import store_moves
from kagimori.deployment.folder import Unusable
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json

store = typer.Typer(
    help="The store: its schema, and copies in other databases.",
    no_args_is_help=True,
    add_completion=False,
)

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--store-password-file",
        metavar="FILE",
        help="The database's password, in a line of a private file.",
    ),
]


@store.command(epilog="Example: kagimori store migrate --data ./kagimori-data")
def migrate(data: Data, output: OutputOption = Output.TEXT) -> None:
    """Bring the schema of the store to the newest; a server does so when it starts."""
    try:
        schema = store_moves.migrate(data)
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json({"schema": schema})
        return
    typer.echo(f"The store has schema {schema}.")


@store.command(
    epilog="Example: kagimori store copy --from ./kagimori-data "
    "--to postgresql://kagimori@localhost/kagimori"
)
def copy(
    source: Annotated[
        str,
        typer.Option("--from", metavar="PLACE", help="A data folder, a database file, or a URL."),
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="An empty or new one of these.")
    ],
    store_password_file: PasswordFile = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Copy a store into an empty one of either kind, and check each row; stop its servers first."""
    try:
        tables = store_moves.copy(source, target, password_file=store_password_file)
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        members = [{"table": one.name, "rows": one.rows, "sha256": one.sha256} for one in tables]
        print_json({"tables": members})
        return
    rows = [(one.name, str(one.rows), one.sha256[:16]) for one in tables]
    print_table(("table", "rows", "sha256"), rows, right=("rows",))


@store.command(
    epilog="Example: kagimori store use postgresql://kagimori@localhost/kagimori "
    "--data ./kagimori-data"
)
def use(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="A URL, or the kagimori.db in the folder.")
    ],
    data: Data,
    store_password_file: PasswordFile = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Have a deployment use a copy of its store from now on; the former one stays as it is."""
    try:
        moved = store_moves.use(data, place, password_file=store_password_file)
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json({"before": moved.before, "now": moved.now})
        return
    typer.echo(f"The store is {moved.now}; {moved.before} is not used any more.")
