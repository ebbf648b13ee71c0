"""The grants of a key as `authorize` asks for them: by grantee, from memory."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from kagimori.entities.tables import GRANTS
from kagimori.gate.asked import Asked
from kagimori.rules.keys.grant import Grant
from kagimori.rules.keys.grant_index import GrantIndex
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant, read_grant_token
from kagimori.rules.policy.question import Question

# Below this many to one grantee, looking at each is faster than an index.
_FEW: Final = 8
_INDEXES_MAX: Final = 1000


class GrantsOfKey(Struct, frozen=True):
    """Finds the grants of a key to one grantee that may cover a question."""

    asked: Asked
    kms_key: KmsKey

    def candidates(self, name: str, question: Question) -> Iterable[Grant]:
        """Return the grants to a grantee that may cover a question, and few others."""
        key = self.kms_key
        group = (key.account_id, key.region, key.key_id, name)
        stored: Sequence[StoredGrant] = self.asked.view.whole.group(GRANTS, "by_grantee", group)
        if len(stored) <= _FEW:
            return [grant.grant for grant in stored]
        return _index_of(group, stored).candidates(name, question)


def presented_grants(asked: Asked) -> tuple[Grant, ...]:
    """Return the grants that the request's grant tokens name and that exist.

    Raises:
        InvalidGrantTokenException: a token that is none.
    """
    tokens = getattr(asked.call.input, "GrantTokens", None)
    if not tokens:
        return ()
    found = []
    for token in tokens:
        ref = read_grant_token(token)
        key = (ref.account_id, ref.region, ref.key_id, ref.grant_id)
        stored: StoredGrant | None = asked.view.whole.one(GRANTS, key)
        if stored is not None:
            found.append(stored.grant)
    return tuple(found)


# Indexes made from group tuples: memory answers the same tuple until a grant of it changes.
_INDEXES: Final[dict[tuple[str, ...], tuple[Sequence[StoredGrant], GrantIndex]]] = {}


def _index_of(group: tuple[str, ...], stored: Sequence[StoredGrant]) -> GrantIndex:
    known = _INDEXES.get(group)
    if known is not None and known[0] is stored:
        return known[1]
    if len(_INDEXES) >= _INDEXES_MAX:
        _INDEXES.clear()
    index = GrantIndex(grant.grant for grant in stored)
    _INDEXES[group] = (stored, index)
    return index
