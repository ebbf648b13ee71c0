"""Tables for people: the one way in which commands print rows."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width to fit into.
PIPE_COLUMNS: Final = 200


def console() -> Console:
    """Return where tables and lines go."""
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print rows under headings; columns in `right` are numbers, those in `whole` never wrap."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading in whole,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console().print(table)
