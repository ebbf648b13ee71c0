"""`kagimori audit tail`, `search` and `prove-unused`: records for people, and for programs."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kagimori.rules.chain.unused import Proof
from kagimori.rules.records.entry import Entry
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.times import iso_time, moment
from kagimori.server.start import Unusable, audit_reading
from kagimori_cli.terminal import (
    EXIT_UNREADABLE,
    Data,
    Output,
    OutputOption,
    print_json,
    unreadable,
)

TAIL_LINES: Final = 20
Found = tuple[str, Entry, bytes]

Key = Annotated[str | None, typer.Option(metavar="K", help="Key id or ARN.")]
Who = Annotated[
    str | None, typer.Option(metavar="USER", help="User, session, ARN or access key id; root.")
]
Event = Annotated[str | None, typer.Option(metavar="NAME", help="Like Decrypt.")]
Failed = Annotated[bool, typer.Option("--failed", help="Refusals only.")]
Time = Annotated[
    str | None, typer.Option(metavar="T", help="2d, 12h, 30m (ago), a date or an ISO 8601 time.")
]


def tail(
    data: Data,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = TAIL_LINES,
    key: Key = None,
    who: Who = None,
    event: Event = None,
    failed: Failed = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the newest records."""
    wanted = RecordFilter(key=key, who=who, event=event, failed=failed)
    try:
        # The end is found before what is there is shown, so that nothing falls between.
        coming = audit_reading.follow(data, wanted) if follow else None
        _print(audit_reading.search(data, wanted, lines), output)
        if coming is not None:
            _print_lines(coming, output)
    except Unusable as reason:
        unreadable(str(reason))
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(0) from None


def search(
    data: Data,
    *,
    key: Key = None,
    who: Who = None,
    event: Event = None,
    failed: Failed = False,
    since: Time = None,
    until: Time = None,
    newest: Annotated[int | None, typer.Option(min=1, help="So many at most.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Find records. With `--output json`, each is one line, as it was recorded."""
    wanted = RecordFilter(
        key=key,
        who=who,
        event=event,
        since=_moment(since),
        until=_moment(until),
        failed=failed,
    )
    try:
        _print(audit_reading.search(data, wanted, newest), output)
    except Unusable as reason:
        unreadable(str(reason))
    except BrokenPipeError:
        raise typer.Exit(0) from None


def prove_unused(
    *,
    data: Data,
    key: Annotated[str, typer.Option(metavar="K", help="Key id or ARN.")],
    begin: Annotated[str, typer.Option("--from", metavar="T", help="A time, or 90d (ago).")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="T", help="Not included; by default the newest digest."),
    ] = None,
    checkpoints: Annotated[Path | None, typer.Option(metavar="PATH")] = None,
    public_key: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Prove that a key was not used. Exit code 0: unused, 1: used, 2: cannot be told.

    Nothing is proven of a trail that is not intact, nor of a time that no digest signs yet.
    """
    since, until = _moment(begin), _moment(end)
    if since is None or (until is not None and since >= until):
        unreadable("--from is a time before --to")
    try:
        proof = audit_reading.prove_unused(
            data, key, since, until, checkpoints=checkpoints, public_key=public_key
        )
    except Unusable as reason:
        unreadable(str(reason))
    if output is Output.JSON:
        print_json({"key": key, "from": since, **proof.as_json()})
    else:
        _show_proof(key, proof)
    if proof.unused is None:
        raise typer.Exit(EXIT_UNREADABLE)
    if not proof.unused:
        raise typer.Exit(1)


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else moment(text, time.time())
    except ValueError as reason:
        unreadable(str(reason))


def _print(found: Iterable[Found], output: Output) -> None:
    if output is Output.JSON:
        _print_lines(found, output)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("time", "who", "event", "on", "result", "from"):
        table.add_column(name, no_wrap=name in ("time", "event", "result"), overflow="fold")
    for _, entry, _ in found:
        table.add_row(*_cells(entry))
    # A pipe has no width to fit into.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _print_lines(found: Iterable[Found], output: Output) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    for _, entry, record in found:
        if output is Output.JSON:
            typer.echo(record)
        else:
            console.print(Text("  ").join(_cells(entry)), soft_wrap=True)
        sys.stdout.flush()


def _cells(entry: Entry) -> list[Text]:
    result = Text("ok", style="green")
    if entry.error_code is not None:
        result = Text(entry.error_code, style="red")
    who = entry.user_identity.shown_name or entry.user_identity.access_key_id or "?"
    account = entry.recipient_account_id
    on = ", ".join(_short(resource.arn, account) for resource in entry.resources or ())
    return [
        Text(entry.event_time.replace("T", " ").rstrip("Z"), style="dim"),
        Text(who, style="cyan"),
        Text(entry.event_name, style="bold" if not entry.read_only else ""),
        Text(on or "-"),
        result,
        Text(entry.source_ip_address, style="dim"),
    ]


def _short(arn: str, account_id: str) -> str:
    """Return the name within the account; a foreign one as it is."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[4] != account_id:  # noqa: PLR2004 - of an ARN
        return arn
    return parts[5].removeprefix("key/")


def _show_proof(key: str, proof: Proof) -> None:
    console = Console()
    if proof.counts:
        table = Table("event", "records", "refused", box=None, pad_edge=False)
        for name, (records, refused) in sorted(proof.counts.items()):
            table.add_row(name, str(records), str(refused))
        console.print(table)
    for note in proof.notes:
        console.print(f"[dim]note: {note}[/]", highlight=False)
    rests: list[Any] = [f"{len(proof.digests_relied_on)} digests"]
    rests.append(f"{proof.records_read} records read")
    if proof.until is not None:
        rests.append(f"up to {iso_time(proof.until)}")
    verdict = {True: "[bold green]UNUSED", False: "[bold red]USED", None: "[bold red]CANNOT TELL"}
    console.print(f"{verdict[proof.unused]}[/]: {key}: {proof.why} ({', '.join(rests)})")
