"""What is good only once: of all workers of a machine one is first."""

import os
import subprocess
import sys

import pytest

from kagimori.machinery import once
from kagimori.machinery.once import PERIOD_SECONDS, Once

AT = 1_795_681_800.0


def test_only_the_first_is_first(tmp_path):
    seen = Once(tmp_path)
    assert seen.is_first("a", AT)
    assert not seen.is_first("a", AT)
    assert seen.is_first("b", AT)
    seen.close()


def test_workers_hear_of_one_another(tmp_path):
    one, other = Once(tmp_path), Once(tmp_path)
    for number in range(50):
        first, second = (one, other) if number % 2 else (other, one)
        assert first.is_first(str(number), AT + number)
        assert not second.is_first(str(number), AT + number)
    one.close()
    other.close()


def test_it_outlives_a_worker(tmp_path):
    one = Once(tmp_path)
    assert one.is_first("a", AT)
    one.close()
    again = Once(tmp_path)
    assert not again.is_first("a", AT)
    again.close()


ASK = """
import sys
from pathlib import Path
from kagimori.machinery.once import Once

seen = Once(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(seen.is_first(str(number), 1_795_681_800.0) for number in range(300)))
"""


def test_of_processes_that_ask_at_once_one_is_first(tmp_path):
    """They wait for a word of ours, so that they ask together."""
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in asking:
        assert process.stdout.readline() == "ready\n"
    found = [process.communicate("now\n", timeout=60)[0] for process in asking]
    assert [process.returncode for process in asking] == [0, 0, 0]
    assert sum(map(int, found)) == 300


def test_what_is_over_is_forgotten(tmp_path):
    seen = Once(tmp_path)
    for number in range(10):
        assert seen.is_first("a", AT + number * PERIOD_SECONDS)
    assert len(list(tmp_path.iterdir())) == 3
    seen.close()


def test_when_there_are_too_many_to_remember_no_more_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(once, "SEEN_MAX", 2)
    seen = Once(tmp_path)
    assert [seen.is_first(name, AT) for name in "abcd"] == [True, True, False, False]
    seen.close()


def test_a_part_of_one_does_not_hide_those_that_follow(tmp_path):
    """As a worker leaves it that is killed while it writes."""
    one = Once(tmp_path)
    assert one.is_first("a", AT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b"part")
    other = Once(tmp_path)
    assert other.is_first("b", AT)
    for seen in (one, other, Once(tmp_path)):
        assert not seen.is_first("a", AT)
        assert not seen.is_first("b", AT)
        seen.close()


def test_what_cannot_be_written_down_is_not_taken(tmp_path, monkeypatch):
    seen, write = Once(tmp_path), os.write
    monkeypatch.setattr(os, "write", lambda file, digest: write(file, digest[:5]))
    with pytest.raises(OSError, match="No space left"):
        seen.is_first("a", AT)
    monkeypatch.setattr(os, "write", write)
    assert seen.is_first("a", AT)
    assert not Once(tmp_path).is_first("a", AT)
    seen.close()
