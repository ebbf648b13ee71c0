"""Finds the constraints of a shape that a value breaks, in AWS's words.

Source: KMS API Reference, "Common Error Types".
"""

import re
from typing import Any, Final

from kagimori.front.patterns import python_pattern
from kagimori.front.shapes import Shape
from kagimori.front.structs import INTEGER_BOUNDS

NOT_NULL: Final = "Member must not be null"


def broken(shape: Shape, value: Any) -> list[str]:
    """Return the texts of the constraints that a value of the right type breaks."""
    if shape.enum:
        return [] if value in shape.enum else [_enum(shape.enum)]
    texts = []
    numeric = shape.type in INTEGER_BOUNDS
    if numeric or shape.min is not None or shape.max is not None:
        size = value if numeric else len(value)
        if shape.min is not None and size < shape.min:
            texts.append(_lower(shape))
        if shape.max is not None and size > shape.max:
            texts.append(_upper(shape))
    if shape.pattern is not None and not re.match(python_pattern(shape.pattern), value):
        texts.append(_pattern(shape.pattern))
    return texts


def listed(shape: Shape, values: Any) -> str:
    """Return all constraints of an element, as the nested form lists them."""
    texts = []
    if shape.max is not None:
        texts.append(_upper(shape))
    if shape.min is not None:
        texts.append(_lower(shape))
    if shape.enum:
        texts.append(_enum(shape.enum))
    if shape.pattern is not None:
        texts.append(_pattern(shape.pattern))
    if any(value is None for value in values):
        texts.append(NOT_NULL)
    return ", ".join(texts)


def _what(shape: Shape) -> str:
    return "value" if shape.type in INTEGER_BOUNDS else "length"


def _lower(shape: Shape) -> str:
    return f"Member must have {_what(shape)} greater than or equal to {shape.min}"


def _upper(shape: Shape) -> str:
    return f"Member must have {_what(shape)} less than or equal to {shape.max}"


def _enum(values: tuple[str, ...]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _pattern(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"
