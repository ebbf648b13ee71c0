"""Lists the context keys that policies use, as GetContextKeysFor... does.

Source: IAM API Reference, GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from kagimori.gate.asked import Asked, Request
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Facts, Outcome, Withheld
from kagimori.operations.simulation.simulated import (
    check_entity_arn,
    entity_at,
    policies_given,
    policies_of,
)
from kagimori.rules.authorization.simulation import SourcedPolicy
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.policy.context_keys import context_keys


class Given(Facts):
    """The policies of the identity that is asked about, and then those of the request as well."""

    policies: Sequence[SourcedPolicy] = ()


class _GetContextKeys(IamOperation[Given, None]):
    read_only = True

    def read(self, asked: Asked, facts: Given) -> Given:
        return replace(facts, policies=[*facts.policies, *self._given(asked)])

    def finish(self, asked: Request, facts: Given, reply: None) -> Outcome:
        keys = context_keys(policy.compiled.document for policy in facts.policies)
        return Outcome({"ContextKeyNames": list(keys)})

    def _given(self, asked: Request) -> list[SourcedPolicy]:
        return policies_given(asked.call.input.PolicyInputList, "PolicyInputList", asked.partition)


class GetContextKeysForCustomPolicy(_GetContextKeys):
    def look_up(self, asked: Asked) -> Given:
        return Given((self.need("*"),))


class GetContextKeysForPrincipalPolicy(_GetContextKeys):
    def look_up(self, asked: Asked) -> Given | Withheld:
        arn = asked.call.input.PolicySourceArn
        check_entity_arn(arn)
        try:
            bearer = entity_at(asked.view, arn, asked.caller.account_id)
        except NoSuchEntity as unknown:
            return Withheld((self.need(arn),), refusal=unknown)
        return Given((self.need(arn, bearer),), policies=policies_of(asked.view, bearer))
