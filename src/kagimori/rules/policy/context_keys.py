"""Lists the context keys of a policy: those of its conditions and its policy variables."""

from collections.abc import Iterable, Iterator

from kagimori.rules.folding import fold

from .condition import Condition
from .grammar import Document, Statement
from .template import BadVariable, Variable, parse_template


def context_keys(documents: Iterable[Document]) -> tuple[str, ...]:
    """Return the keys that documents mention, once each, in the order they come up."""
    return without_repeats(
        key
        for document in documents
        for statement in document.statements
        for key in statement_keys(statement, variables=document.has_variables)
    )


def statement_keys(statement: Statement, *, variables: bool) -> Iterator[str]:
    """Yield the keys that one statement mentions; variables in the form in which keys compare."""
    for condition in statement.conditions:
        yield from condition_keys(condition, variables=variables)
    yield from resource_keys(statement, variables=variables)


def condition_keys(condition: Condition, *, variables: bool) -> Iterator[str]:
    """Yield the key of a condition, and those of its policy variables."""
    yield condition.key
    if variables:
        for operand in condition.operands:
            yield from _variables(operand)


def resource_keys(statement: Statement, *, variables: bool) -> Iterator[str]:
    """Yield the keys of the policy variables in a Resource or NotResource element."""
    if variables:
        for resource in statement.resources or ():
            yield from _variables(resource)


def without_repeats(keys: Iterable[str]) -> tuple[str, ...]:
    """Return keys without those that differ from an earlier one in letter case only."""
    found: dict[str, str] = {}
    for key in keys:
        found.setdefault(fold(key), key)
    return tuple(found.values())


def _variables(text: str) -> Iterator[str]:
    try:
        pieces = parse_template(text, variables=True, wildcards=True)
    except BadVariable:
        return
    for piece in pieces:
        if isinstance(piece, Variable):
            yield piece.name
