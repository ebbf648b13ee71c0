"""Key policies: read, replaced as a whole, listed."""

from typing import Any, Final

from msgspec import field

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Asked
from kagimori.gate.identities import renamed_since
from kagimori.operations.kms.key_policy_checks import check_new_policy
from kagimori.operations.kms.on_key import OnKey
from kagimori.operations.operation import Facts, Outcome
from kagimori.operations.pages import limit_of, start_of
from kagimori.ports import Put
from kagimori.rules.entity import changed
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.document import pretty
from kagimori.rules.refusal import NotFoundException, ValidationException
from kagimori_boundary.commands import Command

DEFAULT: Final = "default"
_SHARED: Final = "AWS_RAM"


class WithPins(Facts):
    """`pins` are those of the policy to be; `renamed` what to show for names of another now."""

    pins: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


class GetKeyPolicy(OnKey):
    read_only = True

    def look_up(self, asked: Asked) -> WithPins:
        facts = super().look_up(asked)
        renamed = renamed_since(asked.view, facts.kms_key.policy_pins)
        return WithPins(facts.needs, facts.kms_key, renamed=renamed)

    def ask(self, asked: Asked, facts: WithPins) -> Command | None:
        if (asked.call.input.PolicyName or DEFAULT) != DEFAULT:
            raise NotFoundException("No such policy exists")
        return super().ask(asked, facts)

    def finish(self, asked: Asked, facts: WithPins, reply: Any) -> Outcome:
        policy = pretty(facts.kms_key.key_policy, asked.partition, facts.renamed)
        return Outcome({"Policy": policy, "PolicyName": DEFAULT})


class PutKeyPolicy(OnKey):
    def look_up(self, asked: Asked) -> WithPins:
        facts = super().look_up(asked)
        return WithPins(facts.needs, facts.kms_key)

    def ask(self, asked: Asked, facts: WithPins) -> Command | None:
        given = asked.call.input
        name = given.PolicyName or DEFAULT
        if name == _SHARED:
            raise ValidationException("The AWS_RAM policy can only be managed by the RAM service")
        if name != DEFAULT:
            raise NotFoundException("No such policy exists")
        bypass = bool(given.BypassPolicyLockoutSafetyCheck)
        facts.pins = check_new_policy(asked, facts.kms_key, given.Policy, bypass=bypass)
        return super().ask(asked, facts)

    def finish(self, asked: Asked, facts: WithPins, reply: Any) -> Outcome:
        kms_key: KmsKey = facts.kms_key
        policy = asked.call.input.Policy
        after = changed(kms_key, key_policy=policy, policy_pins=facts.pins)
        return Outcome(writes=(Put(KMS_KEYS, after, kms_key),))


class ListKeyPolicies(OnKey):
    read_only = True

    def ask(self, asked: Asked, facts: Facts) -> Command | None:
        given = asked.call.input
        limit_of(given.Limit, default=100, most=1000)
        start_of(given.Marker, self.name, facts.kms_key.arn)
        return super().ask(asked, facts)

    def finish(self, asked: Asked, facts: Facts, reply: Any) -> Outcome:
        return Outcome({"PolicyNames": [DEFAULT], "Truncated": False})
