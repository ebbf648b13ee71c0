"""Explains why a grant does not cover a request: the slow, explaining twin of `permits`.

A grant without shortfall is one that permits. Source: KMS Developer Guide, "Grants in AWS KMS".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from kagimori.rules.policy.question import Question

from .grant import CONTEXT_OPERATIONS, Grant, GrantTerms, is_within, operation_of


class Shortfall(Struct, frozen=True):
    """One reason why a grant does not cover a request: its own term, and the requested one.

    Both are texts: those of a list, `name=value` for each pair of a map, none for an absent value.
    """

    what: str
    has: list[str]
    asked: list[str]


def shortfalls(
    grant: Grant, question: Question, proposed: GrantTerms | None = None
) -> tuple[Shortfall, ...]:
    """Return the terms of a grant that do not cover a request; the grantee was compared before."""
    return tuple(_shortfalls(grant, question, proposed))


def _shortfalls(
    grant: Grant, question: Question, proposed: GrantTerms | None
) -> Iterator[Shortfall]:
    terms, operation = grant.terms, operation_of(question.action)
    if operation not in terms.operations:
        yield _shortfall("Operations", sorted(terms.operations), operation or question.action)
    if question.resource != grant.key_arn:
        yield _shortfall("KeyId", grant.key_arn, question.resource)
    if operation == "CreateGrant" and (proposed is None or not is_within(proposed, terms)):
        yield _shortfall("terms of the new grant", _shown(terms), _shown(proposed))
    if terms.source_arn not in (None, question.source_arn) and operation != "RetireGrant":
        yield _shortfall("SourceArn", terms.source_arn, question.source_arn)
    if operation in CONTEXT_OPERATIONS:
        yield from _of_context(terms, dict(question.encryption_context or {}))


def _of_context(terms: GrantTerms, context: Mapping[str, str]) -> Iterator[Shortfall]:
    equals, subset = terms.encryption_context_equals, terms.encryption_context_subset
    if equals is not None and dict(equals) != context:
        yield _shortfall("EncryptionContextEquals", dict(equals), context)
    if subset is not None and any(context.get(key) != value for key, value in subset.items()):
        yield _shortfall("EncryptionContextSubset", dict(subset), context)


def _shortfall(what: str, has: Any, asked: Any) -> Shortfall:
    return Shortfall(what, texts_of(has), texts_of(asked))


def texts_of(value: Any) -> list[str]:
    """Return a value of either side as texts; a list of texts stays as it is."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [f"{name}={_text(inner)}" for name, inner in value.items()]
    if isinstance(value, list | tuple):
        return [_text(inner) for inner in value]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(dict(value) if isinstance(value, Mapping) else value)


def _shown(terms: GrantTerms | None) -> dict[str, Any] | None:
    if terms is None:
        return None
    constraints = {
        "EncryptionContextEquals": terms.encryption_context_equals,
        "EncryptionContextSubset": terms.encryption_context_subset,
        "SourceArn": terms.source_arn,
    }
    given = {name: value for name, value in constraints.items() if value is not None}
    return {"Operations": sorted(terms.operations), **given}
