"""Reads an audit folder from its beginning, in pieces, and has it verified.

audit/STREAM/*.jsonl        the journals
audit/digests/*.json        digests, signed
audit/public-key.pem        what the signatures are verified with (keep a copy elsewhere)
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.chain import START, BrokenLine, read_line
from kagimori.rules.chain.digest import FOLDER
from kagimori.rules.chain.digest_chain import Demands
from kagimori.rules.chain.findings import Expectation, Finding, StreamReport
from kagimori.rules.chain.verifier import StreamVerifier
from kagimori.trail.files import first_sequence_of, journal_files

PIECE_BYTES: Final = 1024 * 1024
LINE_BYTES_MAX: Final = 8 * 1024 * 1024


def stream_folders(audit: Path) -> list[Path]:
    """Return the folders of all streams, by name.

    Raises:
        OSError: the audit folder cannot be read.
    """
    return sorted(folder for folder in audit.iterdir() if folder.is_dir() and _is_stream(folder))


def _is_stream(folder: Path) -> bool:
    return folder.name != FOLDER and not folder.name.startswith(".")


def digest_files(audit: Path) -> list[tuple[str, bytes]]:
    """Return name and content of all digests, oldest first."""
    return json_files(audit / FOLDER)


def json_files(folder: Path) -> list[tuple[str, bytes]]:
    if folder.is_file():
        return [(folder.name, folder.read_bytes())]
    return [(file.name, file.read_bytes()) for file in sorted(folder.glob("*.json"))]


def verify_streams(audit: Path, demands: Demands, *, growing: bool) -> list[StreamReport]:
    """Return a report on every stream that is there, or that a digest says was.

    `growing`: a server writes to it now, so that an unfinished last line is none of our business.

    Raises:
        OSError: something cannot be read.
    """
    folders = {folder.name: folder for folder in stream_folders(audit)}
    reports = [verify_stream(folder, demands, growing=growing) for folder in folders.values()]
    gone = sorted(set(demands.expectations) - set(folders))
    return reports + [_removed(stream, demands.expectations[stream]) for stream in gone]


def verify_stream(folder: Path, demands: Demands, *, growing: bool = False) -> StreamReport:
    """Return the report on one stream."""
    stream = folder.name
    verifier = StreamVerifier(
        stream, demands.expectations.get(stream, ()), demands.beginnings.get(stream)
    )
    files = journal_files(folder)
    for file in files:
        verifier.file(file.name, first_sequence_of(file))
        for piece in pieces(file):
            verifier.piece(piece, may_grow=growing and file is files[-1])
    return verifier.end()


def newest_sequence_of(folder: Path) -> int:
    """Return the number of a stream's newest whole record; 0 if there is none.

    Raises:
        OSError: something cannot be read.
    """
    for file in reversed(journal_files(folder)):
        with file.open("rb", buffering=0) as content:
            size = content.seek(0, os.SEEK_END)
            content.seek(max(0, size - LINE_BYTES_MAX))
            lines = content.read().split(b"\n")[:-1]
        for line in reversed(lines):
            try:
                return read_line(line)[0]
            except BrokenLine:
                continue
    return 0


def pieces(file: Path) -> Iterator[bytes | None]:
    """Yield whole lines in pieces of bounded size, then the unfinished rest, if there is one.

    None stands for a line that is longer than any line of ours.
    """
    rest = b""
    skipping = False
    with file.open("rb", buffering=0) as content:
        while read := content.read(PIECE_BYTES):
            end = read.rfind(b"\n") + 1
            if not end:
                rest += read
                if len(rest) > LINE_BYTES_MAX:
                    rest, skipping = b"", True
                continue
            piece, rest = rest + read[:end], read[end:]
            if skipping:
                skipping = False
                yield None
                piece = piece[piece.find(b"\n") + 1 :]
            if piece:
                yield piece
    if skipping:
        yield None
    if rest:
        yield rest


def _removed(stream: str, wanted: Sequence[Expectation]) -> StreamReport:
    text = f"the whole stream is gone; {wanted[-1].source} signed {wanted[-1].sequence} records"
    finding = Finding(kinds.REMOVED_STREAM, text, stream)
    return StreamReport(stream, 0, 0, 0, START, 0, (finding,))
