"""Operations on one KMS key named by `KeyId`: what they have in common."""

from typing import ClassVar, TypeVar

from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.kms.key_refs import key_named
from kagimori.operations.operation import Facts, Operation, R
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import check_state
from kagimori_boundary.commands import Command


class KeyFacts(Facts, kw_only=True):
    """The key that the request is about."""

    kms_key: KmsKey


K = TypeVar("K", bound=KeyFacts)


class AboutKey(Operation[K, R]):
    """Resolves `KeyId`, needs `kms:NAME` on that key, and checks the key's state."""

    # Whether the operation takes alias names and alias ARNs besides key ids and key ARNs.
    aliases: ClassVar[bool] = False

    def found(self, asked: Asked) -> KeyFacts:
        """Return the key that is named, and the need."""
        action = f"kms:{self.name}"
        kms_key, ref = key_named(asked, asked.call.input.KeyId, aliases=self.aliases)
        return KeyFacts((Need(action, kms_key, alias_name=ref.alias_name),), kms_key=kms_key)

    def ask(self, asked: Request, allowed: Allowed, facts: K) -> Command | None:
        check_state(self.name, facts.kms_key)
        return None


class OnKey(AboutKey[KeyFacts, R]):
    """An operation on a key that looks at nothing else."""

    def look_up(self, asked: Asked) -> KeyFacts:
        return self.found(asked)
