"""`kagimori policy test`: what a key policy would change, before it is set."""

import time
from pathlib import Path
from typing import Annotated

import typer

from kagimori.rules.authorization.replay import Change, Group, Tally
from kagimori.rules.records.times import moment
from kagimori.server.start import Unusable, policy_replay
from kagimori_cli.terminal import Data, Output, OutputOption, print_json, unreadable

EXIT_FAILS = 1
_HEADINGS = {
    Change.NEWLY_FAILS: "would newly fail",
    Change.NEWLY_PASSES: "would newly pass",
    Change.UNCERTAIN: "cannot be told from the records",
    Change.FAILS_ALREADY: "were allowed, and fail by today's policies already",
}

policy = typer.Typer(
    help="Key policies, before they are set.", no_args_is_help=True, add_completion=False
)


@policy.callback()
def _only() -> None:
    """Keep `test` a command of its own, though it is the only one."""


@policy.command(
    name="test",
    epilog="Example: kagimori policy test --data ./kagimori-data --key alias/orders "
    "--policy new.json --since 30d",
)
def try_policy(
    *,
    data: Data,
    key: Annotated[str, typer.Option(metavar="K", help="Key id, ARN or alias.")],
    file: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="The key policy to try, JSON.")
    ],
    since: Annotated[
        str, typer.Option(metavar="T", help="30d, 12h, 30m (ago), a date or an ISO 8601 time.")
    ] = "30d",
    output: OutputOption = Output.TEXT,
) -> None:
    """Try a key policy on recorded requests.

    Exit code 0: nothing newly fails, 1: something does, 2: it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
        tally = policy_replay.try_policy(data, key, text, moment(since, time.time()))
    except OSError as problem:
        unreadable(f"{file} cannot be read: {problem.strerror}")
    except (Unusable, ValueError) as reason:
        unreadable(str(reason))
    if output is Output.JSON:
        print_json(tally.as_json())
    else:
        _show(tally)
    if tally.of(Change.NEWLY_FAILS):
        raise typer.Exit(EXIT_FAILS)


def _show(tally: Tally) -> None:
    when = f", {tally.first} to {tally.last}" if tally.requests else ""
    typer.echo(f"{tally.requests} recorded requests{when}")
    for change, heading in _HEADINGS.items():
        groups = tally.of(change)
        if groups:
            typer.echo(f"{sum(group.count for group in groups)} {heading}:")
            for group in groups:
                _show_group(group)
    if not tally.of(Change.NEWLY_FAILS):
        typer.echo("nothing newly fails")


def _show_group(group: Group) -> None:
    typer.echo(f"  {group.count} x {group.action} by {group.caller}")
    typer.echo(f"    {group.first} to {group.last}: {group.why}")
