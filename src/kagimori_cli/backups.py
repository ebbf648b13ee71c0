"""`kagimori backup` and `kagimori restore`: copies of a deployment that are known to work."""

import base64
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec.structs import asdict

from kagimori.backups.drilling import Drill
from kagimori.backups.drilling import drill as drill_with
from kagimori.backups.making import BackupKey, Made, back_up
from kagimori.backups.own_hsm import own_backup_key
from kagimori.backups.proving import Proof, prove
from kagimori.backups.restoring import restore as restore_to
from kagimori.deployment.folder import Unusable
from kagimori.deployment.store_place import store_url
from kagimori_cli.admin import refusals_explained, server_for
from kagimori_cli.root_option import root_of
from kagimori_cli.store import PasswordFile
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json, unreadable
from kagimori_cli.times import shown

From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="The backup: a file; or a folder or s3://BUCKET/PREFIX, whose newest is taken.",
    ),
]
RootOption = Annotated[
    str,
    typer.Option(
        "--root",
        metavar="FILE|passphrase|shares",
        help="The file with the seal key; or a passphrase or shares, which are asked for.",
    ),
]
_MEGA: Final = 1_000_000

backup = typer.Typer(
    help="Back up a deployment, while it is served or not; prove that a backup works.",
    add_completion=False,
    invoke_without_command=True,
)


@backup.callback()
def make(
    context: typer.Context,
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The deployment's folder.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="A file; or a folder or s3://BUCKET/PREFIX, in which a new one gets a name.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a backup: encrypted, whole or not at all. It is useless without a root."""
    if context.invoked_subcommand is not None:
        return
    if data is None or to is None:
        unreadable("give --data DIR and --to PLACE")
    _check_place(to)
    with refusals_explained():
        made = back_up(data, to, lambda *asked: _key(data, *asked))
    _print_made(made, output)


@backup.command(
    epilog="Example: kagimori backup verify --from ./kagimori.backup --root ./seal.key",
)
def verify(*, place: From, root: RootOption, output: OutputOption = Output.TEXT) -> None:
    """Prove that a backup works: restore it on trial, and decrypt with it. Exit code 1 if not."""
    _check_place(place)
    try:
        proof = prove(place, root_of(root))
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(asdict(proof))
    else:
        _print_proof(proof)
    if not proof.works:
        raise typer.Exit(1)


@backup.command(
    epilog="Example: kagimori backup drill --data ./kagimori-data --root ./seal.key",
)
def drill(
    *,
    data: Data,
    root: RootOption,
    to: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Where the backup is to stay; by default nowhere."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a backup, restore it on trial, use it; measure recovery point and time."""
    if to is not None:
        _check_place(to)
    with refusals_explained():
        found = drill_with(data, root_of(root), lambda *asked: _key(data, *asked), to)
    if output is Output.JSON:
        members = asdict(found)
        members["made"], members["proof"] = asdict(found.made), asdict(found.proof)
        print_json(members)
    else:
        _print_drill(found)
    if not found.works:
        raise typer.Exit(1)


def restore(
    *,
    place: From,
    data: Data,
    root: RootOption,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An empty database for the store, postgresql://...; by default a file.",
        ),
    ] = None,
    store_password_file: PasswordFile = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Restore a backup to a new folder; a seal key goes there, too."""
    _check_place(place)
    try:
        url = None if store is None else store_url(store, store_password_file)
        restored = restore_to(place, data, root_of(root), store=url)
    except Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        members = asdict(restored) | {"shipped": asdict(restored.shipped)}
        del members["manifest"]
        print_json(members)
        return
    typer.echo(f"{data} is as it was at {shown(restored.made_at)}: what came later is lost.")
    if restored.shipped.records and restored.newest_record_at is not None:
        until = shown(restored.newest_record_at)
        typer.echo(f"{restored.shipped.records} shipped records: the trail goes to {until}.")
    for finding in restored.shipped.findings:
        typer.echo(f"trail: {finding}")
    typer.echo(f"Start it:  kagimori serve --data {data}")


def _check_place(place: str) -> None:
    scheme, is_url, _ = place.partition("://")
    if is_url and scheme != "s3":
        unreadable(f"{scheme}:// is no place for backups: give a file, a folder or s3://")


def _key(data: Path, backup_id: str, key_arn: str | None) -> BackupKey:
    """Return the key of a backup, from the server if there is one: it has an open HSM."""
    server = server_for(data, None)
    if server is None:
        return own_backup_key(data, backup_id, key_arn)
    answer = server.call("CreateBackupKey", BackupId=backup_id, KeyId=key_arn)
    plain, wrapped, sample = (
        base64.b64decode(answer.get(name, ""))
        for name in ("BackupKey", "WrappedBackupKey", "Sample")
    )
    return BackupKey(plain, wrapped, sample)


def _print_made(made: Made, output: Output) -> None:
    if output is Output.JSON:
        print_json(asdict(made))
        return
    rate = made.plain_bytes / _MEGA / max(made.seconds, 0.001)
    typer.echo(f"{made.path} holds the deployment as of {shown(made.made_at)}")
    typer.echo(f"{made.bytes / _MEGA:.1f} MB in {made.seconds:.1f} s ({rate:.0f} MB/s)")
    typer.echo("Only a root opens it: keep the seal key elsewhere.")


def _print_proof(proof: Proof) -> None:
    lines: dict[str, Any] = {
        "backup of": shown(proof.made_at),
        "recovery point": f"{proof.age_seconds:.0f} s ago: what came later is lost",
        "recovery time": f"{proof.restore_seconds:.1f} s to restore",
        "tokens opened": proof.tokens,
        "known text": proof.sample + (f" ({proof.sample_key})" if proof.sample_key else ""),
        "audit records": proof.records,
    }
    for name, value in lines.items():
        typer.echo(f"{name:15} {value}")
    if proof.record_age_seconds is not None and proof.shipped_records:
        shipped = (
            f"{proof.shipped_records} records, the newest {proof.record_age_seconds:.0f} s ago"
        )
        typer.echo(f"{'shipped trail':15} {shipped}")
    _print_findings(proof)
    typer.echo("the backup works" if proof.works else "THE BACKUP DOES NOT WORK AS IT SHOULD")


def _print_drill(found: Drill) -> None:
    newest = found.record_age_seconds
    age = "no record" if newest is None else f"newest record {newest:.1f} s ago"
    rows = [
        ("recovery point", f"state {found.change_age_seconds:.1f} s ago"),
        ("", f"{age}, {found.records_missing} records missing"),
        ("recovery time", f"{found.recovery_seconds:.1f} s"),
        *((f"  {name}", f"{seconds:.2f} s") for name, seconds in found.stages.items()),
        ("backup", f"{found.back_up_mb_per_second:.0f} MB/s of {found.plain_bytes / _MEGA:.1f} MB"),
        ("restore", f"{found.restore_mb_per_second:.0f} MB/s"),
        ("known text", found.proof.sample),
    ]
    print_table(("measured", "result"), rows)
    _print_findings(found.proof)
    typer.echo("the drill succeeded" if found.works else "THE DRILL FAILED")


def _print_findings(proof: Proof) -> None:
    for refused in proof.refused:
        typer.echo(f"does not open: {refused}")
    for finding in proof.findings:
        typer.echo(f"trail: {finding}")
