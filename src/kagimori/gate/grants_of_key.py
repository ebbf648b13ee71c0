"""The grants of a key as `authorize` asks for them: by grantee, from memory."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from kagimori.entities.tables import GRANTS
from kagimori.gate.asked import Asked
from kagimori.ports import LargeGroup
from kagimori.rules.keys.grant import Grant
from kagimori.rules.keys.grant_index import GrantIndex
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant, read_grant_token
from kagimori.rules.policy.question import Question


class GrantsOfKey(Struct, frozen=True):
    """Finds the grants of a key to one grantee that may cover a question."""

    asked: Asked
    kms_key: KmsKey

    def candidates(self, name: str, question: Question) -> Iterable[Grant]:
        """Return the grants to a grantee that may cover a question, and few others."""
        key = self.kms_key
        group = (key.account_id, key.region, key.key_id, name)
        stored: Sequence[StoredGrant] = self.asked.view.whole.group(GRANTS, "by_grantee", group)
        if isinstance(stored, LargeGroup):
            return stored.followed(_Index).grants.candidates(name, question)
        return [grant.grant for grant in stored]


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


class _Index:
    """An index of many grants, which follows them as they are made and retired."""

    def __init__(self, stored: Sequence[StoredGrant]) -> None:
        self.grants = GrantIndex(grant.grant for grant in stored)

    def add(self, stored: StoredGrant) -> None:
        self.grants.add(stored.grant)

    def remove(self, stored: StoredGrant) -> None:
        self.grants.remove(stored.grant_id)
