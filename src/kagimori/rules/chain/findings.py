"""The findings of a verification of the audit trail, and the expectations it checks."""

from typing import Final

from msgspec import Struct

from kagimori.rules.chain.chain import GENESIS, Link

FINDINGS_MAX: Final = 1000  # for each stream; more are only counted

# What can be wrong. The texts are for people and programs alike; they do not change.
CHANGED: Final = "changed record"
REMOVED: Final = "removed records"
REMOVED_FILE: Final = "removed file"
REMOVED_BEGINNING: Final = "removed beginning"
REMOVED_STREAM: Final = "removed stream"
REORDERED: Final = "reordered records"
REPEATED: Final = "repeated record"
INSERTED: Final = "inserted record"
FORKED: Final = "forked sequence"
DAMAGED: Final = "damaged line"
UNFINISHED: Final = "unfinished line"
STRAY_FILE: Final = "stray file"
CUT_TAIL: Final = "cut tail"
REPLACED: Final = "replaced chain"
OLD_DATA: Final = "old data"
DIGEST_REMOVED: Final = "removed digest"
DIGEST_CHANGED: Final = "changed digest"
DIGEST_FORGED: Final = "forged digest"
CHECKPOINT: Final = "bad checkpoint"
UNRECORDED_CREDENTIALS: Final = "credentials without a record"
HSM_JOURNAL: Final = "changed HSM journal"
FOREIGN_KEY: Final = "foreign key"
UNKNOWN_STREAM: Final = "unknown stream"
MISSING: Final = "missing"  # what should be there is not, so that nothing can be said


class Finding(Struct, frozen=True):
    """One thing that is wrong, and where: stream (or `digests`), file, line, sequence."""

    kind: str
    message: str
    stream: str
    file: str | None = None
    line: int | None = None
    sequence: int | None = None


class Expectation(Struct, frozen=True):
    """A line that a signature covers: its sequence number and hash; `source` names the signer."""

    sequence: int
    line_hash: str
    source: str


class Beginning(Struct, frozen=True):
    """The place where a journal may begin: at its first record, or after retired files."""

    sequence: int = 1
    previous: str = GENESIS
    source: str = ""


class StreamReport(Struct, frozen=True):
    """The result for one stream. `signed_to` is the newest sequence that a signature covers."""

    stream: str
    files: int
    records: int
    first_sequence: int
    newest: Link
    signed_to: int
    findings: tuple[Finding, ...]
    findings_more: int = 0
