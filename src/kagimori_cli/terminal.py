"""Common options of the commands, and the printing of answers and errors."""

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

EXIT_UNREADABLE: Final = 2

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The deployment's folder.")]


class Output(StrEnum):
    """The form in which a command prints: for people, or JSON."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", help="For people, or for programs.")]


def print_json(value: Any) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value))


def without_none(made: Any) -> dict[str, Any]:
    """Return the members of a struct that there are."""
    members = {name: getattr(made, name) for name in made.__struct_fields__}
    return {name: value for name, value in members.items() if value is not None}


def complain(reason: str) -> None:
    """Print one line that says what is wrong, where it does not mix with answers."""
    print(f"kagimori: {' '.join(reason.split())}", file=sys.stderr)  # noqa: T201


def give_up(reason: str) -> NoReturn:
    """End with one line that says why, and exit code 1."""
    complain(reason)
    raise typer.Exit(1)


def become_server(module: str, *arguments: str) -> NoReturn:
    """Hand this process over to the server, which needs nothing of the command line any more."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606


def unreadable(reason: str) -> NoReturn:
    """End with one line that says why, and exit code 2."""
    complain(reason)
    raise typer.Exit(EXIT_UNREADABLE)
