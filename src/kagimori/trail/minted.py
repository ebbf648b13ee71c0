"""Reads the HSM's journal, and the records that must exist for its credentials."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.rules.chain.findings import Finding
from kagimori.rules.chain.minted import (
    MARKS,
    findings_of,
    given_out,
    read_minted,
    unrecorded,
)
from kagimori.trail.files import journal_files
from kagimori.trail.reader import pieces, stream_folders

# How long after it was made the record of a credential may come, while a server runs.
RECORD_SECONDS_MAX: Final = 5.0


class _Time(Struct):
    record: dict[str, Any]


_decode_time = msgspec.json.Decoder(_Time).decode


def hsm_journal_of(audit: Path) -> Path:
    """Return where the HSM's journal is, beside an audit folder."""
    return audit.parent / "hsm" / "journal.jsonl"


def hold_minted(audit: Path, *, growing: bool) -> list[Finding]:
    """Return credentials of the HSM without a record, and faults of its journal.

    Raises:
        OSError: something cannot be read.
    """
    journal = hsm_journal_of(audit)
    if not journal.is_file():
        return []
    lines = [line for piece in pieces(journal) for line in _lines(piece)]
    minted, findings = read_minted(lines)
    since = _kept_since(audit)
    missing = unrecorded(minted, _recorded(audit), since)
    youngest = max((one.at for one in missing), default=0.0)
    patience = youngest + RECORD_SECONDS_MAX - time.time()
    if growing and 0.0 < patience <= RECORD_SECONDS_MAX:
        # The HSM's line is there before the record can be.
        time.sleep(patience)
        missing = unrecorded(missing, _recorded(audit), since)
    when = {
        one.access_key_id: datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds")
        for one in missing
    }
    return findings + findings_of(missing, when)


def _lines(piece: bytes | None) -> list[bytes]:
    # What is not ended by a newline is being written; the HSM answers once it is.
    return [] if piece is None or not piece.endswith(b"\n") else piece[:-1].split(b"\n")


def _recorded(audit: Path) -> dict[str, None]:
    """Return the access keys that records give out."""
    found: dict[str, None] = {}
    for folder in stream_folders(audit):
        for file in journal_files(folder):
            for piece in pieces(file):
                if piece is None or not any(mark in piece for mark in MARKS):
                    continue
                for line in piece.split(b"\n"):
                    access_key_id = given_out(line)
                    if access_key_id is not None:
                        found[access_key_id] = None
    return found


def _kept_since(audit: Path) -> float:
    """Return since when all records are kept: retention may have taken those before away."""
    times = [_first_time(journal_files(folder)) for folder in stream_folders(audit)]
    return max(times, default=0.0)


def _first_time(files: list[Path]) -> float:
    """Return the time of a stream's first record, if others were before it; 0 if it is whole."""
    for file in files:
        with file.open("rb") as content:
            line = content.readline()
        if line.startswith(b'{"sequence":1,'):
            return 0.0
        try:
            recorded = _decode_time(line).record["eventTime"]
            return datetime.fromisoformat(recorded).timestamp()
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
            continue
    return 0.0
