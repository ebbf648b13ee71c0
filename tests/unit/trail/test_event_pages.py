"""Searches come in pages, forwards and backwards, and no page reads without end."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kagimori.rules.chain.chain import START, join
from kagimori.rules.chain.groups import mark_group
from kagimori.rules.records.event_search import EventSearch, places_of, token_of
from kagimori.rules.records.filter import RecordFilter
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.trail import event_pages
from kagimori.trail.event_pages import page

OWN, OTHER = "111111111111", "222222222222"


def record(number, *, name="Encrypt", account=OWN, owner=None):
    """One record of the second `number`; `owner` is the account of a key that it is about."""
    resources = []
    if owner is not None:
        arn = f"arn:aws:kms:us-east-1:{owner}:key/k"
        resources = [{"accountId": owner, "type": "AWS::KMS::Key", "ARN": arn}]
    return {
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventTime": f"2026-11-27T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventName": name,
        "eventSource": "kms.amazonaws.com",
        "awsRegion": "us-east-1",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAALICE",
            "userName": "alice",
            "accountId": account,
        },
        "recipientAccountId": account,
        "resources": resources,
    }


def write(audit, stream, files):
    """Write a stream: for each of its files, the records."""
    link = START
    folder = audit / stream
    folder.mkdir(parents=True)
    for records in files:
        name = f"{link.sequence + 1:020}.jsonl"
        lines = [json.dumps(one, separators=(",", ":")).encode() for one in records]
        content, link = join(link, *lines)
        (folder / name).write_bytes(content)


def search(*, account=None, newest_first=False, limit=1000, at_end=False, **wanted):
    return EventSearch(RecordFilter(**wanted), account, newest_first, limit, at_end)


def numbers(events):
    return [int(entry.event_id[-12:]) for entry, _ in events]


def all_pages(audit, wanted, **options):
    """What all pages have together, each read from the token of the one before."""
    found, places = [], {}
    for _ in range(10_000):
        part = page(audit, wanted, places, **options)
        assert len(part.events) <= wanted.limit
        found += numbers(part.events)
        if part.is_end:
            return found
        token = token_of(part.places, wanted.fingerprint("asking"))
        places = places_of(token, wanted.fingerprint("asking"))
    raise AssertionError("there is no end")


@pytest.fixture
def audit(tmp_path):
    """Two streams, whose records were made in turn, in files of three."""
    folder = tmp_path / "audit"
    for stream, numbers_of in (("w0", range(0, 20, 2)), ("w1", range(1, 20, 2))):
        records = [record(number) for number in numbers_of]
        write(folder, stream, [records[at : at + 3] for at in range(0, len(records), 3)])
    return folder


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_hold_everything_once_in_order(audit, limit):
    assert all_pages(audit, search(limit=limit)) == list(range(20))
    backwards = all_pages(audit, search(limit=limit, newest_first=True))
    assert backwards == list(range(20))[::-1]


def test_a_page_that_has_read_enough_lets_the_next_one_go_on(audit, monkeypatch):
    monkeypatch.setattr(event_pages, "PIECE_BYTES", 500)
    for newest_first in (False, True):
        wanted = search(event="Decrypt", newest_first=newest_first)
        part = page(audit, wanted, {}, read_bytes_max=2500)
        assert not part.is_end
        assert part.events == ()
        assert all_pages(audit, wanted, read_bytes_max=2500) == []
        found = all_pages(audit, search(newest_first=newest_first), read_bytes_max=2500)
        assert sorted(found) == list(range(20))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    piece=st.integers(min_value=1, max_value=3000),
    limit=st.integers(min_value=1, max_value=30),
    newest_first=st.booleans(),
)
def test_however_it_is_cut_nothing_is_lost_or_doubled(
    audit, piece, limit, newest_first, monkeypatch
):
    monkeypatch.setattr(event_pages, "PIECE_BYTES", piece)
    found = all_pages(audit, search(limit=limit, newest_first=newest_first))
    assert found == sorted(range(20), reverse=newest_first)


def test_a_line_in_the_writing_is_not_there_yet(audit):
    last = sorted((audit / "w1").glob("*.jsonl"))[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[:-5])
    for newest_first in (False, True):
        assert 19 not in all_pages(audit, search(newest_first=newest_first))
    end = page(audit, search(), {})
    last.write_bytes(whole)
    assert numbers(page(audit, search(), end.places).events) == [19]


def test_from_the_end_on_only_what_comes_is_found(audit):
    end = page(audit, search(at_end=True), {})
    assert end.events == ()
    assert page(audit, search(), end.places).events == ()
    write(audit, "w2", [[record(30)]])
    assert numbers(page(audit, search(), end.places).events) == [30]


def test_records_are_shown_without_the_marks_of_their_groups(tmp_path):
    folder = tmp_path / "w0"
    folder.mkdir()
    plain = [json.dumps(record(number), separators=(",", ":")).encode() for number in (1, 2, 3)]
    content, _ = join(START, *mark_group(START, plain))
    (folder / f"{1:020}.jsonl").write_bytes(content)
    for newest_first in (False, True):
        found = page(tmp_path, search(newest_first=newest_first), {}).events
        assert sorted(one for _, one in found) == plain


def test_times_bound_what_is_read(tmp_path):
    audit = tmp_path / "audit"
    write(audit, "w0", [[record(hour * 3600)] for hour in range(10)])
    since = 1795737600 + 4 * 3600  # 2026-11-27T04:00:00Z
    for newest_first in (False, True):
        found = all_pages(
            audit, search(since=since, until=since + 2 * 3600, newest_first=newest_first)
        )
        assert sorted(found) == [4 * 3600, 5 * 3600]


def test_an_account_sees_its_own_trail_and_copies_that_name_nobody(tmp_path):
    audit = tmp_path / "audit"
    own, foreign = record(1), record(2, account=OTHER)
    shared = record(3, account=OTHER, owner=OWN)
    denied = {**record(4, account=OTHER, owner=OWN), "errorCode": "AccessDenied"}
    write(audit, "w0", [[own, foreign, shared, denied]])
    found = page(audit, search(account=OWN), {}).events
    assert [entry.event_time[-3:-1] for entry, _ in found] == ["01", "03"]
    assert b"alice" not in found[1][1]
    assert found[1][0].recipient_account_id == OWN
    assert numbers(page(audit, search(account=OWN, who="alice"), {}).events) == [1]
    assert len(page(audit, search(), {}).events) == 4


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "bm90IGpzb24=",
        "WyJmcCIsW11d",
        "WyJmcCIseyJ3MCI6WyJhIiwtMV19XQ==",
        "\u212a",
        "[" * 900,
    ],
)
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(InvalidNextTokenException):
        places_of(token, "fp")


def test_a_token_goes_with_its_search_and_its_account():
    one, two = search(event="Encrypt"), search(event="Decrypt")
    token = token_of({"w0": ("f", 1)}, one.fingerprint(OWN))
    assert places_of(token, one.fingerprint(OWN)) == {"w0": ("f", 1)}
    for fingerprint in (one.fingerprint(OTHER), two.fingerprint(OWN)):
        with pytest.raises(InvalidNextTokenException):
            places_of(token, fingerprint)


def test_places_that_are_nowhere_find_nothing_wrong(audit):
    for places in ({"w9": ("f", 1)}, {"w0": ("~", 1 << 60)}, {"w0": ("../../etc/passwd", 3)}):
        page(audit, search(), places)
        page(audit, search(newest_first=True), places)
