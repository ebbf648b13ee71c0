"""IAM's policy simulator: would these requests be allowed?

DIFFERS(aws): for a KMS key of the caller's account its own key policy and grants count, unless
the request brings a ResourcePolicy.

DIFFERS(aws): a simulation takes 100 resources; a page is shorter where there is much to weigh.

Source: IAM API Reference, SimulateCustomPolicy, SimulatePrincipalPolicy; IAM User Guide,
access_policies_testing-policies.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.conditions.request_values import RequestValues
from kagimori.gate.grants_of_key import GrantsOfKey
from kagimori.operations.iam_action import PAGE_DEFAULT, IamOperation
from kagimori.operations.operation import Facts, Outcome, Withheld
from kagimori.operations.pages import page_of, start_of
from kagimori.operations.simulation.answers import shown_result
from kagimori.operations.simulation.exclusions import read_exclusions
from kagimori.operations.simulation.resources import Resource, resources_given
from kagimori.operations.simulation.simulated import (
    boundary_of,
    caller_named,
    check_entity_arn,
    entity_at,
    policies_given,
    policies_of,
    policy_given,
)
from kagimori.operations.simulation.values import Entries, SimulatedValues
from kagimori.rules.authorization.authorize import CROSS_ACCOUNT_ACTIONS, KeyRules
from kagimori.rules.authorization.simulation import Scene, Simulated, SourcedPolicy, simulate
from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.refusals import InvalidInput, NoSuchEntity
from kagimori.rules.keys.grant import CONTEXT_OPERATIONS, operation_of
from kagimori.rules.policy.document import Kind, pretty
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori.rules.policy.question import Question
from kagimori.rules.policy.steps import OutOfSteps
from kagimori.rules.refusal import InvalidMarkerException, KMSInternalException

# Statements weighed for one page, so that no simulation keeps others waiting for long.
STATEMENTS_WEIGHED_MAX: Final = 50_000
# Questions answered on one page, each a fifth of a millisecond at the least.
QUESTIONS_MAX: Final = 2_000
# A statement may hold thousands of patterns; a long one weighs as many of this length.
STATEMENT_CHARACTERS: Final = 100
_BOUNDARY_MEMBER: Final = "PermissionsBoundaryPolicyInputList"
_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
# Grants, and the rule of what works across accounts, know actions in AWS's spelling.
_SPELLINGS: Final = {fold(action): action for action in CROSS_ACCOUNT_ACTIONS}
# IAM alone decides these, whatever the resource.
_WITHOUT_KEY: Final = frozenset(
    {"kms:createkey", "kms:generaterandom", "kms:listaliases", "kms:listkeys"}
)


class Stage(Struct, frozen=True):
    """Everything that a simulation needs; `simulated` is whom it lets ask."""

    simulated: Caller
    scene: Scene
    entries: Entries
    resource_policy: SourcedPolicy | None
    resources: list[Resource]
    organization_characters: int = 0

    @property
    def weight(self) -> int:
        """Return the number of statements evaluated for one action, by values of context keys."""
        given = [*self.scene.policies, self.scene.boundary, self.resource_policy]
        policies = [one.compiled for one in given if one is not None]
        policies += chain.from_iterable(self.scene.organization or ())
        characters = sum(len(one.text) for one in given if one is not None)
        characters += self.organization_characters
        statements = _weight(sum(len(policy.statements) for policy in policies), characters)
        keys = [one.kms_key for one in self.resources if one.kms_key is not None]
        own = sum(_weight(len(key.compiled_policy.statements), len(key.key_policy)) for key in keys)
        values = max((1, *map(len, self.entries.values())))
        return (statements * len(self.resources) + own) * values


def _weight(statements: int, characters: int) -> int:
    return max(1, statements, characters // STATEMENT_CHARACTERS)


class Simulation(Facts):
    """The identity whose policies are simulated, if it is one of IAM; and the page's results."""

    bearer: Bearer | None = None
    results: Mapping[str, Any] = {}


class _Simulate(IamOperation[Simulation, None]):
    """The base of both simulations, which differ in the policies that apply."""

    read_only = True

    def read(self, asked: Asked, facts: Simulation) -> Simulation:
        """Simulate: condition keys and grants of KMS keys are read while they are weighed.

        The policies of the request are parsed here, for those alone who may simulate.
        """
        return replace(facts, results=self._page(asked, self._staged(asked, facts)))

    def finish(self, asked: Request, facts: Simulation, reply: None) -> Outcome:
        return Outcome(facts.results)

    @abstractmethod
    def _staged(self, asked: Asked, facts: Simulation) -> Stage:
        """Return the inputs of the simulation."""

    def _stage(
        self,
        asked: Asked,
        *,
        caller_arn: str | None,
        policies: list[SourcedPolicy],
        boundary: SourcedPolicy | None,
        organization: tuple[tuple[CompiledPolicy, ...], ...] | None = None,
    ) -> Stage:
        given = asked.call.input
        for action in given.ActionNames:
            if _ACTION.fullmatch(action) is None:
                raise InvalidInput(f"Invalid Action Name: {action}")
        if given.ResourcePolicy is not None and caller_arn is None:
            raise InvalidInput("Invalid caller - Caller cannot be null or empty.")
        caller = caller_named(asked, caller_arn)
        resource_policy = None
        if given.ResourcePolicy is not None:
            resource_policy = policy_given(
                given.ResourcePolicy, Kind.KEY, "ResourcePolicy", "resource", asked.partition
            )
        levels = () if organization is None else given.OrderedOrganizationPolicyInputList
        controls = chain.from_iterable(
            level.ServiceControlPolicyInputList or () for level in levels
        )
        stage = Stage(
            simulated=caller,
            scene=Scene(caller.principal, tuple(policies), boundary, organization),
            entries=Entries(given.ContextEntries),
            resource_policy=resource_policy,
            resources=resources_given(asked, caller),
            organization_characters=sum(map(len, controls)),
        )
        if stage.weight > STATEMENTS_WEIGHED_MAX:
            raise InvalidInput("These are too many policies for so many resources.")
        return stage

    def _page(self, asked: Asked, stage: Stage) -> dict[str, Any]:
        given = asked.call.input
        try:
            after = start_of(given.Marker, self.name)
        except InvalidMarkerException:
            raise InvalidInput("Invalid Marker.") from None
        numbered = [(f"{number:06}", action) for number, action in enumerate(given.ActionNames)]
        rest = [one for one in numbered if after is None or one[0] > after[0]]
        limit = min(
            given.MaxItems or PAGE_DEFAULT,
            STATEMENTS_WEIGHED_MAX // stage.weight,
            QUESTIONS_MAX // len(stage.resources),
        )
        results: dict[str, dict[str, Any]] = {}
        for number, action in rest[:limit]:
            try:
                results[number] = _result(asked, stage, action)
            except OutOfSteps:  # the page ends here
                break
        if rest and not results:
            raise InvalidInput("These policies and values take too long to evaluate.")
        answer = page_of(
            rest,
            len(results),
            self.name,
            name="EvaluationResults",
            shown=lambda one: results[one[0]],
            key=lambda one: [one[0]],
        )
        shown = {
            "EvaluationResults": answer["EvaluationResults"],
            "IsTruncated": answer["Truncated"],
        }
        if "NextMarker" in answer:
            shown["Marker"] = answer["NextMarker"]
        return shown


