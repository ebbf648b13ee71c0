"""Proves that a key was not used in a period, from signed counts and the records between them.

A digest that lies wholly within the time asked about answers by its counts, and one wholly
outside does not matter; of the others, and of what no digest covers yet, the records are read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.chain.digest import Digest
from kagimori.rules.records.filter import is_named
from kagimori.rules.records.times import epoch_of

# Operations that use key material; the others only look at a key or manage it.
USES: Final = frozenset(
    {
        *("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify"),
        *("GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate"),
    }
)


class Stretch(Struct, frozen=True):
    """Records of a stream to be read: after `after`, up to `to` (None: to its end)."""

    stream: str
    after: int
    to: int | None


class Tally(Struct):
    """Records that name the key: by event, how many, and how many of them were refused."""

    counts: dict[str, list[int]] = {}

    def add(self, event_name: str, records: int, refused: int) -> None:
        pair = self.counts.setdefault(event_name, [0, 0])
        pair[0] += records
        pair[1] += refused

    @property
    def uses(self) -> int:
        """Return how often the key was used with success."""
        return sum(
            records - refused for name, (records, refused) in self.counts.items() if name in USES
        )


class Proof(Struct, frozen=True):
    """The result of a proof that a key was not used before `until`, with its evidence."""

    unused: bool | None
    why: str
    until: float | None = None
    counts: dict[str, list[int]] = {}
    digests_relied_on: tuple[int, ...] = ()
    records_read: int = 0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Plan(Struct, frozen=True):
    """The result of the signed counts, and the records that still have to be read."""

    tally: Tally
    digests_relied_on: tuple[int, ...]
    stretches: tuple[Stretch, ...]


def plan(
    digests: Sequence[Digest], streams: Iterable[str], key: str, since: float, until: float
) -> Plan:
    """Return the plan for a key and a period: the signed counts, and the records to read."""
    tally, relied_on, stretches = Tally(), [], []
    ends: Mapping[str, int] = {}
    for digest in digests:
        place = _place(digest, since, until)
        newest = {end.stream: end.newest_sequence for end in digest.streams}
        if place == "within" and digest.counts is not None:
            relied_on.append(digest.number)
            for arn, of_key in digest.counts.items():
                if is_named(arn, key):
                    for name, (records, refused) in of_key.items():
                        tally.add(name, records, refused)
        elif place == "outside":
            relied_on.append(digest.number)
        else:
            stretches += [
                Stretch(stream, ends.get(stream, 0), to)
                for stream, to in newest.items()
                if to > ends.get(stream, 0)
            ]
        ends = newest
    stretches += [Stretch(stream, ends.get(stream, 0), None) for stream in streams]
    return Plan(tally, tuple(relied_on), tuple(stretches))


def _place(digest: Digest, since: float, until: float) -> str:
    if digest.oldest_event_time is None or digest.newest_event_time is None:
        return "outside"  # nothing was recorded
    oldest, newest = epoch_of(digest.oldest_event_time), epoch_of(digest.newest_event_time)
    if newest < int(since) or oldest >= until:
        return "outside"
    return "within" if oldest >= int(since) and newest < until else "across"
