"""The layers that import-linter holds are whole, without circles, and as ARCHITECTURE draws them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
LAYERS = {found["containers"][0]: found for found in CONTRACTS if found["type"] == "layers"}


@pytest.mark.parametrize("container", LAYERS)
def test_no_file_is_left_out_and_neighbours_do_not_import_each_other(container):
    contract = LAYERS[container]
    assert contract["exhaustive"]
    assert "ignore_imports" not in contract
    assert not [layer for layer in contract["layers"] if ":" in layer]


def test_the_rooms_with_many_files_have_layers():
    rooms = {"rules", "machinery", "machinery.store", "server", "trail"}
    assert {f"kagimori.{room}" for room in rooms} | {"kagimori", "kagimori_hsm"} <= set(LAYERS)


def test_the_drawing_of_the_rooms_is_the_contract():
    (drawn,) = re.findall(r"```\n(dev > .*?)```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    layers = [sorted(layer.split(" | ")) for layer in LAYERS["kagimori"]["layers"]]
    assert [sorted(layer.strip().split(", ")) for layer in drawn.split(">")] == layers
