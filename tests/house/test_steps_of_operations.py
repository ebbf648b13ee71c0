"""The steps of an operation: only the allowed are asked for, and after the reading nothing reads."""

import ast
import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

from kagimori.gate.asked import Asked, Request
from kagimori.operations.registry import OPERATIONS
from kagimori.rules.authorization.authorize import Allowed

SOURCE = Path(__file__).parents[2] / "src" / "kagimori"
FILES = sorted((SOURCE / "operations").rglob("*.py"))
EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.name)


def test_a_request_has_nothing_to_read_or_draw_with():
    assert not {"view", "draw", "usages"} & set(Request.__struct_fields__)
    assert {"view", "draw", "usages"} <= set(Asked.__struct_fields__)


@EACH
def test_what_follows_the_reading_is_given_a_request_without_a_view(operation):
    for step in (operation.ask, operation.refusal, operation.finish):
        assert get_type_hints(step)["asked"] is Request, step.__qualname__


@EACH
def test_only_the_allowed_are_asked_for(operation):
    assert get_type_hints(operation.ask)["allowed"] is Allowed
    assert inspect.signature(operation.ask).parameters["allowed"].default is inspect.Parameter.empty


def test_only_the_gate_gives_permission():
    makers = {
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("permission", "Allowed")
    }
    assert makers == {"gate/may_they.py", "rules/authorization/authorize.py"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_facts_are_made_and_not_changed(file):
    """`read` returns other facts; a step that sets some would hand on what no signature shows."""
    changed = [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("facts", "asked")
    ]
    assert not changed
