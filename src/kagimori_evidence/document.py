"""A report as one HTML file: no script, nothing from elsewhere, made to be printed."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

_TEMPLATE: Final = "evidence.html"


def as_html(report: Mapping[str, Any]) -> str:
    """Return a report as HTML; everything in it is escaped."""
    return _template().render(report=report, facts=report["facts"])


@cache
def _template() -> Template:
    made = Environment(
        loader=PackageLoader("kagimori_evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown_facts"] = shown_facts
    return made.get_template(_TEMPLATE)


def shown_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with lists of members as lines that a person reads."""
    return {
        name: [", ".join(str(part) for part in one.values()) for one in value]
        if isinstance(value, list) and value and isinstance(value[0], dict)
        else value
        for name, value in facts.items()
    }
