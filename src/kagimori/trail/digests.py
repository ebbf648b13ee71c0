"""Makes digests: follows the journals, counts what they record, and has it signed.

A digest is written whole or not at all, then copied elsewhere if there is a place for that.
What was counted is since the digest before; after a restart it is read again from there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kagimori.machinery.files import write_whole
from kagimori.rules.chain.chain import GENESIS
from kagimori.rules.chain.digest import (
    BUCKET,
    FOLDER,
    HASH_ALGORITHM,
    SIGNATURE_ALGORITHM,
    BadDigest,
    Digest,
    LogFile,
    SignedDigest,
    StreamEnd,
    ToSign,
    decode_file,
    encode_file,
    object_name,
)
from kagimori.rules.numbers import whole
from kagimori.rules.records.times import iso_time
from kagimori.trail.checkpoints import Checkpoints
from kagimori.trail.files import journal_files
from kagimori.trail.reader import digest_files
from kagimori.trail.receiving import NotTaken
from kagimori.trail.source import Source
from kagimori.trail.tail import (
    EVERYTHING,
    Lines,
    Place,
    StreamTail,
    TrailBroken,
    place_after,
)

COUNTS_MAX: Final = 200_000
Sign = Callable[[ToSign], str]  # answers the signature, lower-case hex


class Span:
    """The oldest and the newest event time of some records."""

    __slots__ = ("newest", "oldest")

    def __init__(self) -> None:
        self.oldest: str | None = None
        self.newest: str | None = None

    def add(self, time: str) -> None:
        """Times are ISO 8601 in UTC, so that text order is time order."""
        if self.oldest is None or time < self.oldest:
            self.oldest = time
        if self.newest is None or time > self.newest:
            self.newest = time


class Digester:
    """Makes the digests of one audit folder. Belongs to one thread."""

    def __init__(
        self,
        audit: Path,
        *,
        fingerprint: str,
        sign: Sign,
        now: Callable[[], float],
        trouble: Callable[[str], None],
        checkpoints: Checkpoints | None = None,
        source: Source | None = None,
    ) -> None:
        self._source = source or Source(audit)
        self._audit, self._folder = audit, audit / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._fingerprint, self._sign, self._now = fingerprint, sign, now
        self._trouble, self._checkpoints = trouble, checkpoints
        self._uncopied: tuple[str, bytes] | None = None
        self._tails: dict[str, StreamTail] = {}
        self._broken: set[str] = set()
        self._newest_number = 0
        self._previous = self._newest_digest()
        self._counts: dict[str, dict[str, list[int]]] = {}
        self._pairs = 0
        self._span = Span()
        self._files: dict[str, LogFile] = {}
        self._file_spans: dict[str, Span] = {}
        self._records: dict[str, int] = {}

    def follow(self, ends: Mapping[str, int]) -> None:
        """Read new records; `ends` bounds streams that are being written to."""
        for folder in self._source.folders():
            stream = folder.name
            if stream in self._broken:
                continue
            try:
                tail = self._tails.get(stream) or self._begin(folder)
                for lines in tail.read(ends.get(stream, EVERYTHING)):
                    self._count(stream, lines)
                    self._note_file(tail)
            except TrailBroken as problem:
                self._broken.add(stream)
                self._trouble(
                    f"the audit trail is not intact; run `kagimori audit verify`: {problem}"
                )
            except OSError as problem:  # tried again at the next turn, from where we are
                self._trouble(f"{stream} cannot be read: {problem.strerror}")

    def standing(self) -> str | None:
        """Return the reason why nothing is signed any more; None if all is."""
        broken = ", ".join(sorted(self._broken))
        return f"nothing new is signed of {broken}, which is not intact" if broken else None

    def has_news(self) -> bool:
        """Return whether anything was recorded since the newest digest, or there is none."""
        return self._previous is None or bool(self._records)

    @property
    def newest(self) -> Digest | None:
        return None if self._previous is None else self._previous.digest

    def make(self, begins: Mapping[str, tuple[int, str]] | None = None) -> SignedDigest:
        """Sign, write and return the next digest; `begins` says where streams begin from now on.

        Raises:
            OSError: it cannot be written.
            Exception: whatever `sign` raises; what was counted is kept for the next try.
        """
        previous = self._previous
        before = previous.digest if previous is not None else None
        number = self._newest_number + 1
        end_time = iso_time(self._now())
        name = object_name(number)
        signature_before = previous.signature if previous is not None else None
        digest = Digest(
            digest_start_time=before.digest_end_time if before is not None else end_time,
            digest_end_time=end_time,
            digest_s3_bucket=BUCKET,
            digest_s3_object=name,
            digest_public_key_fingerprint=self._fingerprint,
            newest_event_time=self._span.newest,
            oldest_event_time=self._span.oldest,
            previous_digest_s3_bucket=None if before is None else before.digest_s3_bucket,
            previous_digest_s3_object=None if before is None else before.digest_s3_object,
            previous_digest_hash_value=None if previous is None else previous.content_hash,
            previous_digest_hash_algorithm=None if previous is None else HASH_ALGORITHM,
            previous_digest_signature=signature_before,
            log_files=list(self._files.values()),
            digest_signature_algorithm=SIGNATURE_ALGORITHM,
            number=number,
            streams=self._stream_ends(before, begins or {}),
            counts=self._shown_counts(),
        )
        content = msgspec.json.encode(digest)
        signature = self._sign(ToSign(end_time, BUCKET, name, content, signature_before))
        file = encode_file(content, signature)
        write_whole(self._audit / name, file)
        self._previous = SignedDigest(digest, content, signature)
        self._newest_number = number
        self._counts, self._pairs, self._span = {}, 0, Span()
        self._files, self._file_spans, self._records = {}, {}, {}
        self._uncopied = (f"checkpoint-{self._fingerprint[:16]}-{number:020d}.json", file)
        self.copy()
        return self._previous

    def copy(self) -> bool:
        """Keep a copy of the newest digest elsewhere; return whether that is done."""
        if self._checkpoints is None or self._uncopied is None:
            return True
        name, content = self._uncopied
        try:
            self._checkpoints.keep(name, content)
        except NotTaken as why:
            self._trouble(f"{name} is not kept elsewhere yet: {why}")
            return False
        self._uncopied = None
        return True

    # --- what was seen ------------------------------------------------------------------------

    def _begin(self, folder: Path) -> StreamTail:
        place = Place()
        before = self._previous.digest if self._previous is not None else None
        for end in before.streams if before is not None else ():
            if end.stream == folder.name and end.newest_sequence:
                place = self._place_of(folder, end)
        tail = self._tails[folder.name] = self._source.tail(folder, place, hashes_files=True)
        return tail

    def _place_of(self, folder: Path, end: StreamEnd) -> Place:
        """Return where a digest left a stream; the file is the one its last record lies in."""
        files = [
            file
            for file in journal_files(folder)
            if file.name <= f"{end.newest_sequence:020d}.jsonl"
        ]
        if not files:
            raise TrailBroken(f"{folder.name}: record {end.newest_sequence} is gone")
        offset = 0
        with files[-1].open("rb") as content:
            for line in content:
                offset += len(line)
                if line.startswith(b'{"sequence":%d,' % end.newest_sequence):
                    break
        name = files[-1].name
        return place_after(folder, name, offset, end.newest_sequence, end.newest_hash)

    def _count(self, stream: str, lines: Lines) -> None:
        file_span = self._file_spans.setdefault(f"{stream}/{lines.file}", Span())
        self._records[stream] = self._records.get(stream, 0) + len(lines.lines)
        for one in lines.decoded:
            entry = one.entry
            if entry is None:
                continue  # of no key, whatever it is; the chain holds it all the same
            self._span.add(entry.event_time)
            file_span.add(entry.event_time)
            resources, refused = entry.resources or (), entry.error_code is not None
            if len(resources) == 1:
                self._add(resources[0].arn, entry.event_name, refused=refused)
                continue
            for arn in {resource.arn for resource in resources}:
                self._add(arn, entry.event_name, refused=refused)

    def _add(self, arn: str, event_name: str, *, refused: bool) -> None:
        of_key = self._counts.get(arn)
        if of_key is None:
            of_key = self._counts[arn] = {}
        pair = of_key.get(event_name)
        if pair is None:
            self._pairs += 1
            pair = of_key[event_name] = [0, 0]
        pair[0] += 1
        if refused:
            pair[1] += 1
        if self._pairs > COUNTS_MAX:  # `prove-unused` reads the records of this digest instead
            self._counts = {}

    def _note_file(self, tail: StreamTail) -> None:
        name = f"{tail.stream}/{tail.place.file}"
        span = self._file_spans[name]
        self._files[name] = LogFile(
            s3_bucket=BUCKET,
            s3_object=name,
            hash_value=tail.file_hash(),
            newest_event_time=span.newest,
            oldest_event_time=span.oldest,
            hash_algorithm=HASH_ALGORITHM,
            size_bytes=tail.place.offset,
        )

    def _shown_counts(self) -> dict[str, dict[str, tuple[int, int]]] | None:
        if self._pairs > COUNTS_MAX:
            return None
        return {
            arn: {name: (pair[0], pair[1]) for name, pair in of_key.items()}
            for arn, of_key in self._counts.items()
        }

    def _stream_ends(
        self, before: Digest | None, begins: Mapping[str, tuple[int, str]]
    ) -> list[StreamEnd]:
        known = {end.stream: end for end in before.streams} if before is not None else {}
        for stream, tail in self._tails.items():
            if stream in self._broken:
                continue  # nothing new is signed of what is not intact
            # Not where the files begin: whoever removed the first of them would have it signed.
            end = known.get(stream)
            was = (1, GENESIS) if end is None else (end.first_sequence, end.first_previous)
            first, previous = begins.get(stream, was)
            known[stream] = StreamEnd(
                stream=stream,
                newest_sequence=tail.place.sequence,
                newest_hash=tail.place.line_hash,
                records=self._records.get(stream, 0),
                first_sequence=first,
                first_previous=previous,
            )
        return [known[stream] for stream in sorted(known)]

    def _newest_digest(self) -> SignedDigest | None:
        files = digest_files(self._audit)
        # Also when that one is damaged: it is evidence, and stays.
        self._newest_number = _number_of(files[-1][0]) if files else 0
        for name, content in reversed(files):
            try:
                return decode_file(content)
            except BadDigest as bad:
                self._trouble(f"{FOLDER}/{name} is damaged: {bad}")
        return None


def _number_of(name: str) -> int:
    digits = name.removesuffix(".json")
    return whole(digits, digits_max=20) or 0
