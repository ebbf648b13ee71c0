"""Each way of tampering with a trail: is it found, and is it said what and where?"""

import pytest

import trails
from kagimori.rules.chain.chain import Link, join

FIRST, SECOND, THIRD = (trails.file_name(first) for first in (1, 9, 13))


@pytest.fixture
def trail():
    return trails.trail()


def edit(trail, name, change, stream="w0"):
    lines = trail.streams[stream][name].split(b"\n")[:-1]
    trail.streams[stream][name] = b"".join(line + b"\n" for line in change(lines))


def found(trail):
    return [
        (finding.kind, finding.file, finding.line, finding.sequence) for finding in trail.verify()
    ]


def test_an_intact_trail_has_no_findings(trail):
    assert found(trail) == []


def test_changed_record(trail):
    edit(trail, FIRST, lambda lines: [line.replace(b'"n": 3', b'"n": 4') for line in lines])
    assert found(trail) == [("changed record", FIRST, 4, 4)]


def test_changed_last_record(trail):
    name = sorted(trail.streams["w0"])[-1]
    edit(trail, name, lambda lines: [*lines[:-1], lines[-1].replace(b"Encrypt", b"Decrypt")])
    assert [finding[0] for finding in found(trail)] == ["replaced chain"]


def test_removed_record(trail):
    edit(trail, FIRST, lambda lines: lines[:2] + lines[3:])
    assert found(trail) == [("removed records", FIRST, 3, 3)]


def test_removed_records_across_files(trail):
    edit(trail, FIRST, lambda lines: lines[:6])
    (finding,) = trail.verify()
    assert (finding.kind, finding.file, finding.sequence) == ("removed file", SECOND, 7)
    assert "records 7 to 8 missing" in finding.message


def test_removed_file(trail):
    del trail.streams["w0"][SECOND]
    (finding,) = trail.verify()
    assert (finding.kind, finding.file, finding.line) == ("removed file", THIRD, 1)
    assert finding.message == "records 9 to 12 missing: missing before this file"


def test_removed_beginning(trail):
    del trail.streams["w0"][FIRST]
    assert found(trail) == [("removed beginning", SECOND, 1, 1)]


def test_removed_stream(trail):
    del trail.streams["w1"]
    assert [finding[0] for finding in found(trail)] == ["cut tail"]


def test_reordered_records(trail):
    edit(trail, FIRST, lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]])
    assert found(trail) == [("reordered records", FIRST, 4, 4)]


def test_repeated_record(trail):
    edit(trail, FIRST, lambda lines: [*lines[:3], lines[2], *lines[3:]])
    assert found(trail) == [("repeated record", FIRST, 4, 3)]


def test_inserted_garbage(trail):
    edit(trail, FIRST, lambda lines: [*lines[:3], b"{}", *lines[3:]])
    assert found(trail) == [("damaged line", FIRST, 4, 4)]


def test_damaged_line(trail):
    edit(trail, FIRST, lambda lines: [*lines[:3], b"\0" * 90, *lines[4:]])
    assert found(trail) == [("damaged line", FIRST, 4, 4)]


def test_two_writers(trail):
    def fork(lines):
        _, link = Link(0, ""), None
        third = trails.journal(map(trails.record, range(3)))[1]
        link, others = third, []
        for number in (70, 71):
            line, link = join(link, trails.record(number))
            others.append(line[:-1])
        return [*lines[:4], others[0], lines[4], others[1], *lines[5:]]

    edit(trail, FIRST, fork)
    assert {finding[0] for finding in found(trail)} == {"forked sequence"}
    assert found(trail)[0] == ("forked sequence", FIRST, 5, 4)


def test_cut_tail(trail):
    name = sorted(trail.streams["w0"])[-1]
    edit(trail, name, lambda lines: lines[:-3])
    (finding,) = trail.verify()
    assert (finding.kind, finding.sequence) == ("cut tail", 22)
    assert "3 records are missing" in finding.message
    assert "digest 3" in finding.message


def test_cut_within_a_line(trail):
    name = sorted(trail.streams["w0"])[-1]
    trail.streams["w0"][name] = trail.streams["w0"][name][:-5]
    assert [finding[0] for finding in found(trail)] == ["unfinished line", "cut tail"]


def test_whole_chain_replaced(trail):
    trail.streams["w0"], _ = trails.journal(trails.record(n, "Forged") for n in range(24))
    (finding,) = trail.verify()
    assert (finding.kind, finding.sequence) == ("replaced chain", 12)
    assert "record 1 to here" in finding.message


def test_newest_part_replaced(trail):
    _, middle = trails.journal(map(trails.record, range(12)))
    rest, _ = trails.journal((trails.record(n, "Forged") for n in range(12, 24)), 8, middle)
    trail.streams["w0"] |= rest
    (finding,) = trail.verify()
    assert (finding.kind, finding.sequence) == ("replaced chain", 24)
    assert "record 13 to here" in finding.message


def test_old_data_put_in_place(trail):
    del trail.digests[f"{3:020d}.json"]
    edit(trail, sorted(trail.streams["w0"])[-1], lambda lines: lines[:-2])
    kinds = [finding[0] for finding in found(trail)]
    assert kinds == ["old data", "cut tail"]


def test_removed_digest(trail):
    del trail.digests[f"{2:020d}.json"]
    assert found(trail) == [("removed digest", f"{3:020d}.json", None, None)]


def test_changed_digest(trail):
    name = f"{2:020d}.json"
    trail.digests[name] = trail.digests[name].replace(b"T02:00", b"T02:01")
    assert found(trail)[0] == ("changed digest", name, None, None)


def test_digests_of_another_key(trail):
    other = trails.rsa.generate_private_key(65537, 2048)
    one = trails.digest(1, {}, key=other)
    trail.digests, trail.checkpoints = {f"{1:020d}.json": one}, {}
    (finding,) = trail.verify()
    assert (finding.kind, finding.message) == ("changed digest", "its signature does not hold")


def test_a_checkpoint_of_another_trail(trail):
    other = trails.rsa.generate_private_key(65537, 2048)
    trail.checkpoints = {"c.json": trails.digest(1, {}, key=other, fingerprint="0" * 64)}
    assert found(trail) == [("bad checkpoint", "c.json", None, None)]


def test_digest_replaced_by_another_signed_one(trail):
    # Whoever can have digests signed cannot pass one for another that was copied away.
    two = trail.digests[f"{2:020d}.json"]
    trail.digests[f"{3:020d}.json"] = trails.digest(3, {}, two, newestEventTime="x")
    assert [finding[0] for finding in found(trail)] == ["forged digest"]


def test_retired_beginning_is_no_finding(trail):
    files = trail.streams["w0"]
    _, link = trails.journal(map(trails.record, range(8)))
    end = trails.journal(map(trails.record, range(24)))[1]
    before = trail.digests[f"{3:020d}.json"]
    stream = {
        "stream": "w0",
        "newestSequence": 24,
        "newestHash": end.line_hash,
        "records": 0,
        "firstSequence": 9,
        "firstPrevious": link.line_hash,
    }
    trail.digests[f"{4:020d}.json"] = trails.digest(4, {}, before, streams=[stream])
    assert found(trail) == [], "what is retired may still be there"
    del files[FIRST]
    assert found(trail) == []
    del files[SECOND]
    assert [finding[0] for finding in found(trail)] == ["removed beginning"]


def test_findings_are_bounded(trail):
    trail.streams["w0"][FIRST] = b"x\n" * 5000
    assert len(trail.verify()) == 1000
