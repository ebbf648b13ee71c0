"""How far the audit trail is written and signed; not whether its records are intact."""

from msgspec import Struct


class StreamStatus(Struct, frozen=True):
    """One journal: the number of its newest record, and of the newest that a digest signs."""

    name: str
    newest_sequence: int
    signed_to: int


class AuditStatus(Struct, frozen=True):
    """All journals, and the chain of digests over them."""

    streams: tuple[StreamStatus, ...] = ()
    digests: int = 0
    newest_digest_time: str | None = None
    key_fingerprint: str | None = None
    digests_intact: bool = False

    @property
    def unsigned_records(self) -> int:
        return sum(max(0, one.newest_sequence - one.signed_to) for one in self.streams)