class SimulateCustomPolicy(_Simulate):
    def look_up(self, asked: Asked) -> Simulation:
        return Simulation((self.need("*"),))

    def _staged(self, asked: Asked, facts: Simulation) -> Stage:
        given = asked.call.input
        if given.CallerArn is not None:
            check_entity_arn(given.CallerArn)
        levels = given.OrderedOrganizationPolicyInputList
        organization = None
        if levels:
            organization = tuple(
                tuple(
                    policy.compiled
                    for policy in policies_given(
                        level.ServiceControlPolicyInputList, f"Level.{number}", asked.partition
                    )
                )
                for number, level in enumerate(levels, 1)
            )
        return self._stage(
            asked,
            caller_arn=given.CallerArn,
            policies=policies_given(given.PolicyInputList, "PolicyInputList", asked.partition),
            boundary=_boundary_given(asked),
            organization=organization,
        )


class SimulatePrincipalPolicy(_Simulate):
    def look_up(self, asked: Asked) -> Simulation | Withheld:
        arn = asked.call.input.PolicySourceArn
        check_entity_arn(arn)
        try:
            bearer = entity_at(asked.view, arn, asked.caller.account_id)
        except NoSuchEntity as unknown:
            return Withheld((self.need(arn),), refusal=unknown)
        return Simulation((self.need(arn, bearer),), bearer=bearer)

    def _staged(self, asked: Asked, facts: Simulation) -> Stage:
        given, bearer = asked.call.input, facts.bearer
        if bearer is None:
            raise KMSInternalException
        excluded, without_boundary = read_exclusions(given.PolicyExclusionList)
        policies = [
            policy
            for policy in policies_of(asked.view, bearer)
            if not any(excludes(policy) for excludes in excluded)
        ]
        policies += policies_given(given.PolicyInputList, "PolicyInputList", asked.partition)
        boundary = _boundary_given(asked)
        if boundary is None and not without_boundary:
            boundary = boundary_of(asked.view, bearer)
        return self._stage(
            asked,
            caller_arn=given.CallerArn or given.PolicySourceArn,
            policies=policies,
            boundary=boundary,
        )


def _boundary_given(asked: Request) -> SourcedPolicy | None:
    given = policies_given(
        asked.call.input.PermissionsBoundaryPolicyInputList, _BOUNDARY_MEMBER, asked.partition
    )
    if len(given) > 1:
        raise InvalidInput("Only one permissions boundary can be simulated.")
    return given[0] if given else None


def _result(asked: Asked, stage: Stage, action: str) -> dict[str, Any]:
    folded = fold(action)
    results = [(one, _simulated(asked, stage, folded, action, one)) for one in stage.resources]
    return shown_result(action, folded, results)


def _simulated(
    asked: Asked, stage: Stage, folded: str, written: str, resource: Resource
) -> Simulated:
    action, key = _SPELLINGS.get(folded, written), resource.kms_key
    need = Need(action, key, resource=resource.arn)
    real = RequestValues(replace(asked, caller=stage.simulated), need)
    takes_context = operation_of(action) in CONTEXT_OPERATIONS or action == "kms:CreateGrant"
    question = Question(
        action,
        resource.arn,
        SimulatedValues(stage.entries, real),
        stage.entries.encryption_context() if takes_context else None,
        stage.entries.one("aws:sourcearn"),
    )
    policy, rules = stage.resource_policy, None
    if resource.is_kms_key and folded not in _WITHOUT_KEY:
        if policy is not None:
            rules = KeyRules(resource.arn, resource.owner, policy.compiled)
        elif key is not None:
            policy = SourcedPolicy(
                key.arn, "resource", pretty(key.key_policy, asked.partition), key.compiled_policy
            )
            rules = KeyRules(key.arn, key.account_id, policy.compiled, GrantsOfKey(asked, key))
    return simulate(
        stage.scene,
        question,
        owner=resource.owner,
        resource_policy=policy,
        key_rules=rules,
        proposed=stage.entries.proposed(),
    )
