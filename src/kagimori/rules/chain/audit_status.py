"""How far the audit trail is written and signed; not whether its records are intact."""

from typing import Any

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

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "streams": [
                {
                    "name": one.name,
                    "newest_sequence": one.newest_sequence,
                    "signed_to": one.signed_to,
                }
                for one in self.streams
            ],
            "unsigned_records": self.unsigned_records,
            "digests": self.digests,
            "newest_digest_time": self.newest_digest_time,
            "key_fingerprint": self.key_fingerprint,
            "digests_intact": self.digests_intact,
        }

    @property
    def unsigned_records(self) -> int:
        return sum(max(0, one.newest_sequence - one.signed_to) for one in self.streams)
