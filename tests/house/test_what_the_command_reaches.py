"""The command is a client: it reaches deployments, backups, settings and readers of the trail."""

import ast
import importlib
import types
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src" / "kagimori_cli").glob("*.py"))
ROOMS = {"backups", "deployment", "settings"}
READERS = {"acceptance", "policy_replay", "reading", "verification"}


def imports(file):
    """Yield module and name of everything that a file imports of ours."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None


def is_within_reach(module, name):
    if module == "kagimori.trail":
        return name in READERS
    parts = module.split(".")
    if parts[0] in ("kagimori_cli", "kagimori_client", "kagimori_evidence"):
        return True
    return parts[0] == "kagimori" and (
        parts[1] in ROOMS or (parts[1] == "trail" and parts[2] in READERS)
    )


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_a_command_imports_what_is_within_its_reach(file):
    for module, name in imports(file):
        if module.partition(".")[0].startswith("kagimori"):
            assert is_within_reach(module, name), f"{module} {name}"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_nothing_is_reached_through_a_re_export(file):
    for module, name in imports(file):
        if name is None or not module.startswith("kagimori."):
            continue
        found = getattr(importlib.import_module(module), name, None)  # None: a module
        if isinstance(found, type | types.FunctionType):
            assert found.__module__ == module, f"{name} is not of {module}"
