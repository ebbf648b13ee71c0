"""Each promise has a place in the code that keeps it and a test that would fail without it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = (
    "record-before-release",
    "plain-keys-stay-inside",
    "deny-by-default",
    "token-binding",
    "acknowledged-is-durable",
    "old-ciphertext-lives",
    "refuse-or-accept",
    "no-secret-in-sight",
)


def files_with(folder, pattern):
    texts = {p: p.read_text() for p in (ROOT / folder).glob("**/*.py")}
    return [path for path, text in texts.items() if re.search(pattern, text)]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_kept_somewhere_and_tested(promise):
    assert files_with("src", rf"INVARIANT\({promise}\)")
    assert [p for p in files_with("tests", re.escape(promise)) if p != Path(__file__)]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_listed(promise):
    assert f"`{promise}`" in (ROOT / "docs" / "invariants.md").read_text()
