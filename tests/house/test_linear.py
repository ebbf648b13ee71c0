"""Every regular expression takes time linear in the text, by its form, and all are known."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import kagimori
import kagimori_boundary
import kagimori_cli
import kagimori_hsm
import regular
from kagimori.front.patterns import python_pattern
from kagimori.front.shapes import describe
from kagimori.rules.partitions import partitions

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = (kagimori, kagimori_boundary, kagimori_cli, kagimori_hsm)
# Searching tries every place of the text, so what is searched for repeats nothing without bound;
# but for these, which were read for what that costs.
SEARCHED = {
    "_TOKEN": "policies that were parsed before: every string in them ends",
    "_WORD": "patterns of the service models alone",
}


def all_patterns():
    found = {}
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                for name, value in vars(importlib.import_module(module.name)).items():
                    if isinstance(value, re.Pattern):
                        found[value] = f"{module.name}.{name}"
    return found


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_regular_expression_is_linear():
    found = all_patterns()
    assert len(found) > 50
    bad = {name for one, name in found.items() if not regular.is_linear(one.pattern, one.flags)}
    assert not bad, "make it certain where each repetition ends, or read the text by hand"


@pytest.mark.parametrize("service", ["kms", "iam", "sts", "cloudtrail"])
def test_every_pattern_of_the_service_models_is_linear(service):
    for name, shape in describe(service).shapes.items():
        if shape.pattern is not None:
            assert regular.is_linear(python_pattern(shape.pattern)), name


def test_no_regular_expression_is_made_where_this_cannot_see_it():
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        outside = {
            node.lineno
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in calls(function)
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
        }
        # These match patterns that botocore has, which are looked at above and below.
        elsewhere = ("constraints.py", "partitions.py")
        assert not outside or file.name in elsewhere, f"{file}: lines {outside}"


def test_every_pattern_of_the_partitions_is_linear():
    for partition in partitions().values():
        assert regular.is_linear(partition.region_pattern, re.ASCII)


def test_what_is_searched_for_ends():
    searching = {"search", "finditer", "findall", "sub", "subn", "split"}
    found = {name.rpartition(".")[2]: one for one, name in all_patterns().items()}
    for file in FILES:
        for node in calls(ast.parse(file.read_text(encoding="utf-8"))):
            name = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if node.func.attr in searching and name.isupper() and name not in SEARCHED:
                one = found[name]
                assert regular.is_short(one.pattern, one.flags), f"{file}: {name}"


@pytest.mark.parametrize(
    ("pattern", "linear"),
    [
        ("a*", True),
        ("a*b*", True),
        ("a*a", True),
        ("a*a*", False),
        ("a*ba*", True),
        ("[ab]*ba*", True),
        ("[ab]*b[ab]*", False),
        ("(a*)*", False),
        ("(a|a)*", False),
        ("(a+b)*", True),
        ("(ba*)*", True),
        ("(a+b?)*", False),
        (r"\s*([^{},']*[^{},'\s])\s*", False),
        ("a{1,40}a{1,40}", True),
    ],
)
def test_the_judge_itself(pattern, linear):
    assert regular.is_linear(pattern) is linear
