"""The table of controls holds: its tests exist, its standards are known, its texts are complete."""

from dataclasses import astuple
from pathlib import Path

import pytest

from kagimori_evidence.controls import FACTS, LANGUAGES, controls, standards

ROOT = Path(__file__).parents[2]
CONTROLS = controls()


def ids(control):
    return control.control_id


@pytest.mark.parametrize("control", CONTROLS, ids=ids)
def test_the_tests_of_a_control_exist(control):
    assert control.tests
    for name in control.tests:
        assert "def test_" in (ROOT / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("control", CONTROLS, ids=ids)
def test_a_control_belongs_to_a_standard_and_to_facts(control):
    assert control.clauses
    assert {clause.standard for clause in control.clauses} <= {one.name for one in standards()}
    assert control.facts
    assert set(control.facts) <= set(FACTS)


def test_every_standard_has_a_control():
    assert {one.name for one in standards()} == {
        clause.standard for control in CONTROLS for clause in control.clauses
    }


def test_every_requirement_on_key_management_of_pci_dss_has_a_control():
    parts = {clause.part for one in CONTROLS for clause in one.clauses}
    assert {f"3.7.{number}" for number in range(1, 10)} <= parts
    assert {"3.6.1", "3.6.1.1", "3.6.1.2", "3.6.1.3", "3.6.1.4"} <= parts


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_each_text_of_a_control_is_there_in_every_language(language):
    for english, other in zip(CONTROLS, controls(language), strict=True):
        assert astuple(english)[0] == astuple(other)[0]
        for member in ("title", "kept_by", "company"):
            assert getattr(other, member) != getattr(english, member), english.control_id
