"""Docstrings make sense alone: first lines are statements, and sources are public."""

import ast
import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
PACKAGES = sorted(path.name for path in SOURCES.iterdir() if (path / "__init__.py").exists())
# A first line that begins so needs the file to be understood.
RIDDLE = re.compile(r"(?:What|Whether|Whoever|Whose|Whom|Who|Which|Where|Why|Tell|Say whether)\b")


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


def test_sources_are_pages_that_readers_have():
    private = re.compile(r"\breference, (?:end of )?(?:sections? )?[0-9]|messages: section [0-9]")
    found = [
        str(file.relative_to(SOURCES))
        for file in sorted(SOURCES.rglob("*.py"))
        if private.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []
