"""The chain of a journal: what was joined is followed, and nothing else is."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori.rules.chain.chain import GENESIS, START, BrokenLine, Link, follow, join, read_line

RECORDS = [b'{"a":1}', b"{}", b'{"text":"\xc3\xa9}"}', b'{"nested":{"record":{}}}']


def lines_of(records=RECORDS):
    return join(START, *records)[0].splitlines()


def followed(lines, link=START):
    found = []
    for line in lines:
        record, link = follow(link, line)
        found.append(record)
    return found, link


def test_a_line_is_what_the_page_says():
    content, link = join(START, b'{"a":1}')
    line = b'{"sequence":1,"previous":"' + GENESIS.encode() + b'","record":{"a":1}}'
    assert content == line + b"\n"
    assert link == Link(1, hashlib.sha256(line).hexdigest())


def test_joining_at_once_or_one_by_one_is_the_same():
    at_once, end = join(START, *RECORDS)
    one_by_one, link = b"", START
    for record in RECORDS:
        content, link = join(link, record)
        one_by_one += content
    assert (one_by_one, link) == (at_once, end)
    assert join(link) == (b"", link)


def test_what_was_joined_is_followed():
    assert followed(lines_of()) == (RECORDS, join(START, *RECORDS)[1])


@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen_at_the_latest_in_the_line_after(at, bit):
    content = bytearray(join(START, *RECORDS)[0])
    # The last line guards the rest; without the newline before it, it would be no line.
    spoilt_lines = content[: content.rfind(b"\n", 0, -1)]
    content[at % len(spoilt_lines)] ^= 1 << bit
    with pytest.raises(BrokenLine):
        followed(bytes(content).split(b"\n")[:-1])


def dropped(lines):
    return [lines[0], *lines[2:]]


def swapped(lines):
    return [lines[0], lines[2], lines[1], lines[3]]


def repeated(lines):
    return [lines[0], lines[0], *lines[1:]]


def begun_late(lines):
    return lines[1:]


@pytest.mark.parametrize("change", [dropped, swapped, repeated, begun_late])
def test_lines_left_out_moved_or_doubled_are_seen(change):
    with pytest.raises(BrokenLine):
        followed(change(lines_of()))


def test_an_altered_last_line_is_seen_by_whoever_holds_the_end():
    lines = lines_of()
    lines[-1] = lines[-1].replace(b"nested", b"NESTED")
    assert followed(lines)[1] != join(START, *RECORDS)[1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"sequence":1,"previous":"00","record":{}}',
        b'{"sequence":-1,"previous":"' + b"0" * 64 + b'","record":{}}',
        b'{"sequence":1,"previous":"' + b"0" * 64 + b'","record":[]}',
        b'{"sequence":1,"previous":"' + b"0" * 64 + b'","record":{}} ',
        b'{"sequence":1,"previous":"' + b"G" * 64 + b'","record":{}}',
        b'{"sequence":99999999999999999999,"previous":"' + b"0" * 64 + b'","record":{}}',
    ],
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(BrokenLine):
        read_line(line)
