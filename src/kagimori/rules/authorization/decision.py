"""The inputs of authorization (the rules on each side), and its result, the decision.

Source: IAM User Guide, "Troubleshoot access denied error messages" and "Policy evaluation logic".
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final, Protocol

from msgspec import Struct

from kagimori.rules.keys.grant import Grant
from kagimori.rules.keys.grant_index import NO_GRANTS
from kagimori.rules.policy.evaluate import NOTHING, CompiledPolicy, Finding
from kagimori.rules.policy.principal import Principal
from kagimori.rules.policy.question import Question

# How a key is named by who presents a ciphertext and no key.
CIPHERTEXT: Final = "the resource associated with this ciphertext"
_UNKNOWN_CIPHERTEXT: Final = (
    f"{CIPHERTEXT} because the resource does not exist in this Region, no resource-based policies "
    "allow access, or a resource-based policy explicitly denies access"
)


class Side(Enum):
    """The kind of policy that made a decision, in the words of AWS's messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    GRANT = "grant"
    ROOT = "root user"
    TRUST = "role trust policy"


class IdentityRules(Struct, frozen=True, gc=False):
    """The policies of the caller's account that apply to the caller.

    `session_policies` is None without session; the empty tuple is a session that may do nothing.
    """

    identity_policies: tuple[CompiledPolicy, ...] = ()
    boundary: CompiledPolicy | None = None
    session_policies: tuple[CompiledPolicy, ...] | None = None


class Grants(Protocol):
    """The grants of one key, wherever they are kept."""

    def candidates(self, name: str, question: Question) -> Iterable[Grant]:
        """Return the grants to a grantee that may cover a question, and few others."""


class KeyRules(Struct, frozen=True, gc=False):
    """The policy and the grants of one KMS key.

    `named_as` is how a caller of another account named the key: all that a refusal may repeat.
    """

    key_arn: str
    account_id: str
    key_policy: CompiledPolicy
    grants: Grants = NO_GRANTS
    named_as: str | None = None


class RoleRules(Struct, frozen=True, gc=False):
    """The trust policy of one role."""

    role_arn: str
    account_id: str
    trust_policy: CompiledPolicy


TOO_COSTLY: Final = "because the policies that apply take too long to evaluate"


class Decision(Struct, frozen=True, gc=False):
    """The result of authorization, and the kind of policy that made it.

    `explicit` is true of a Deny, false of a missing Allow; `statement_by` is the finding that
    decided, and `grant` the grant that did.
    """

    allowed: bool
    principal: Principal
    question: Question
    side: Side
    explicit: bool = False
    statement_by: Finding = NOTHING
    grant: Grant | None = None
    whole_message: str | None = None

    def message(self) -> str:
        """Return AWS's text for the refusal."""
        if self.whole_message is not None:
            return self.whole_message
        action, resource = self.question.action, self.question.resource
        where = f" on resource: {resource}" if resource else ""
        text = f"User: {self.principal.arn} is not authorized to perform: {action}{where}"
        if self.side is Side.TRUST:  # whether the role exists is not shown
            return text
        if self.explicit:
            article = "an" if self.side is Side.IDENTITY else "a"
            return f"{text} with an explicit deny in {article} {self.side.value}"
        return f"{text} because no {self.side.value} allows the {action} action"


def too_costly(principal: Principal, question: Question, named_as: str | None = None) -> Decision:
    """Return the refusal of what would cost more steps to decide than a request has.

    Of a key of another account (`named_as`) this is not shown: it would say that there is one.
    """
    action = question.action
    text = (
        f"User: {principal.arn} is not authorized to perform: {action} "
        f"on resource: {question.resource} {TOO_COSTLY}"
        if named_as is None
        else text_for_strangers(principal, action, named_as)
    )
    return Decision(
        allowed=False,
        principal=principal,
        question=question,
        side=Side.IDENTITY,
        whole_message=text,
    )


def text_for_strangers(principal: Principal, action: str, named_as: str) -> str:
    """Return the refusal of a key that lets nobody of the caller's account in, or does not exist.

    It says what the caller has said, and nothing of the key.
    """
    text = f"User: {principal.arn} is not authorized to perform: {action} on"
    if named_as == CIPHERTEXT:
        return f"{text} {_UNKNOWN_CIPHERTEXT}"
    return (
        f"{text} resource: {named_as} because no resource-based policy allows the {action} action"
    )
