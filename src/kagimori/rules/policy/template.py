"""Patterns with wildcards and policy variables, parsed once and filled for each request.

A piece is literal text, a wildcard or a variable. What a variable brings in is data: it becomes
a literal piece and can never turn into a wildcard, a separator or another variable.

Source: IAM User Guide, reference_policies_variables and "IAM policy elements: Variables and tags".
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold

from .values import Values, is_multi_valued


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


_LITERALS: Final = {"*": "*", "?": "?", "$": "$"}
_BLANKS: Final = " \t\n\r\x0b\x0c"
_NOT_IN_NAME: Final = frozenset("{},'")
_NOT_IN_DEFAULT: Final = frozenset("'{}")


def parse_template(text: str, *, variables: bool, wildcards: bool) -> Pieces:
    """Return the pieces of `text`; without `variables` a `${…}` is plain text.

    Raises:
        BadVariable: something begins like a variable and is none.
    """
    if not variables or "${" not in text:
        return joined(_with_wilds(text) if wildcards else (text,))
    pieces: list[Piece] = []
    before, *openings = text.split("${")
    pieces += _with_wilds(before) if wildcards else (before,)
    for opening in openings:
        inside, brace, after = opening.partition("}")
        if not brace:
            raise BadVariable(opening)
        pieces.append(_LITERALS.get(inside) or _variable(inside))
        pieces += _with_wilds(after) if wildcards else (after,)
    return joined(pieces)


def _with_wilds(text: str) -> Sequence[Piece]:
    """Return literals and wildcards in turn."""
    if "*" not in text and "?" not in text:
        return (text,)
    pieces: list[Piece] = []
    for number, run in enumerate(text.split("*")):
        if number:
            pieces.append(Wild.STAR)
        for at, literal in enumerate(run.split("?")):
            if at:
                pieces.append(Wild.MARK)
            pieces.append(literal)
    return pieces


def _variable(inside: str) -> Variable:
    """Return the content of `${...}`: a name, and perhaps a default in quotes."""
    name, comma, rest = inside.partition(",")
    name, rest = name.strip(_BLANKS), rest.strip(_BLANKS)
    quoted = rest[1:-1] if len(rest) > 1 and rest[0] == rest[-1] == "'" else None
    if not name or not _NOT_IN_NAME.isdisjoint(name) or (comma and quoted is None):
        raise BadVariable(inside)
    if quoted is not None and not _NOT_IN_DEFAULT.isdisjoint(quoted):
        raise BadVariable(inside)
    return Variable(fold(name), quoted)


def joined(pieces: Sequence[Piece]) -> Pieces:
    """Return the pieces with neighbouring literals made one, and without empty ones."""
    result: list[Piece] = []
    run: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            if piece:
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
    """Return whether the pattern has policy variables."""
    return any(isinstance(piece, Variable) for piece in pieces)


def filled(pieces: Pieces, values: Values) -> Filled | None:
    """Return the pieces with every variable replaced, or None when one has no value."""
    result: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, Variable):
            text = _value_of(piece, values)
            if text is None:
                return None
            values.steps.take(len(text))
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
    return [joined(part) for part in parts]
