"""`kagimori policy test`: what a key policy would change, before it is set."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kagimori.trail.policy_replay import try_policy as try_policy_offline
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, server_for
from kagimori_cli.terminal import EXIT_UNREADABLE, Output, OutputOption, print_json, unreadable
from kagimori_cli.times import moment, shown
from kagimori_client.admin import AdminClient

EXIT_FAILS: Final = 1
# What the answer has, what commands print it as, and its heading.
_LISTS: Final = (
    ("NewlyFailing", "newly_fail", "would newly fail"),
    ("NewlyPassing", "newly_pass", "would newly pass"),
    ("Uncertain", "uncertain", "stay unknown by the records"),
    ("FailingAlready", "fail_already", "were allowed, and fail by today's policies already"),
)

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
    data: Folder = None,
    endpoint: EndpointUrl = None,
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
        begins = moment(since, time.time())
    except OSError as problem:
        unreadable(f"{file} cannot be read: {problem.strerror}")
    except ValueError as reason:
        unreadable(str(reason))
    server = server_for(data, endpoint, exit_code=EXIT_UNREADABLE)
    with refusals_explained(exit_code=EXIT_UNREADABLE):
        if server is None:
            found = try_policy_offline(data or Path(), key, text, begins).as_json()
        else:
            found = _tried(server, key, text, begins)
    if output is Output.JSON:
        print_json(found)
    else:
        _show(found)
    if found["newly_fail"]:
        raise typer.Exit(EXIT_FAILS)


def _tried(server: AdminClient, key: str, text: str, since: float) -> dict[str, Any]:
    answer = server.call("TestKeyPolicy", KeyId=key, Policy=text, Since=since)
    return {
        "requests": answer["Requests"],
        "first": _time(answer.get("First")),
        "last": _time(answer.get("Last")),
        **{name: [_group(one) for one in answer[member]] for member, name, _ in _LISTS},
    }


def _group(group: dict[str, Any]) -> dict[str, Any]:
    return {
        "caller": group["Caller"],
        "action": group["Action"],
        "why": group["Why"],
        "count": group["Count"],
        "first": _time(group["First"]),
        "last": _time(group["Last"]),
        "unknown": group["Unknown"],
    }


def _time(at: float | None) -> str | None:
    return None if at is None else shown(at)


def _show(found: dict[str, Any]) -> None:
    when = f", {found['first']} to {found['last']}" if found["requests"] else ""
    typer.echo(f"{found['requests']} recorded requests{when}")
    for _, name, heading in _LISTS:
        groups = found[name]
        if groups:
            typer.echo(f"{sum(group['count'] for group in groups)} {heading}:")
            for group in groups:
                typer.echo(f"  {group['count']} x {group['action']} by {group['caller']}")
                typer.echo(f"    {group['first']} to {group['last']}: {group['why']}")
    if not found["newly_fail"]:
        typer.echo("nothing newly fails")
