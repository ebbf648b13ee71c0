"""Which context keys policies ask about, so that a simulation can be given them.

Source: IAM API Reference, GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy.
"""

from typing import Any

from msgspec import field

from kagimori.gate.asked import Asked
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome
from kagimori.operations.simulation.simulated import (
    check_entity_arn,
    entity_at,
    policies_given,
    policies_of,
)
from kagimori.rules.authorization.simulation import SourcedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.policy.context_keys import context_keys
from kagimori_boundary.commands import Command


class Read(Facts):
    """The policies; `unknown` says who is named and does not exist."""

    policies: list[SourcedPolicy] = field(default_factory=list)
    unknown: NoSuchEntity | None = None


class _GetContextKeys(IamOperation):
    read_only = True

    def ask(self, asked: Asked, facts: Read) -> Command | None:
        if facts.unknown is not None:
            raise facts.unknown
        return None

    def finish(self, asked: Asked, facts: Read, reply: Any) -> Outcome:
        keys = context_keys(policy.compiled.document for policy in facts.policies)
        return Outcome({"ContextKeyNames": list(keys)})

    def _given(self, asked: Asked) -> list[SourcedPolicy]:
        return policies_given(asked.call.input.PolicyInputList, "PolicyInputList", asked.partition)


class GetContextKeysForCustomPolicy(_GetContextKeys):
    def look_up(self, asked: Asked) -> Read:
        return Read((self.need("*"),), policies=self._given(asked))


class GetContextKeysForPrincipalPolicy(_GetContextKeys):
    def look_up(self, asked: Asked) -> Read:
        arn = asked.call.input.PolicySourceArn
        check_entity_arn(arn)
        try:
            bearer = entity_at(asked.view, arn, asked.caller.account_id)
        except NoSuchEntity as unknown:  # told to those only who may ask
            return Read((self.need(arn),), unknown=unknown)
        policies = policies_of(asked.view, bearer) + self._given(asked)
        return Read((self.need(arn, bearer),), policies=policies)
