"""Key policies: read, replaced as a whole, listed."""

from collections.abc import Mapping
from typing import Final

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import renamed_since
from kagimori.operations.key_policy_checks import NewPolicy, check_new_policy
from kagimori.operations.kms.on_key import AboutKey, KeyFacts, OnKey
from kagimori.operations.operation import Outcome
from kagimori.operations.pages import limit_of, start_of
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.policy.document import pretty
from kagimori.rules.refusal import NotFoundException, ValidationException
from kagimori_boundary.commands import Command

DEFAULT: Final = "default"
_SHARED: Final = "AWS_RAM"


class Shown(KeyFacts):
    """`renamed` is what to show for principals that have another name now."""

    renamed: Mapping[str, str] = {}


class Written(KeyFacts):
    """`policy` is the one to be, once it has been checked."""

    policy: NewPolicy | None = None


class GetKeyPolicy(AboutKey[Shown, None]):
    read_only = True

    def look_up(self, asked: Asked) -> Shown:
        found = self.found(asked)
        return Shown(found.needs, kms_key=found.kms_key)

    def read(self, asked: Asked, facts: Shown) -> Shown:
        renamed = renamed_since(asked.view.principals, facts.kms_key.policy_pins)
        return Shown(facts.needs, kms_key=facts.kms_key, renamed=renamed)

    def ask(self, asked: Request, allowed: Allowed, facts: Shown) -> Command | None:
        if (asked.call.input.PolicyName or DEFAULT) != DEFAULT:
            raise NotFoundException("No such policy exists")
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: Shown, reply: None) -> Outcome:
        policy = pretty(facts.kms_key.key_policy, asked.partition, facts.renamed)
        return Outcome({"Policy": policy, "PolicyName": DEFAULT})


class PutKeyPolicy(AboutKey[Written, None]):
    def look_up(self, asked: Asked) -> Written:
        found = self.found(asked)
        return Written(found.needs, kms_key=found.kms_key)

    def read(self, asked: Asked, facts: Written) -> Written:
        given = asked.call.input
        name = given.PolicyName or DEFAULT
        if name == _SHARED:
            raise ValidationException("The AWS_RAM policy can only be managed by the RAM service")
        if name != DEFAULT:
            raise NotFoundException("No such policy exists")
        bypass = bool(given.BypassPolicyLockoutSafetyCheck)
        policy = check_new_policy(asked, facts.kms_key, given.Policy, bypass=bypass)
        return Written(facts.needs, kms_key=facts.kms_key, policy=policy)

    def finish(self, asked: Request, facts: Written, reply: None) -> Outcome:
        kms_key, policy = facts.kms_key, facts.policy
        if policy is None:
            return Outcome()
        after = changed(kms_key, key_policy=asked.call.input.Policy, policy_pins=policy.pins)
        after.hand_over(policy.compiled)
        return Outcome(writes=(Put(KMS_KEYS, after, kms_key),))


class ListKeyPolicies(OnKey[None]):
    read_only = True

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        given = asked.call.input
        limit_of(given.Limit, default=100, most=1000)
        start_of(given.Marker, self.name, facts.kms_key.arn)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        return Outcome({"PolicyNames": [DEFAULT], "Truncated": False})
