"""A power cut loses, tears or mixes blocks of the journal: what was acknowledged stays or is missed.

Promise: acknowledged-is-durable.
"""

import asyncio
import json

import pytest

from kagimori.rules.chain.chain import START, Link, follow, join
from kagimori.rules.chain.groups import mark_group, unmarked
from kagimori.trail import journal as journal_module
from kagimori.trail.files import journal_files
from kagimori.trail.journal import Journal
from kagimori.trail.mark import SLOT_BYTES, SyncedMark, read_mark
from kagimori.trail.recovery import JournalDamaged, find_end, recover_end
from waiting import future_of

BLOCKS = (512, 4096)


def record(number):
    return json.dumps({"eventID": f"{number}", "filling": "x" * (37 * number % 700)}).encode()


async def write_groups(folder, mark, groups):
    journal = Journal(folder, mark=mark)
    for group in groups:
        await asyncio.gather(*(future_of(journal.append(record(number))) for number in group))
    await journal.close()
    return journal


def synced_journal(folder, mark, *groups):
    """Write acknowledged groups with the journal itself; return content and link at the end."""
    journal = asyncio.run(write_groups(folder, mark, groups))
    return journal_files(folder)[-1].read_bytes(), journal.end


def next_group(link, numbers):
    return join(link, *mark_group(link, list(map(record, numbers))))[0]


