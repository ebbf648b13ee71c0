"""Text with holes: wildcards and policy variables, parsed once, filled for each request.

A piece is literal text, a wildcard or a variable. What a variable brings in is data: it becomes
a literal piece and can never turn into a wildcard, a separator or another variable.

Source: IAM User Guide, reference_policies_variables; reference, section 9.8.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from .values import Values, fold_key, is_multi_valued


class Wild(Enum):
    """The two wildcards, and their kinds that stop at a colon (used inside ARN parts)."""

    STAR = "*"
    MARK = "?"
    STAR_IN_PART = "*:"
    MARK_IN_PART = "?:"


class Variable(Struct, frozen=True):
    """`${name}` or `${name, 'default'}`; the name in its folded form."""

    name: str
    default: str | None


Piece = str | Wild | Variable
Pieces = tuple[Piece, ...]
Filled = tuple[str | Wild, ...]


class BadVariable(ValueError):
    """A `${` that is neither a variable nor one of the literals `${*}`, `${?}`, `${$}`."""


_WILDS: Final = {"*": Wild.STAR, "?": Wild.MARK}
_LITERALS: Final = {"${*}": "*", "${?}": "?", "${$}": "$"}
_SPLIT: Final = re.compile(r"(\$\{[^{}]*\}|\$\{|[*?])")
_VARIABLE: Final = re.compile(r"\$\{\s*([^{},']*[^{},'\s])\s*(?:,\s*'([^'{}]*)'\s*)?\}")


def parse_template(text: str, *, variables: bool, wildcards: bool) -> Pieces:
    """Return the pieces of `text`; without `variables` a `${…}` is plain text.

    Raises:
        BadVariable: something begins like a variable and is none.
    """
    pieces: list[Piece] = []
    for part in _SPLIT.split(text):
        if part == "":
            continue
        if wildcards and part in _WILDS:
            pieces.append(_WILDS[part])
        elif part.startswith("${") and not variables:
            # The splitter keeps `${a*b}` together; its wildcards are wildcards all the same.
            pieces += [_WILDS[c] if wildcards and c in _WILDS else c for c in part]
        elif part.startswith("${"):
            pieces.append(_LITERALS[part] if part in _LITERALS else _variable(part))
        else:
            pieces.append(part)
    return joined(pieces)


def _variable(part: str) -> Variable:
    found = _VARIABLE.fullmatch(part)
    if found is None:
        raise BadVariable(part)
    return Variable(fold_key(found[1]), found[2])


def joined(pieces: Sequence[Piece]) -> Pieces:
    """Return the pieces with neighbouring literals made one."""
    result: list[Piece] = []
    run: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            run.append(piece)
            continue
        if run:
            result.append("".join(run))
            run = []
        result.append(piece)
    if run:
        result.append("".join(run))
    return tuple(result)


def has_variables(pieces: Pieces) -> bool:
    """Say whether the template needs a request to be complete."""
    return any(isinstance(piece, Variable) for piece in pieces)


def filled(pieces: Pieces, values: Values) -> Filled | None:
    """Return the pieces with every variable replaced, or None when one has no value."""
    result: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, Variable):
            text = _value_of(piece, values)
            if text is None:
                return None
            result.append(text)
        else:
            result.append(piece)
    return joined(result)  # type: ignore[return-value]  # no variable is left


def _value_of(variable: Variable, values: Values) -> str | None:
    # A multi-valued key cannot stand for one text, however many values it has today.
    if is_multi_valued(variable.name):
        return variable.default
    found = values.lookup(variable.name)
    return found[0] if found is not None and len(found) == 1 else variable.default


def split_parts(pieces: Pieces, count: int) -> list[Pieces]:
    """Return at most `count` parts of the template, split at the colons of its own text."""
    parts: list[list[Piece]] = [[]]
    for piece in pieces:
        if not isinstance(piece, str):
            parts[-1].append(piece)
            continue
        texts = piece.split(":", count - len(parts))
        parts[-1].append(texts[0])
        parts += [[text] for text in texts[1:]]
    return [joined([piece for piece in part if piece != ""]) for part in parts]
