"""STS: who am I, and whose is this access key."""

from kagimori.gate.across import account_of_access_key
from kagimori.gate.asked import Asked, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.identity.refusals import ValidationError


class GetCallerIdentity(Operation[Facts, None]):
    """Needs no permission, and works under an explicit Deny."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Facts:
        return Facts()

    def finish(self, asked: Request, facts: Facts, reply: None) -> Outcome:
        caller = asked.caller
        return Outcome(
            {
                "UserId": caller.user_id,
                "Account": caller.account_id,
                "Arn": caller.principal.arn,
            }
        )


class Owned(Facts):
    """The account of the access key that is named, if there is one."""

    owner: str | None = None


class GetAccessKeyInfo(Operation[Owned, None]):
    """Returns the account of an access key id; any caller may ask, for any key."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Owned:
        return Owned(owner=account_of_access_key(asked, asked.call.input.AccessKeyId))

    def finish(self, asked: Request, facts: Owned, reply: None) -> Outcome:
        if facts.owner is None:
            raise ValidationError(f"Access key {asked.call.input.AccessKeyId} is not known.")
        return Outcome({"Account": facts.owner})
