"""`kagimori audit prove-unused` and `audit status`: what the signed trail says as a whole."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kagimori.trail import reading, verification
from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, server_for
from kagimori_cli.audit_reading import time_option
from kagimori_cli.table import console, print_table
from kagimori_cli.terminal import EXIT_UNREADABLE, Output, OutputOption, print_json, unreadable
from kagimori_cli.times import shown
from kagimori_client.admin import AdminClient

_UNUSED = {"UNUSED": True, "USED": False, "UNKNOWN": None}


def prove_unused(
    *,
    data: Folder = None,
    endpoint: EndpointUrl = None,
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
    """Prove that a key was not used. Exit code 0: unused, 1: used, 2: unknown.

    Nothing is proven of a trail that is not intact, nor of a time that no digest signs yet.
    With `--checkpoints` or `--public-key`, the folder itself is read, whether it is served or not.
    """
    since, until = time_option(begin), time_option(end)
    if since is None or (until is not None and since >= until):
        unreadable("--from is a time before --to")
    is_held_to_copies = checkpoints is not None or public_key is not None
    if is_held_to_copies and data is None:
        unreadable("--checkpoints and --public-key go with --data")
    server = None
    if not is_held_to_copies:
        server = server_for(data, endpoint, exit_code=EXIT_UNREADABLE)
    with refusals_explained(exit_code=EXIT_UNREADABLE):
        if server is None:
            proof = reading.prove_unused(
                data or Path(), key, since, until, checkpoints=checkpoints, public_key=public_key
            ).as_json()
        else:
            proof = _proven(server, key, since, until)
    if output is Output.JSON:
        print_json({"key": key, "from": since, **proof})
    else:
        _show(key, proof)
    if proof["unused"] is None:
        raise typer.Exit(EXIT_UNREADABLE)
    if not proof["unused"]:
        raise typer.Exit(1)


def _proven(server: AdminClient, key: str, since: float, until: float | None) -> dict[str, Any]:
    answer = server.call("ProveKeyUnused", KeyId=key, Since=since, Until=until)
    return {
        "unused": _UNUSED[answer["Verdict"]],
        "why": answer["Reason"],
        "until": answer.get("Until"),
        "counts": {one["EventName"]: [one["Records"], one["Refused"]] for one in answer["Counts"]},
        "digests_relied_on": answer["DigestsReliedOn"],
        "records_read": answer["RecordsRead"],
        "notes": answer["Notes"],
    }


def _show(key: str, proof: dict[str, Any]) -> None:
    if proof["counts"]:
        rows = [(name, *map(str, pair)) for name, pair in sorted(proof["counts"].items())]
        print_table(("event", "records", "refused"), rows, right=("records", "refused"))
    lines = console()
    for note in proof["notes"]:
        lines.print(f"[dim]note: {note}[/]", highlight=False)
    rests = [f"{len(proof['digests_relied_on'])} digests", f"{proof['records_read']} records read"]
    if proof["until"] is not None:
        rests.append(f"up to {shown(proof['until'])}")
    verdict = {True: "[bold green]UNUSED", False: "[bold red]USED", None: "[bold red]UNKNOWN"}
    said = f"{verdict[proof['unused']]}[/]: {key}: {proof['why']} ({', '.join(rests)})"
    lines.print(said, soft_wrap=True)


def status(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """Show how far the trail is written and signed; `verify` says whether it is intact."""
    server = server_for(data, endpoint, exit_code=EXIT_UNREADABLE)
    with refusals_explained(exit_code=EXIT_UNREADABLE):
        found = _offline(data or Path()) if server is None else _online(server)
    if output is Output.JSON:
        print_json(found)
        return
    names = ("stream", "newest", "signed to")
    rows = [
        (one["name"], str(one["newest_sequence"]), str(one["signed_to"]))
        for one in found["streams"]
    ]
    print_table(names, rows, right=names[1:])
    typer.echo(f"{found['digests']} digests, the newest of {found['newest_digest_time'] or '-'}")
    typer.echo(f"{found['unsigned_records']} records are not signed yet")
    if not found["digests_intact"]:
        typer.echo("the digests are no whole chain; see `kagimori audit verify`")


def _offline(data: Path) -> dict[str, Any]:
    return verification.audit_status(data).as_json()


def _online(server: AdminClient) -> dict[str, Any]:
    answer = server.call("GetAuditStatus")
    newest = answer.get("NewestDigestTime")
    return {
        "streams": [
            {
                "name": one["Name"],
                "newest_sequence": one["NewestSequence"],
                "signed_to": one["SignedTo"],
            }
            for one in answer["Streams"]
        ],
        "unsigned_records": answer["UnsignedRecords"],
        "digests": answer["Digests"],
        "newest_digest_time": None if newest is None else shown(newest),
        "key_fingerprint": answer.get("KeyFingerprint"),
        "digests_intact": answer["DigestsIntact"],
    }
