"""Lists the operators who approve dangerous actions."""

from typing import Final

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator
from kagimori.operations.kagimori.actions import kept_domains
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.operators.roster import Roster, shown_operators

_LIST: Final = "kagimori:ListOperators"


class FoundOperators(Facts):
    roster: Roster = Roster()


class ListOperators(Operation[FoundOperators, None]):
    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundOperators:
        check_operator(asked, _LIST)
        return FoundOperators((Need(_LIST),))

    def read(self, asked: Asked, facts: FoundOperators) -> FoundOperators:
        return FoundOperators(facts.needs, roster=kept_domains(asked, _LIST).roster)

    def finish(self, asked: Request, facts: FoundOperators, reply: None) -> Outcome:
        roster = facts.roster
        return Outcome(
            {
                "DeploymentId": roster.deployment_id,
                "Quorum": roster.quorum,
                "Operators": shown_operators(roster),
            }
        )
