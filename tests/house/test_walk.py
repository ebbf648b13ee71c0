"""A request's way stays as short as it has become: calls, files, moves between rooms, and memory."""

import asyncio
import importlib
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))
walk = importlib.import_module("walk")


@pytest.mark.parametrize(
    ("operation", "calls", "files", "moves", "c_calls", "kib"),
    [
        ("Encrypt", 104, 44, 49, 179, 12.5),
        ("Decrypt", 112, 46, 53, 183, 12.5),
        ("GenerateDataKey", 107, 48, 54, 181, 12.8),
        ("DescribeKey", 115, 43, 43, 196, 12.3),
        ("ReEncrypt", 121, 47, 57, 192, 15.0),
    ],
)
def test_a_warm_request_takes_no_more(operation, calls, files, moves, c_calls, kib):
    """Whoever makes it shorter lowers the numbers; whoever must raise them says why in the commit.

    `c_calls` are calls of C functions from ours; `kib` is the memory that is added at most until
    the answer has left.
    """
    taken = asyncio.run(walk.walked(operation))
    found = (taken.calls, taken.files, taken.moves, taken.c_calls, taken.peak_bytes / 1024)
    most = (calls, files, moves, c_calls, kib)
    assert all(one <= bound for one, bound in zip(found, most, strict=True)), (operation, found)
