"""Docstrings make sense alone: first lines are statements, and sources are public."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
PACKAGES = sorted(path.name for path in SOURCES.iterdir() if (path / "__init__.py").exists())
# A verb with six meanings: the field has one for each (show, notify, refuse, explain, log, know).
# Left are the position of a stream, and a member of a file that earlier versions wrote.
TELLING = re.compile(
    r"(?<![A-Za-z])_?(?:un)?(?:tell|tells|told|telling)(?![A-Za-z])", re.IGNORECASE
)
NO_TELLING = re.compile(r"\.tell\(\)|name=\"told\"")
# Words of first lines and messages that make a riddle of a noun.
VAGUE = re.compile(r"\b(?:[Ww]ho(?:m?)ever|(?:it|what|that|which|they) (?:is|are) none)\b")
# A first line that begins so needs the file to be understood.
RIDDLE = re.compile(
    r"(?:\w+ (?:\w+ )?what|What|Whether|Whoever|Whose|Whom|Who|Which|Where|Why|Tell|Say whether)\b"
)


def documented(file):
    """Yield name and first line of a file's docstring, and of those inside it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        if text:
            yield getattr(node, "name", "module"), text.splitlines()[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_first_lines_are_statements(package):
    riddles = [
        f"{file.relative_to(SOURCES)}: {name}: {line}"
        for file in sorted((SOURCES / package).rglob("*.py"))
        for name, line in documented(file)
        if RIDDLE.match(line)
    ]
    assert riddles == []


def sources():
    """Yield each file with its name below `src`, and its text."""
    for file in sorted(SOURCES.rglob("*.py")):
        yield file.relative_to(SOURCES), file.read_text(encoding="utf-8")


def messages(text):
    """Yield the texts of a file that people may read: constants with blanks in them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def test_nothing_is_told():
    """Neither in names, nor in comments, docstrings and messages."""
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in sources()
        for number, line in enumerate(text.splitlines(), start=1)
        if TELLING.search(NO_TELLING.sub("", line))
    ]
    assert found == []


def test_first_lines_and_messages_name_things():
    lines = [
        f"{name}: {line}"
        for name, _ in sources()
        for _, line in documented(SOURCES / name)
        if VAGUE.search(line)
    ]
    texts = [
        f"{name}: {one[:80]}"
        for name, text in sources()
        for one in messages(text)
        if "\n" not in one and VAGUE.search(one)
    ]
    assert lines + texts == []


def test_sources_are_pages_that_readers_have():
    private = re.compile(r"\breference, (?:end of )?(?:sections? )?[0-9]|messages: section [0-9]")
    found = [
        str(file.relative_to(SOURCES))
        for file in sorted(SOURCES.rglob("*.py"))
        if private.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []


# Pages for users; decisions are of their time, and stay as they were written.
PAGES = [
    *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"),
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "src/kagimori/front/service_models/kagimori/2026-11-01/service-2.json",
]


def test_pages_tell_nothing_but_how_to():
    """An order to a reader ("Tell the server ...") is none of what `tell` must not stand for."""
    wrong = re.compile(r"\b(?:told|tells|telling|whoever|tell (?!the server))\b", re.IGNORECASE)
    found = [
        f"{page.name}:{number}: {line.strip()[:100]}"
        for page in PAGES
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
        if wrong.search(re.sub(r"\S*be-told-of-events\S*", "", line))
    ]
    assert found == []
