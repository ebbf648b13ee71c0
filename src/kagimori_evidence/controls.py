"""The table of controls: clauses of standards, and what in Kagimori keeps them.

The texts are ours; of the standards there are the names and numbers of their parts.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "ja")
# The groups of facts that a control may name; `collecting.report_of` makes them.
FACTS: Final = (
    "administrators", "audit_trail", "domain_keys", "hsm", "identities", "keys", "nodes",
    "operators", "server",
)  # fmt: skip


@dataclass(frozen=True)
class Clause:
    """A part of a standard: the standard's short name, and the part's number."""

    standard: str
    part: str


@dataclass(frozen=True)
class Control:
    """One control. `company` is the part that no software keeps; `facts` are groups of facts."""

    control_id: str
    title: str
    kept_by: str
    company: str
    clauses: tuple[Clause, ...]
    tests: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Standard:
    """A standard that clauses are of."""

    name: str
    title: str


@cache
def standards() -> tuple[Standard, ...]:
    """Return the standards, in the order of the report."""
    return tuple(
        Standard(name, title) for name, title in _table("controls.toml")["standards"].items()
    )


@cache
def controls(language: str = ENGLISH) -> tuple[Control, ...]:
    """Return the controls in a language."""
    texts = {} if language == ENGLISH else _table(f"controls_{language}.toml")["control"]
    return tuple(
        Control(
            control_id=name,
            clauses=tuple(
                Clause(standard, part)
                for standard in _table("controls.toml")["standards"]
                for part in one.get("clauses", {}).get(standard, ())
            ),
            tests=tuple(one["tests"]),
            facts=tuple(one.get("facts", ())),
            **{member: texts.get(name, one)[member] for member in ("title", "kept_by", "company")},
        )
        for name, one in _table("controls.toml")["control"].items()
    )


@cache
def _table(name: str) -> dict[str, Any]:
    file = resources.files("kagimori_evidence") / name
    return tomllib.loads(file.read_text(encoding="utf-8"))