def damaged_tails(synced, tail, block):
    """Yield files as a power cut may leave them while `tail` was on its way to the disk."""
    whole = synced + tail
    first = len(synced) // block * block
    starts = range(first, len(whole), block)
    for start in starts:
        before, end = max(start, len(synced)), start + block
        middle = (before + min(end, len(whole))) // 2
        yield whole[:before]  # the size never grew further
        yield whole[:middle]  # torn, at the end of the file
        yield whole[:before] + bytes(len(whole[before:end])) + whole[end:]  # lost
        yield whole[:middle] + bytes(len(whole[middle:end])) + whole[end:]  # torn
        yield whole[:before] + b"\n" * len(whole[before:end]) + whole[end:]
        if start >= len(synced):
            old = (synced * (block // len(synced) + 1))[:block]
            yield whole[:before] + old[: len(whole[before:end])] + whole[end:]  # what was there
        for other in starts:
            if start >= len(synced) and other > start and other + block <= len(whole):
                one, two = whole[start:end], whole[other : other + block]
                yield whole[:start] + two + whole[end:other] + one + whole[other + block :]


def chained(folder):
    link, found = START, []
    for file in journal_files(folder):
        for line in file.read_bytes().splitlines():
            text, link = follow(link, line)
            found.append(int(json.loads(text)["eventID"]))
    return found


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("acknowledged", [[], [[1], [2, 3]], [range(1, 30), range(30, 33)]])
def test_whatever_the_last_group_lost_the_journal_goes_on(tmp_path, block, acknowledged):
    folder, mark = tmp_path / "audit" / "w0", tmp_path / "synced"
    first = [number for group in acknowledged for number in group]
    synced, link = (b"", START)
    if acknowledged:
        synced, link = synced_journal(folder, mark, *acknowledged)
    else:
        folder.mkdir(parents=True)
    tail = next_group(link, range(100, 140))
    file = folder / f"{1:020d}.jsonl"
    tried = 0
    for lagging in {START, link}:
        for content in damaged_tails(synced or b"", tail, block) if synced else new_files(tail):
            file.write_bytes(content)
            found = recover_end(folder, lagging)
            kept = chained(folder)
            assert kept[: len(first)] == first
            assert kept[len(first) :] in ([], list(range(100, 140)))
            assert found.end.sequence == len(kept)
            assert (found.cut is None) == (file.read_bytes() == content)
            tried += 1
    assert tried > 20
    asyncio.run(write_groups(folder, mark, [[7]]))
    assert chained(folder)[-1] == 7


def link_at(content, sequence):
    link = START
    for line in content.split(b"\n")[:sequence]:
        _, link = follow(link, line)
    return link


def new_files(tail):
    yield b""
    for block in BLOCKS:
        for start in range(0, len(tail), block):
            yield tail[:start] + bytes(len(tail[start : start + block])) + tail[start + block :]
            yield bytes(start) + tail[start:]


def damaged_blocks(content, until, block):
    """Yield the file with each block of what was synced lost, torn, cut off or mixed up."""
    for start in range(0, until, block):
        end = min(start + block, until)
        middle = (start + end) // 2
        yield content[:start] + bytes(end - start) + content[end:]
        yield content[:middle] + bytes(end - middle) + content[end:]
        yield content[:start] + content[end:]
        other = start + block
        if other + block <= until:
            swapped = content[other : other + block] + content[start:other]
            yield content[:start] + swapped + content[other + block :]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("followed", [False, True])
def test_a_lost_block_that_was_acknowledged_is_missed_loudly(tmp_path, block, followed):
    folder, mark = tmp_path / "audit" / "w0", tmp_path / "synced"
    synced, link = synced_journal(folder, mark, range(1, 30), [30], range(31, 60))
    # What follows is another group that was on its way: with it, the mark may be as old as it likes.
    content = synced + (next_group(link, range(100, 120)) if followed else b"")
    middle = link_at(synced, 29)
    marks = (START, middle, link) if followed else (link,)
    file = journal_files(folder)[-1]
    for lagging in marks:
        for damaged in damaged_blocks(content, len(synced), block):
            file.write_bytes(damaged)
            with pytest.raises(JournalDamaged):
                recover_end(folder, lagging)
            assert file.read_bytes() == damaged, "evidence stays as it is"
    if not followed:
        for length in range(0, len(synced), block):
            file.write_bytes(synced[:length])
            with pytest.raises(JournalDamaged):
                recover_end(folder, link)


def test_a_journal_that_is_gone_is_missed(tmp_path):
    folder, mark = tmp_path / "audit" / "w0", tmp_path / "synced"
    synced_journal(folder, mark, [1, 2])
    journal_files(folder)[0].unlink()
    with pytest.raises(JournalDamaged, match="record 2 was acknowledged"):
        Journal(folder, mark=mark)


def test_a_lost_new_file_or_a_torn_one_before_it(tmp_path, monkeypatch):
    folder, mark = tmp_path / "audit" / "w0", tmp_path / "synced"
    monkeypatch.setattr(journal_module, "FILE_BYTES_MAX", 2000)
    synced_journal(folder, mark, *([number] for number in range(1, 20)))
    end = read_mark(mark)
    *_, before, last = journal_files(folder)
    group = join(end, *mark_group(end, [record(50)]))[0]
    following = folder / f"{end.sequence + 1:020d}.jsonl"
    for content in (b"", bytes(100), group[:50], group):
        following.write_bytes(content)
        assert recover_end(folder, end).end.sequence - end.sequence == int(content == group)
    following.unlink()
    for damaged in (before.read_bytes()[:-1], before.read_bytes()[:-600], b""):
        kept = before.read_bytes()
        before.write_bytes(damaged)
        with pytest.raises(JournalDamaged):
            find_end(folder, end)
        before.write_bytes(kept)
    last.unlink()
    with pytest.raises(JournalDamaged):
        find_end(folder, end)


def test_a_torn_mark_leaves_the_one_before(tmp_path):
    path = tmp_path / "marks" / "w0"
    mark = SyncedMark(path)
    for sequence in range(1, 6):
        mark.write(Link(sequence, f"{sequence:064x}"))
    mark.close()
    content = path.read_bytes()
    assert read_mark(path).sequence == 5
    for position in range(100):
        torn = content[:position] + bytes(SLOT_BYTES - position) + content[SLOT_BYTES:]
        path.write_bytes(torn)
        assert read_mark(path).sequence in (4, 5)
    path.write_bytes(bytes(2 * SLOT_BYTES))
    assert read_mark(path) == START
    assert read_mark(tmp_path / "none") is None


def test_a_group_that_was_given_up_is_never_marked(tmp_path, monkeypatch):
    folder, mark = tmp_path / "audit" / "w0", tmp_path / "synced"

    async def run():
        journal = Journal(folder, mark=mark)
        await future_of(journal.append(record(1)))
        monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", -1.0)
        given_up = future_of(journal.append(record(2)))
        journal._send_group()
        journal.give_up_waiting()
        assert (await asyncio.gather(given_up, return_exceptions=True))[0] is not None
        monkeypatch.setattr(journal_module, "WAIT_SECONDS_MAX", 5.0)
        while journal._group is not None:
            await asyncio.sleep(0)
        assert read_mark(mark).sequence == 1, "it did come through, but too late"
        await future_of(journal.append(record(3)))
        await journal.close()

    asyncio.run(run())
    assert chained(folder) == [1, 3]
    assert read_mark(mark) == find_end(folder).end


def test_marks_are_taken_off_again():
    for texts in ([b"{}"], [b'{"a":"}"}', b"{}", b'{"b": 1}']):
        marked = mark_group(START, texts)
        assert list(map(unmarked, marked)) == texts
        assert [json.loads(one) for one in marked] == [json.loads(one) for one in texts]
