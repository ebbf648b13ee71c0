"""The guard of an account: of its own, shown and set."""

from kagimori.entities.tables import KEY_GUARDS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import reach_of
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.key_guard import DAYS_MAX, KeyGuard
from kagimori.rules.refusal import ValidationException

_GET = "kagimori:GetKeyGuard"
_SET = "kagimori:SetKeyGuard"


class FoundGuard(Facts):
    """The guard of the caller's account, if it ever had one."""

    guard: KeyGuard | None = None


class GetKeyGuard(Operation[FoundGuard, None]):
    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundGuard:
        reach_of(asked, _GET)
        return FoundGuard((Need(_GET),))

    def read(self, asked: Asked, facts: FoundGuard) -> FoundGuard:
        return FoundGuard(facts.needs, guard=_guard(asked))

    def finish(self, asked: Request, facts: FoundGuard, reply: None) -> Outcome:
        days = None if facts.guard is None else facts.guard.days
        return Outcome({"AccountId": asked.caller.account_id, "Days": days})


class SetKeyGuard(Operation[FoundGuard, None]):
    """Keep keys that were used within some days from being made unusable; or keep none."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundGuard:
        reach_of(asked, _SET)
        return FoundGuard((Need(_SET),))

    def read(self, asked: Asked, facts: FoundGuard) -> FoundGuard:
        return FoundGuard(facts.needs, guard=_guard(asked))

    def ask(self, asked: Request, allowed: Allowed, facts: FoundGuard) -> None:
        days = asked.call.input.Days
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise ValidationException(f"Days must be between 1 and {DAYS_MAX}.")

    def finish(self, asked: Request, facts: FoundGuard, reply: None) -> Outcome:
        days, before = asked.call.input.Days, facts.guard
        account_id = asked.caller.account_id
        if before is None:
            after = KeyGuard(account_id=account_id, days=days)
        else:
            after = changed(before, days=days)
        answer = {"AccountId": account_id, "Days": days}
        return Outcome(answer, (Put(KEY_GUARDS, after, before),), answer)


def _guard(asked: Asked) -> KeyGuard | None:
    found: KeyGuard | None = asked.view.one(KEY_GUARDS, (asked.caller.account_id,))
    return found
