"""`kagimori evidence`: controls and live facts of a deployment, for auditors, as HTML and JSON."""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, served
from kagimori_cli.evidence_answers import Answers
from kagimori_cli.terminal import give_up
from kagimori_evidence.asking import Ask, Refused, collected
from kagimori_evidence.collecting import Bounds, report_of
from kagimori_evidence.document import as_html

JSON_NAME: Final = "evidence.json"
HTML_NAME: Final = "evidence.html"
_MODE: Final = 0o600


def evidence(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write; made if it is absent.")
    ],
    *,
    data: Folder = None,
    endpoint: EndpointUrl = None,
) -> None:
    """Write evidence.html and evidence.json: controls of key management, with live facts.

    They are of the account that asks; what it may not read is named in them.
    """
    server = served(data, endpoint)
    with refusals_explained():
        answers = Answers(server)
        (asker,) = answers([Ask("sts", "GetCallerIdentity")])
        if isinstance(asker, Refused):
            give_up(asker.message or asker.code)
        report = collected(
            report_of(time.time(), server.endpoint_url, [server.region], Bounds()), answers
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(out / JSON_NAME, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        _write(out / HTML_NAME, as_html(report))
    except OSError as problem:
        give_up(f"{out} cannot be written: {problem.strerror}")
    typer.echo(f"{out / HTML_NAME} and {out / JSON_NAME} are written.")
    missing = len(report["not_read"])
    if missing:
        typer.echo(f"{missing} parts could not be read; the report names them.")


def _write(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
