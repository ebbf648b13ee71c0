"""The HSM's own journal held against the audit trail: no credentials without a record of them.

The HSM writes down what credentials it made for a worker before it gives them out. A worker that
was taken over may leave out the record; it cannot leave out the line of the HSM.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from kagimori.rules.chain import findings as kinds
from kagimori.rules.chain.chain import START, BrokenLine, Link, follow
from kagimori.rules.chain.findings import FINDINGS_MAX, Finding

PLACE: Final = "hsm"
_SIGNED_IN: Final = b'"responseElements":{"ConsoleLogin":"Success"}'
# What a record has in it that gives credentials out, or says that they were given to nobody; others
# need no closer look.
MARKS: Final = (b'"credentials":{', b'"accessKey":{', b'"withheldAccessKeyId":', _SIGNED_IN)


class Minted(Struct, frozen=True, rename="camel"):
    """One line of the HSM's journal. `at` is in seconds since the epoch."""

    made: str
    at: float
    access_key_id: str
    account_id: str
    principal_id: str
    asked_by: str = ""


class _Id(Struct, frozen=True, rename="camel"):
    access_key_id: str = ""


class _Elements(Struct, frozen=True, rename="camel"):
    credentials: _Id = _Id()
    access_key: _Id = _Id()


class _Additional(Struct, frozen=True, rename="camel"):
    withheld_access_key_id: str = ""


class _Record(Struct, frozen=True, rename="camel"):
    response_elements: _Elements | None = None
    additional_event_data: _Additional | None = None
    user_identity: _Id = _Id()


class _Line(Struct, frozen=True):
    record: _Record


_decode_minted = msgspec.json.Decoder(Minted).decode
_decode_line = msgspec.json.Decoder(_Line).decode


def read_minted(lines: Iterable[bytes]) -> tuple[list[Minted], list[Finding]]:
    """Return the credentials of the HSM, and the faults of its journal's chain."""
    link: Link = START
    minted: list[Minted] = []
    for number, line in enumerate(lines, start=1):
        try:
            record, link = follow(link, line)
            minted.append(_decode_minted(record))
        except (BrokenLine, msgspec.MsgspecError) as broken:
            text = f"the HSM's journal is not as it was written from here on: {broken}"
            return minted, [Finding(kinds.HSM_JOURNAL, text, PLACE, line=number)]
    return minted, []


def given_out(line: bytes) -> str | None:
    """Return the access key that a line of an audit journal gives out or withholds; or None."""
    if not any(mark in line for mark in MARKS):
        return None
    try:
        record = _decode_line(line).record
    except msgspec.MsgspecError:
        return None  # no answer with credentials, whatever it is
    if _SIGNED_IN in line:
        return record.user_identity.access_key_id or None
    elements, additional = record.response_elements, record.additional_event_data
    if elements is not None:
        given = elements.credentials.access_key_id or elements.access_key.access_key_id
        if given:
            return given
    return None if additional is None else additional.withheld_access_key_id or None


def unrecorded(
    minted: Iterable[Minted], recorded: Mapping[str, object], since: float
) -> list[Minted]:
    """Return the credentials that were made after `since` and stand in no record."""
    return [one for one in minted if one.at >= since and one.access_key_id not in recorded]


def findings_of(unrecorded: list[Minted], when: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each; `when` holds the time of each access key in words."""
    return [
        Finding(
            kinds.UNRECORDED_CREDENTIALS,
            f"{one.made} {one.access_key_id} of {one.principal_id} in account {one.account_id}, "
            f"made by the HSM at {when[one.access_key_id]} "
            f"{f'for {one.asked_by}' if one.asked_by else 'for a web identity'}, "
            "stands in no record",
            PLACE,
        )
        for one in unrecorded[:FINDINGS_MAX]
    ]
