"""TestKeyPolicy: a key policy, tried on recorded requests."""

from collections.abc import Iterator
from typing import Any, Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import reach_of
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.kagimori.keys import key_at, key_ref, no_such_key
from kagimori.operations.operation import Facts, Outcome, Withheld
from kagimori.rules.authorization.replay import Change, Group, Replayed
from kagimori.rules.names import key_arn
from kagimori.rules.records.times import epoch_of

GROUPS_MAX: Final = 1_000
SINCE_SECONDS: Final = 30 * 86_400
_ACTION = "kagimori:TestKeyPolicy"
_LISTS: Final = {
    "NewlyFailing": Change.NEWLY_FAILS,
    "NewlyPassing": Change.NEWLY_PASSES,
    "Uncertain": Change.UNCERTAIN,
    "FailingAlready": Change.FAILS_ALREADY,
}


class TriedPolicy(Facts):
    """The key by the name it is looked for, and what came of it."""

    key: str = ""
    replayed: Replayed | None = None

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        """The key: its owner's trail shows that another account has tried a policy."""
        arn = self.key if self.replayed is None else self.replayed.key_arn
        return ((arn.split(":")[4], arn),) if arn.startswith("arn:") else ()


class TestKeyPolicy(Inspecting[TriedPolicy]):
    """Try a key policy on recorded requests; nothing is changed."""

    def look_up(self, asked: Asked) -> TriedPolicy | Withheld:
        named: str = asked.call.input.KeyId
        if reach_of(asked, _ACTION) is None and not named.startswith("arn:"):
            # A name without account and region may mean any of the deployment's keys.
            return TriedPolicy((Need(_ACTION),), key=named)
        ref = key_ref(asked, _ACTION, aliases=True)
        kms_key = key_at(asked, ref, _ACTION)
        if kms_key is None:
            resource = (
                "*" if ref.key_id is None else key_arn(ref.account_id, ref.region, ref.key_id)
            )
            return Withheld((Need(_ACTION, resource=resource),), refusal=no_such_key(asked))
        need = Need(_ACTION, resource=kms_key.arn, resource_tags=kms_key.tags)
        return TriedPolicy((need,), key=kms_key.arn)

    def read(self, asked: Asked, facts: TriedPolicy) -> TriedPolicy:
        given = asked.call.input
        replayed = self.inspector.try_policy(
            asker(asked),
            facts.key,
            given.Policy,
            asked.now - SINCE_SECONDS if given.Since is None else given.Since,
            reach_of(asked, _ACTION),
        )
        return TriedPolicy(facts.needs, key=facts.key, replayed=replayed)

    def finish(self, asked: Request, facts: TriedPolicy, reply: None) -> Outcome:
        if facts.replayed is None:
            return Outcome({})
        tally = facts.replayed.tally
        groups = {name: tally.of(change) for name, change in _LISTS.items()}
        return Outcome(
            {
                "KeyArn": facts.replayed.key_arn,
                "Requests": tally.requests,
                "First": _epoch(tally.first),
                "Last": _epoch(tally.last),
                **{name: list(_shown(found[:GROUPS_MAX])) for name, found in groups.items()},
                "GroupsOmitted": sum(max(0, len(one) - GROUPS_MAX) for one in groups.values()),
            }
        )


def _shown(groups: list[Group]) -> Iterator[dict[str, Any]]:
    for group in groups:
        yield {
            "Caller": group.caller,
            "Action": group.action,
            "Why": group.why,
            "Count": group.count,
            "First": _epoch(group.first),
            "Last": _epoch(group.last),
            "Unknown": list(group.unknown),
        }


def _epoch(text: str | None) -> int | None:
    return None if text is None else epoch_of(text)
