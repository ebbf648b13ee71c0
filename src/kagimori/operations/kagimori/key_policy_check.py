"""CheckKeyPolicy: whether a new key could be given a key policy. Nothing is made."""

from typing import Any, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import reach_of
from kagimori.operations.key_policy_checks import check_new_policy
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.refusal import (
    InvalidArnException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    Refusal,
)

_ACTION: Final = "kagimori:CheckKeyPolicy"
_PLANNED_ID: Final = "00000000-0000-0000-0000-000000000000"


class CheckedPolicy(Facts):
    """The refusal that CreateKey would give, if it would; `locks_out` if that is why."""

    refused: Refusal | None = None
    locks_out: bool = False


class CheckKeyPolicy(Operation[CheckedPolicy, None]):
    """The checks of CreateKey and PutKeyPolicy, without the change."""

    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> CheckedPolicy:
        reach_of(asked, _ACTION)
        return CheckedPolicy((Need(_ACTION),))

    def read(self, asked: Asked, facts: CheckedPolicy) -> CheckedPolicy:
        refused = _refusal(asked, bypass=True)
        if refused is not None:
            return CheckedPolicy(facts.needs, refused=refused)
        refused = _refusal(asked, bypass=False)
        return CheckedPolicy(facts.needs, refused=refused, locks_out=refused is not None)

    def finish(self, asked: Request, facts: CheckedPolicy, reply: None) -> Outcome:
        answer: dict[str, Any] = {
            "IsValid": facts.refused is None or facts.locks_out,
            "LocksOut": facts.locks_out,
        }
        if facts.refused is not None:
            answer |= {"Code": facts.refused.code, "Reason": facts.refused.message}
        return Outcome(answer)


def _refusal(asked: Asked, *, bypass: bool) -> Refusal | None:
    planned = KmsKey(
        account_id=asked.caller.account_id,
        region=asked.call.region,
        key_id=_PLANNED_ID,
        created_at=asked.now,
        key_policy=asked.call.input.Policy,
    )
    try:
        check_new_policy(asked, planned, planned.key_policy, bypass=bypass)
    except (
        MalformedPolicyDocumentException,
        InvalidArnException,
        LimitExceededException,
    ) as refused:
        return refused
    return None
