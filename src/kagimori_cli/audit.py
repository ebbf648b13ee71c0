"""`kagimori audit`: is the trail intact, who did what, and what was never done."""

from pathlib import Path
from typing import Annotated, Final

import typer

from kagimori.deployment.folder import Unusable
from kagimori.trail import acceptance, verification
from kagimori_cli import audit_reading, proofs
from kagimori_cli.table import console, print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json, unreadable

EXIT_NOT_INTACT: Final = 1
EXIT_MISSING: Final = 3
FINDINGS_SHOWN: Final = 50
_COLUMNS: Final = ("stream", "files", "records", "from", "to", "signed to")

audit = typer.Typer(
    help="The audit trail: verified, searched, followed.",
    no_args_is_help=True,
    add_completion=False,
)

audit.command(epilog="Example: kagimori audit tail --data ./kagimori-data --follow")(
    audit_reading.tail
)
audit.command(
    epilog="Example: kagimori audit search --data ./kagimori-data --event Decrypt --since 2d"
)(audit_reading.search)
audit.command(
    name="prove-unused",
    epilog="Example: kagimori audit prove-unused --data ./kagimori-data --key 1234abcd-... "
    "--from 2026-01-01 --to 2026-04-01",
)(proofs.prove_unused)
audit.command(epilog="Example: kagimori audit status --data ./kagimori-data")(proofs.status)


@audit.command(
    epilog="Example: kagimori audit verify --data ./kagimori-data --checkpoints /mnt/elsewhere"
)
def verify(
    data: Data,
    checkpoints: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Digests that `serve --checkpoint` copied elsewhere."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM; by default the one beside the trail."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Verify the whole trail. Exit code 0: intact, 1: not intact, 2: cannot be read.

    3: what should be there to verify it with is missing.

    DIR may also be a copy of the `audit` folder alone, on another machine.
    """
    try:
        found = verification.verify(data, checkpoints=checkpoints, public_key=public_key)
    except Unusable as reason:
        unreadable(str(reason))
    if output is Output.JSON:
        print_json(found.as_json())
    else:
        _show(found)
    if not found.intact:
        raise typer.Exit(EXIT_MISSING if found.is_missing else EXIT_NOT_INTACT)


@audit.command(epilog="Example: kagimori audit public-key --data ./kagimori-data > audit-key.pem")
def public_key(data: Data) -> None:
    """Print the public key that digests are verified with (PEM). Keep a copy elsewhere."""
    try:
        typer.echo(verification.public_key_pem(data), nl=False)
    except Unusable as reason:
        give_up(str(reason))


@audit.command(epilog="Example: kagimori audit reindex --data ./kagimori-data")
def reindex(data: Data) -> None:
    """Make the index that look-ups use anew, from the journals."""
    try:
        records = verification.reindex(data)
    except Unusable as reason:
        give_up(str(reason))
    if records is None:
        typer.echo("The old index is gone; the running server is making a new one.")
    else:
        typer.echo(f"{records} records indexed.")


@audit.command(
    name="accept-loss", epilog="Example: kagimori audit accept-loss --data ./kagimori-data"
)
def accept_loss(data: Data) -> None:
    """Let a deployment go on whose journal lost records that had been acknowledged.

    The damaged stream is closed and kept as it is; its worker goes on in another. What was lost
    and that it was accepted is recorded.
    """
    try:
        accepted = acceptance.accept_loss(data)
    except Unusable as reason:
        give_up(str(reason))
    for loss in accepted:
        typer.echo(f"Stream {loss.stream} is closed: {loss.why}")
    if not accepted:
        typer.echo("No journal lacks anything that its end would show; nothing was changed.")


def _show(found: verification.Verification) -> None:
    rows = [
        (
            report.stream,
            *map(
                str,
                (
                    report.files,
                    report.records,
                    report.first_sequence,
                    report.newest.sequence,
                    report.signed_to,
                ),
            ),
        )
        for report in found.streams
    ]
    print_table(_COLUMNS, rows, right=_COLUMNS[1:])
    lines = console()
    lines.print(f"{found.digests} digests, the newest of {found.newest_digest_time or '-'}")
    for finding in found.findings[:FINDINGS_SHOWN]:
        place = [finding.stream, finding.file, finding.line and f"line {finding.line}"]
        where = ", ".join(str(part) for part in place if part)
        lines.print(f"[bold red]{finding.kind}[/]: {where}: {finding.message}", highlight=False)
    more = len(found.findings) - FINDINGS_SHOWN + found.findings_more
    if more > 0:
        lines.print(f"and {more} more")
    for note in found.notes:
        lines.print(f"[dim]note: {note}[/]", highlight=False)
    verdict = (
        "[bold green]intact"
        if found.intact
        else ("[bold red]NOTHING TO VERIFY IT WITH" if found.is_missing else "[bold red]NOT INTACT")
    )
    lines.print(f"{verdict}[/]: {found.records} records")
