"""A filter of records by what they hold: key, caller, event, result, ids and time."""

from msgspec import Struct

from kagimori.rules.records.entry import Entry, decode_entry
from kagimori.rules.records.times import epoch_of


class RecordFilter(Struct, frozen=True):
    """A filter; None matches all. Times are seconds since the epoch, `until` is excluded.

    `key` is the id or ARN of a resource; `who` a user name, session name, ARN, principal id or
    access key id; `source` and `error` are a service and an error code as records name them.
    """

    key: str | None = None
    who: str | None = None
    event: str | None = None
    since: float | None = None
    until: float | None = None
    failed: bool = False
    source: str | None = None
    error: str | None = None
    read_only: bool | None = None
    request_id: str | None = None
    event_id: str | None = None

    def needles(self) -> tuple[bytes, ...]:
        """Return the texts that a line must contain to be worth decoding."""
        who = self.who if self.who != "root" else None
        given = (self.source, self.error, self.request_id, self.event_id)
        texts = (self.key, who, self.event, *given)
        wanted = [text.encode() for text in texts if text is not None and text.isascii()]
        return (*wanted, b'"errorCode":') if self.failed else tuple(wanted)

    def entry_in(self, record: bytes) -> Entry | None:
        """Return the record's entry, if it matches."""
        try:
            entry = decode_entry(record)
            at = epoch_of(entry.event_time)
        except ValueError:
            return None
        if self.since is not None and at < int(self.since):
            return None
        if self.until is not None and at >= self.until:
            return None
        return entry if self._names_match(entry) else None

    def _names_match(self, entry: Entry) -> bool:
        named = (
            (self.event, entry.event_name),
            (self.source, entry.event_source),
            (self.error, entry.error_code),
            (self.request_id, entry.request_id),
            (self.event_id, entry.event_id),
        )
        if any(wanted is not None and wanted != found for wanted, found in named):
            return False
        if self.read_only is not None and entry.read_only is not self.read_only:
            return False
        if self.failed and entry.error_code is None:
            return False
        if self.key is not None and not any(
            is_named(resource.arn, self.key) for resource in entry.resources or ()
        ):
            return False
        identity = entry.user_identity
        return self.who is None or self.who in (
            identity.shown_name,
            identity.access_key_id,
            identity.arn,
            identity.principal_id,
        )


def is_named(arn: str, key: str) -> bool:
    """Return whether an ARN is the one given, or ends with the id or `:ACCOUNT:key/ID` given."""
    if key.startswith(":"):
        return arn.endswith(key)
    return arn == key or arn.rpartition("/")[2] == key
