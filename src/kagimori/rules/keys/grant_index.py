"""An index of the grants of one KMS key, by grantee and constraint.

A key may have 50,000 grants, all of them perhaps to one grantee: a question must not look at
each. Few grants to one grantee are a plain tuple; many are split by operation and constraint.

Source: KMS Developer Guide, "Grants in AWS KMS".
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from kagimori.rules.policy.question import Question

from .grant import CONTEXT_OPERATIONS, Grant, operation_of

_FEW: Final = 8
Pair = tuple[str, str]
_Key = TypeVar("_Key")
Shelf = dict[str, Grant]


class _ManyGrants:
    """The grants of one grantee under one SourceArn, when they are many."""

    __slots__ = ("by_equals", "by_operation", "by_pair")

    def __init__(self, grants: Iterable[Grant]) -> None:
        self.by_operation: dict[str, Shelf] = {}
        self.by_equals: dict[frozenset[Pair], Shelf] = {}
        self.by_pair: dict[Pair, Shelf] = {}
        for grant in grants:
            self.add(grant)

    def add(self, grant: Grant) -> None:
        terms = grant.terms
        constrained = terms.encryption_context_equals is not None or bool(
            terms.encryption_context_subset
        )
        for operation in terms.operations:
            if not constrained or operation not in CONTEXT_OPERATIONS:
                self.by_operation.setdefault(operation, {})[grant.grant_id] = grant
        if terms.encryption_context_equals is not None:
            pairs = frozenset(terms.encryption_context_equals.items())
            self.by_equals.setdefault(pairs, {})[grant.grant_id] = grant
        elif terms.encryption_context_subset:
            # Under the pair that the fewest share, so that a common pair gathers no crowd.
            pair = min(
                terms.encryption_context_subset.items(),
                key=lambda pair: len(self.by_pair.get(pair, ())),
            )
            self.by_pair.setdefault(pair, {})[grant.grant_id] = grant

    def remove(self, grant: Grant) -> None:
        terms = grant.terms
        for operation in terms.operations:
            _take(self.by_operation, operation, grant.grant_id)
        pairs = frozenset((terms.encryption_context_equals or {}).items())
        _take(self.by_equals, pairs, grant.grant_id)
        for pair in (terms.encryption_context_subset or {}).items():
            _take(self.by_pair, pair, grant.grant_id)

    def candidates(self, question: Question) -> Iterator[Grant]:
        operation = operation_of(question.action)
        yield from self.by_operation.get(operation, {}).values()
        if operation not in CONTEXT_OPERATIONS:
            return
        pairs = frozenset((question.encryption_context or {}).items())
        yield from self.by_equals.get(pairs, {}).values()
        for pair in pairs:
            yield from self.by_pair.get(pair, {}).values()


def _take(shelves: dict[_Key, Shelf], key: _Key, grant_id: str) -> None:
    shelf = shelves.get(key)
    if shelf is not None:
        shelf.pop(grant_id, None)
        if not shelf:
            del shelves[key]


class GrantIndex:
    """The grants of one KMS key; changed only by the cache that holds it."""

    __slots__ = ("_by_grantee", "_by_id")

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._by_id: Shelf = {}
        self._by_grantee: dict[tuple[str, str | None], tuple[Grant, ...] | _ManyGrants] = {}
        for grant in grants:
            self.add(grant)

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, grant_id: str) -> Grant | None:
        """Return the grant with an id."""
        return self._by_id.get(grant_id)

    def add(self, grant: Grant) -> None:
        """Add a grant; it replaces one with the same id."""
        self.remove(grant.grant_id)
        self._by_id[grant.grant_id] = grant
        key = (grant.grantee, grant.terms.source_arn)
        kept = self._by_grantee.get(key, ())
        if isinstance(kept, _ManyGrants):
            kept.add(grant)
        elif len(kept) < _FEW:
            self._by_grantee[key] = (*kept, grant)
        else:
            self._by_grantee[key] = _ManyGrants((*kept, grant))

    def remove(self, grant_id: str) -> None:
        """Remove the grant with an id, if there is one."""
        grant = self._by_id.pop(grant_id, None)
        if grant is None:
            return
        key = (grant.grantee, grant.terms.source_arn)
        kept = self._by_grantee[key]
        if isinstance(kept, _ManyGrants):
            kept.remove(grant)
            return
        left = tuple(other for other in kept if other.grant_id != grant_id)
        if left:
            self._by_grantee[key] = left
        else:
            del self._by_grantee[key]

    def candidates(self, name: str, question: Question) -> Iterable[Grant]:
        """Return the grants to a grantee that may cover a question, and few others."""
        plain = self._under((name, None), question)
        if question.source_arn is None:
            return plain
        return (*plain, *self._under((name, question.source_arn), question))

    def _under(self, key: tuple[str, str | None], question: Question) -> Iterable[Grant]:
        kept = self._by_grantee.get(key, ())
        return kept.candidates(question) if isinstance(kept, _ManyGrants) else kept


NO_GRANTS: Final = GrantIndex()
