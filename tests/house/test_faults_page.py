"""The page of faults names tests that exist, and every test of faults stands in it."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "understand" / "faults.md"
HEAD = "| fault | how | tests | runs | found, and mended in |"
# More than any copy has that is not of the whole history.
COMMITS_AT_LEAST = 300
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows():
    text = PAGE.read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line != HEAD and not line.startswith("|---")
    ]


def test_a_row_says_everything():
    assert len(rows()) >= 20
    for row in rows():
        assert len(row) == 5, row
        assert all(row), row
        assert TEST.search(row[2]), row


def functions_of(file):
    return set(re.findall(r"^(?:async )?def (test_\w+)", (ROOT / file).read_text(), re.MULTILINE))


def test_rows_name_tests_that_exist():
    for row in rows():
        for file, name in TEST.findall(row[2]):
            assert (ROOT / file).exists(), file
            assert not name or name in functions_of(file), f"{file}::{name}"


def test_every_test_of_faults_has_a_row():
    named = {found for row in rows() for found in TEST.findall(row[2])}
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        file = str(path.relative_to(ROOT))
        left = {name for name in functions_of(file) if (file, name) not in named}
        assert (file, "") in named or not left, f"{file}: {sorted(left)}"


def test_commits_that_are_named_are_of_this_repository():
    named = {one for row in rows() for one in re.findall(r"\b[0-9a-f]{7}\b", row[4])}
    asked = ["git", "-C", str(ROOT), "rev-list", "--count", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True)
    if not done.stdout.strip().isdigit() or int(done.stdout) < COMMITS_AT_LEAST:
        return  # an archive of the source, or a part of its history
    for commit in sorted(named):
        found = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"])
        assert found.returncode == 0, commit
