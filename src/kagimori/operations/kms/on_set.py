"""Operations on one key that the other members of its multi-Region set must know of."""

from collections.abc import Sequence

from kagimori.gate.asked import Asked
from kagimori.operations.kms.multi_region import members_of
from kagimori.operations.kms.on_key import AboutKey, KeyFacts
from kagimori.operations.operation import R
from kagimori.rules.keys.kms_key import KmsKey


class WithMembers(KeyFacts):
    """`members` are all members of the key's set; the key alone, if it is single-Region."""

    members: Sequence[KmsKey] = ()


class OnSet(AboutKey[WithMembers, R]):
    """As `OnKey`, with the members of the key's set."""

    def look_up(self, asked: Asked) -> WithMembers:
        facts = self.found(asked)
        members = members_of(asked.view, facts.kms_key)
        return WithMembers(facts.needs, kms_key=facts.kms_key, members=members)
