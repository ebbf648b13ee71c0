"""Nothing but the gate sees the store as a whole: operations have the view of one account."""

import ast
from pathlib import Path

import pytest

from kagimori.operations.operation import Operation
from kagimori.operations.registry import OPERATIONS

SOURCE = Path(__file__).parents[2] / "src" / "kagimori"


def files_that_see_the_whole_store():
    """Return the files below `src/kagimori` in which `view.whole` is read."""
    return {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("view.whole")
    }


def test_the_whole_store_is_looked_into_by_the_gate_alone():
    assert files_that_see_the_whole_store() == {
        "gate/across.py",  # the look-ups that reach into other accounts
        "gate/conditions/kms_values.py",  # what decides
        "gate/grants_of_key.py",
        "gate/operators.py",  # what spans accounts, for the operators of the deployment
        "gate/signing_in.py",  # who signs in has no account before
        "gate/why.py",
    }


def test_operations_are_given_the_view_of_an_account():
    annotations = ast.parse((SOURCE / "gate" / "asked.py").read_text())
    views = {
        ast.unparse(node.annotation)
        for node in ast.walk(annotations)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "view"
    }
    assert views == {"AccountView"}


@pytest.mark.parametrize("step", ["look_up", "finish"])
def test_every_operation_has_its_steps(step):
    missing = [
        name
        for name, operation in OPERATIONS.items()
        if getattr(type(operation), step) is getattr(Operation, step)
    ]
    assert not missing
