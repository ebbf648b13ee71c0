"""Verifies one stream of the audit journal: lines in, findings out.

Nearly every line is the next one of its chain, and costs a comparison and a hash. Only a line
that is not gets a closer look, which names the change and finds the place to go on from,
so that one change is one finding.
"""

from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.chain import GENESIS, BrokenLine, Link, read_line
from kagimori.rules.chain.findings import (
    FINDINGS_MAX,
    Beginning,
    Expectation,
    Finding,
    StreamReport,
)

# How far back a line may refer and still be recognised as a second continuation.
RECENT_MAX: Final = 4096
_NEVER: Final = 1 << 63


class _Gap:
    """Records that should have come before the ones after them; perhaps they still come."""

    __slots__ = ("first", "found", "last", "position")

    def __init__(self, first: int, last: int, position: int) -> None:
        self.first, self.last, self.position = first, last, position
        self.found = 0


class StreamVerifier:
    """Verifies a stream against its hash chain and its signed digests. Memory is bounded."""

    def __init__(
        self,
        stream: str,
        expectations: Iterable[Expectation] = (),
        beginning: Beginning | None = None,
    ) -> None:
        self._stream = stream
        self._beginning = beginning or Beginning()
        self._wanted = sorted(expectations, key=lambda wanted: wanted.sequence, reverse=True)
        self._next_wanted = self._wanted[-1].sequence if self._wanted else _NEVER
        self._held_to: Expectation | None = None  # the newest expectation that was met
        self._contradicted = False
        self._link = Link(self._beginning.sequence - 1, self._beginning.previous)
        self._recent: deque[str] = deque(maxlen=RECENT_MAX)
        self._findings: list[Finding] = []
        self._more = 0
        self._gaps: list[_Gap] = []
        self._file, self._line, self._files, self._records = "", 0, 0, 0
        self._first_sequence = 0
        # Lines that could not be read, and the record after which they stand.
        self._unreadable, self._unreadable_after = 0, 0

    def file(self, name: str, first_sequence: int | None) -> None:
        """Go on to the next file; `first_sequence` is what its name says (None: no such name)."""
        self._file, self._line = name, 0
        self._files += 1
        if first_sequence is None:
            self._find(kinds.STRAY_FILE, "its name is not that of a journal's file", line=None)

    def feed(self, lines: list[bytes]) -> None:
        """Take the next lines, without their newlines."""
        sequence, line_hash = self._link.sequence, self._link.line_hash
        expected = _head_after(sequence, line_hash)
        number, next_wanted, remember = self._line, self._next_wanted, self._recent.append
        for line in lines:
            number += 1
            if line.startswith(expected) and line.endswith(b"}}"):
                sequence += 1
                line_hash = sha256(line).hexdigest()
                expected = b'{"sequence":%d,"previous":"%s","record":{' % (
                    sequence + 1,
                    line_hash.encode(),
                )
                remember(line_hash)
                if sequence >= next_wanted:
                    self._line = number
                    self._pass(sequence, line_hash)
                    next_wanted = self._next_wanted
                continue
            self._link, self._line = Link(sequence, line_hash), number
            self._look_closer(line)
            sequence, line_hash = self._link.sequence, self._link.line_hash
            expected = _head_after(sequence, line_hash)
            next_wanted = self._next_wanted
        if self._first_sequence == 0 and lines:
            self._first_sequence = self._beginning.sequence
        self._records += len(lines)
        self._link, self._line = Link(sequence, line_hash), number

    def piece(self, content: bytes | None, *, may_grow: bool = False) -> None:
        """Take the next piece of a file: whole lines, or an unfinished rest.

        None stands for a line that is longer than any record. `may_grow`: the rest is still being
        written.
        """
        if content is None:
            self.too_long()
        elif content.endswith(b"\n"):
            lines = content.split(b"\n")
            lines.pop()
            self.feed(lines)
        elif not may_grow:
            self.unfinished(len(content))

    def too_long(self) -> None:
        """Add a finding for a line that is longer than any record."""
        self._line += 1
        self._records += 1
        self._count_unreadable()
        self._find(kinds.DAMAGED, "longer than any record")

    def unfinished(self, length: int) -> None:
        """Add a finding for bytes at the end of a file without a newline."""
        self._line += 1
        self._find(
            kinds.UNFINISHED,
            f"{length} bytes without a line's end: a crash leaves such, and the next start cuts "
            "them off; nothing was answered on their strength",
        )

    def end(self) -> StreamReport:
        """Return the report; call once, last."""
        for gap in self._gaps:
            self._settle(gap)
        missed = [wanted for wanted in self._wanted if wanted.sequence > self._link.sequence]
        if missed:
            newest = missed[0]
            self._find(
                kinds.CUT_TAIL,
                f"the journal ends with record {self._link.sequence}, but {newest.source} signed "
                f"up to record {newest.sequence}: "
                f"{newest.sequence - self._link.sequence} records are missing",
                sequence=self._link.sequence + 1,
            )
        return StreamReport(
            stream=self._stream,
            files=self._files,
            records=self._records,
            first_sequence=self._first_sequence,
            newest=self._link,
            signed_to=self._held_to.sequence if self._held_to is not None else 0,
            findings=tuple(self._findings),
            findings_more=self._more,
        )

    # --- what was signed ----------------------------------------------------------------------

    def _pass(self, sequence: int, line_hash: str) -> None:
        """Compare the line just read with the signed expectations; drop those that have passed."""
        while self._wanted and self._wanted[-1].sequence <= sequence:
            wanted = self._wanted.pop()
            if wanted.sequence < sequence or self._contradicted:
                continue  # not there, or all different: said already
            if wanted.line_hash == line_hash:
                self._held_to = wanted
                continue
            self._contradicted = True
            since = self._held_to.sequence if self._held_to is not None else 0
            self._find(
                kinds.REPLACED,
                f"record {sequence} is not the one that {wanted.source} signed: something from "
                f"record {since + 1} to here was replaced, with hashes to fit",
                sequence=sequence,
            )
        self._next_wanted = self._wanted[-1].sequence if self._wanted else _NEVER

    # --- the closer look ----------------------------------------------------------------------

    def _look_closer(self, line: bytes) -> None:
        """Add the finding for a line that breaks the chain; decide where the chain continues."""
        try:
            sequence, previous, _ = read_line(line)
        except BrokenLine:
            self._count_unreadable()
            self._find(
                kinds.DAMAGED,
                "not a line of a journal: changed or inserted",
                sequence=self._link.sequence + self._unreadable,
            )
            return
        is_first = self._first_sequence == 0 and self._line == 1 and self._files == 1
        if self._unreadable_after != self._link.sequence:
            self._unreadable = 0
        unreadable, self._unreadable = self._unreadable, 0
        line_hash = sha256(line).hexdigest()
        if is_first and sequence < self._beginning.sequence:
            self._begins_earlier(sequence, previous)
        elif sequence <= self._link.sequence:
            self._came_before(sequence, previous, line_hash)
            return
        expected = self._link.sequence + 1
        if is_first:
            self._begins_elsewhere(sequence, previous)
        elif sequence > expected + unreadable:
            self._has_gap(expected, sequence - 1)
        elif previous != self._link.line_hash and not unreadable:
            self._is_not_named(sequence, previous)
        self._first_sequence = self._first_sequence or sequence
        self._link = Link(sequence, line_hash)
        self._recent.append(line_hash)
        if sequence >= self._next_wanted:
            self._pass(sequence, line_hash)

    def _count_unreadable(self) -> None:
        if self._unreadable_after != self._link.sequence:
            self._unreadable, self._unreadable_after = 0, self._link.sequence
        self._unreadable += 1

    def _begins_earlier(self, sequence: int, previous: str) -> None:
        """More is there than must be: what was to be retired still stands, and is held to that."""
        begins, self._beginning = self._beginning, Beginning(sequence, previous)
        at = Expectation(begins.sequence - 1, begins.previous, begins.source)
        self._wanted = sorted([*self._wanted, at], key=lambda wanted: -wanted.sequence)
        self._next_wanted = self._wanted[-1].sequence
        self._link = Link(sequence - 1, previous)
        if sequence == 1 and previous != GENESIS:
            self._begins_elsewhere(sequence, GENESIS)

    def _begins_elsewhere(self, sequence: int, previous: str) -> None:
        begins = self._beginning
        if sequence > begins.sequence:
            self._find(
                kinds.REMOVED_BEGINNING,
                f"the journal begins with record {sequence}, not with record {begins.sequence}"
                + (f" as {begins.source} says" if begins.source else ""),
                sequence=begins.sequence,
            )
        elif previous != begins.previous:
            self._find(
                kinds.CHANGED,
                "the first record does not name what it must follow: changed",
                sequence=sequence,
            )

    def _has_gap(self, first: int, last: int) -> None:
        many = f"records {first} to {last}" if last > first else f"record {first}"
        at_start = self._line == 1
        kind = kinds.REMOVED_FILE if at_start else kinds.REMOVED
        place = "missing before this file" if at_start else "missing before this line"
        if self._find(kind, f"{many} missing: {place}", sequence=first):
            self._gaps.append(_Gap(first, last, len(self._findings) - 1))

    def _is_not_named(self, sequence: int, previous: str) -> None:
        if self._is_recent(previous):
            self._find(
                kinds.FORKED,
                f"record {sequence} follows another record {sequence - 1} than the line before "
                "it: two writers, or an inserted line",
                sequence=sequence,
            )
            return
        self._find(
            kinds.CHANGED,
            f"record {sequence - 1} was changed: the line after it (record {sequence}) names "
            "another hash",
            line=max(self._line - 1, 1),
            sequence=sequence - 1,
        )

    def _came_before(self, sequence: int, previous: str, line_hash: str) -> None:
        """A sequence number that has passed: late, twice, or a second writer's."""
        for gap in self._gaps:
            if gap.first <= sequence <= gap.last:
                gap.found += 1
                return
        if self._is_recent(line_hash):
            self._find(kinds.REPEATED, f"record {sequence} is there twice", sequence=sequence)
        elif self._is_recent(previous):
            self._find(
                kinds.FORKED,
                f"a second record {sequence} follows record {sequence - 1}: two writers, or an "
                "inserted line",
                sequence=sequence,
            )
            self._recent.append(line_hash)
        else:
            self._find(
                kinds.INSERTED,
                f"record {sequence} stands where record {self._link.sequence + 1} should",
                sequence=sequence,
            )

    def _settle(self, gap: _Gap) -> None:
        """All that was missing stood further down: it was moved, not removed."""
        if gap.found <= gap.last - gap.first:
            return
        before = self._findings[gap.position]
        many = (
            f"records {gap.first} to {gap.last}" if gap.last > gap.first else f"record {gap.first}"
        )
        self._findings[gap.position] = Finding(
            kinds.REORDERED,
            f"{many} stood further down: the order was changed",
            before.stream,
            before.file,
            before.line,
            before.sequence,
        )

    def _is_recent(self, line_hash: str) -> bool:
        return len(self._findings) < FINDINGS_MAX and line_hash in self._recent

    def _find(
        self, kind: str, message: str, *, line: int | None = -1, sequence: int | None = None
    ) -> bool:
        """Add a finding; return whether there was room for it."""
        if len(self._findings) >= FINDINGS_MAX:
            self._more += 1
            return False
        place = self._line if line == -1 else line
        file = self._file or None
        self._findings.append(Finding(kind, message, self._stream, file, place or None, sequence))
        return True


def _head_after(sequence: int, line_hash: str) -> bytes:
    return b'{"sequence":%d,"previous":"%s","record":{' % (sequence + 1, line_hash.encode())
