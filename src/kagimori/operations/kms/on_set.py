"""Operations on one key that the other members of its multi-Region set must know of."""

from typing import Any

from kagimori.gate.asked import Asked
from kagimori.operations.kms.multi_region import members_of
from kagimori.operations.kms.on_key import OnKey
from kagimori.operations.operation import Facts


class WithMembers(Facts):
    """`members` are all members of the key's set; the key alone, if it is single-Region."""

    members: Any = ()


class OnSet(OnKey):
    """As `OnKey`, with the members of the key's set."""

    def look_up(self, asked: Asked) -> WithMembers:
        facts = super().look_up(asked)
        members = members_of(asked.view, facts.kms_key)
        return WithMembers(facts.needs, facts.kms_key, members=members)
