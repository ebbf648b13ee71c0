"""STS: who am I, and whose is this access key."""

from kagimori.entities.identity_tables import ACCESS_KEYS
from kagimori.gate.asked import Asked, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.refusals import ValidationError


class GetCallerIdentity(Operation[Facts, None]):
    """Needs no permission, and works under an explicit Deny (reference, 23.3)."""

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
    """The access key that is named, if there is one."""

    access_key: AccessKey | None = None


class GetAccessKeyInfo(Operation[Owned, None]):
    """Which account an access key id is of; anybody may ask, for any key (STS API Reference)."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Owned:
        return Owned(access_key=asked.view.one(ACCESS_KEYS, (asked.call.input.AccessKeyId,)))

    def finish(self, asked: Request, facts: Owned, reply: None) -> Outcome:
        if facts.access_key is None or facts.access_key.service is not None:
            raise ValidationError(f"Access key {asked.call.input.AccessKeyId} is not known.")
        return Outcome({"Account": facts.access_key.account_id})
