"""Operations on one KMS key named by `KeyId`: what they have in common."""

from typing import Any, ClassVar

from kagimori.gate.asked import Asked, Need
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.operation import Facts, Operation
from kagimori.rules.keys.states import check_state
from kagimori_boundary.commands import Command


class OnKey(Operation):
    """Resolves `KeyId`, needs `kms:NAME` on that key, and checks the key's state."""

    # Whether the operation takes alias names and alias ARNs besides key ids and key ARNs.
    aliases: ClassVar[bool] = False

    def look_up(self, asked: Asked) -> Facts:
        action = f"kms:{self.name}"
        kms_key, ref = key_named(asked, asked.call.input.KeyId, action, aliases=self.aliases)
        return Facts((Need(action, kms_key, alias_name=ref.alias_name),), kms_key)

    def ask(self, asked: Asked, facts: Any) -> Command | None:
        check_state(self.name, facts.kms_key.state, facts.kms_key.arn)
        return None
