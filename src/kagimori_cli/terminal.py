"""What the commands share: how a deployment is named, and how answers and refusals are printed."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The deployment's folder.")]


class Output(StrEnum):
    """For whom a command prints."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", help="For people, or for programs.")]


def print_json(value: Any) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value))


def give_up(reason: str) -> NoReturn:
    """End with one line that says why, and exit code 1."""
    print(f"kagimori: {' '.join(reason.split())}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(1)
