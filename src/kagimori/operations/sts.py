"""STS: who am I."""

from typing import Any

from kagimori.operations.operation import Asked, Facts, Operation, Outcome


class GetCallerIdentity(Operation):
    """Needs no permission, and works under an explicit Deny (reference, 23.3)."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Facts:
        return Facts()

    def finish(self, asked: Asked, facts: Facts, reply: Any) -> Outcome:
        caller = asked.caller
        return Outcome(
            {
                "UserId": caller.user_id,
                "Account": caller.account_id,
                "Arn": caller.principal.arn,
            }
        )
