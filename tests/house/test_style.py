"""House rules that no linter knows."""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
FILES = sorted(SOURCE.glob("*/**/*.py"))
BANNED_NAMES = ("util", "utils", "helper", "helpers", "common", "manager", "base", "misc")
# Whoever needs the time or chance in the pure rooms is handed it.
BANNED_CALLS = re.compile(
    r"\b(time\.time|datetime\.now|datetime\.utcnow|random\.|secrets\.|os\.urandom|uuid\.uuid[14])"
)


def name(path):
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_short_and_says_what_it_is(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 500, "make two files that tell what they are"
    assert text.startswith(('"""', 'r"""')), "begin with what this is, and what it is not"
    assert path.stem not in BANNED_NAMES, "name it for what it is"


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if name(p).startswith(("kagimori/rules", "kagimori/operations"))],
    ids=name,
)
def test_the_pure_rooms_read_no_clock_and_draw_nothing(path):
    assert not BANNED_CALLS.search(path.read_text()), "be handed `now`, or drawn bytes"
