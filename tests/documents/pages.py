"""The pages of the documentation: their links and their blocks, and how blocks are run."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv" / "bin"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
# Where a page's links and headings are looked for: not in code.
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def name_of(page):
    return str(Path(page).relative_to(ROOT))


def blocks(page, info=None):
    """Return the fenced blocks of a page as (info, text); with `info`, the texts of those alone."""
    found = [(label.strip(), text) for label, text in _FENCE.findall(text_of(page))]
    return found if info is None else [text for label, text in found if label == info]


def links(page):
    return _LINK.findall(_CODE.sub("", text_of(page)))


def anchors(page):
    """Return the names by which the headings of a page can be linked to."""
    outside = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run(page, folder, environment, *, info="sh run", data=None):
    """Run all blocks of a page that are marked for running, as one script, in `folder`.

    What pages name by relative paths is there: the environment's programs, the examples, and
    `data` as `kagimori-data`.
    """
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "examples").symlink_to(ROOT / "examples")
    if data is not None:
        (folder / "kagimori-data").symlink_to(data)
    script = "\n".join(["set -eu", *blocks(page, info)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
