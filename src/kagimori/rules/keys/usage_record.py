"""The newest successful cryptographic use of a key."""

from msgspec import Struct
from msgspec.structs import replace


class KeyUsageRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kept beside the key and written every few seconds, not with each use."""

    account_id: str
    region: str
    key_id: str
    operation: str
    at: float
    event_id: str
    request_id: str
    used_by: str = ""  # the principal, or for another account's the account
    version: int = 1  # grows with `at`: of what several workers note, the newest use stays


class Usages:
    """Uses that may not be written yet, the newest for each key.

    What was taken is known until the next taking: by then it is written.
    """

    __slots__ = ("_taken", "_unwritten")

    def __init__(self) -> None:
        self._unwritten: dict[tuple[str, str, str], KeyUsageRecord] = {}
        self._taken: dict[tuple[str, str, str], KeyUsageRecord] = {}

    def note(self, record: KeyUsageRecord) -> None:
        self._unwritten[record.account_id, record.region, record.key_id] = record

    def newest(
        self, key: tuple[str, str, str], written: KeyUsageRecord | None
    ) -> KeyUsageRecord | None:
        """Return the newest use of a key: ours, or the one that is written, which may be newer."""
        own = self._unwritten.get(key) or self._taken.get(key)
        known = [use for use in (own, written) if use is not None]
        return max(known, key=lambda use: use.at, default=None)

    def take(self) -> list[KeyUsageRecord]:
        """Return the uses to write, each with its time as its version, and clear the list."""
        self._taken, self._unwritten = self._unwritten, {}
        return [replace(use, version=round(use.at * 1000)) for use in self._taken.values()]
