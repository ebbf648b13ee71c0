"""Entities: values with a version, of which a change makes a successor.

A kind of entity whose values cost much to compute says in `computed_from` which fields each comes
from; a successor with the same fields takes it over, and nothing is computed twice.
"""

from typing import Any, TypeVar

from msgspec.structs import replace

E = TypeVar("E")


def changed(entity: E, **fields: Any) -> E:
    """Return the successor of an entity: some fields other, the version one higher."""
    return with_fields(entity, version=entity.version + 1, **fields)  # type: ignore[attr-defined]


def with_fields(entity: E, **fields: Any) -> E:
    """Return an entity with some fields other, and what was computed from the others kept."""
    other: E = replace(entity, **fields)  # type: ignore[type-var]
    for name, sources in getattr(entity, "computed_from", {}).items():
        if name in vars(entity) and fields.keys().isdisjoint(sources):
            vars(other)[name] = vars(entity)[name]
    return other
