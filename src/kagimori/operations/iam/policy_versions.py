"""Versions of managed policies: made, shown, chosen, deleted."""

from kagimori.entities.identity_tables import MANAGED_POLICIES
from kagimori.gate.asked import Request
from kagimori.operations.iam.answers import shown_version
from kagimori.operations.iam.iam_operation import On, OnePolicy, page
from kagimori.operations.iam.policies import check_document
from kagimori.operations.operation import Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.identity.managed_policy import VERSIONS_MAX, ManagedPolicy, PolicyVersion
from kagimori.rules.identity.refusals import DeleteConflict, LimitExceeded, NoSuchEntity
from kagimori_boundary.commands import Command


class CreatePolicyVersion(OnePolicy[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: On[ManagedPolicy]) -> Command | None:
        check_document(asked.call.input.PolicyDocument, asked.partition)
        if len(facts.entity.versions) >= VERSIONS_MAX:
            raise LimitExceeded(
                f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a "
                "new version, you must delete an existing version."
            )
        return None

    def finish(self, asked: Request, facts: On[ManagedPolicy], reply: None) -> Outcome:
        given, policy = asked.call.input, facts.entity
        number = policy.newest + 1
        version = PolicyVersion(number=number, text=given.PolicyDocument, created_at=asked.now)
        after = changed(
            policy,
            versions=(*policy.versions, version),
            newest=number,
            default_number=number if given.SetAsDefault else policy.default_number,
            updated_at=asked.now,
        )
        answer = {"PolicyVersion": shown_version(after, version, with_text=False)}
        return Outcome(answer, (Put(MANAGED_POLICIES, after, policy),), answer)


class ListPolicyVersions(OnePolicy[None]):
    read_only = True
    takes_aws = True

    def finish(self, asked: Request, facts: On[ManagedPolicy], reply: None) -> Outcome:
        policy = facts.entity
        # The newest first, as AWS lists them.
        entries = [
            (f"{place:02}", shown_version(policy, version, with_text=False))
            for place, version in enumerate(reversed(policy.versions))
        ]
        return Outcome(page(asked, "Versions", entries, policy.arn))


def _named(asked: Request, facts: On[ManagedPolicy]) -> PolicyVersion:
    """Return the version that is named.

    Raises:
        NoSuchEntity: there is none.
    """
    given = asked.call.input
    version = facts.entity.policy_version(given.VersionId)
    if version is None:
        raise NoSuchEntity(
            f"Policy {given.PolicyArn} version {given.VersionId} does not exist or is not "
            "attachable."
        )
    return version


class GetPolicyVersion(OnePolicy[None]):
    read_only = True
    takes_aws = True

    def finish(self, asked: Request, facts: On[ManagedPolicy], reply: None) -> Outcome:
        version = _named(asked, facts)
        return Outcome({"PolicyVersion": shown_version(facts.entity, version, with_text=True)})


class SetDefaultPolicyVersion(OnePolicy[None]):
    def finish(self, asked: Request, facts: On[ManagedPolicy], reply: None) -> Outcome:
        policy, number = facts.entity, _named(asked, facts).number
        if policy.default_number == number:
            return Outcome()
        after = changed(policy, default_number=number, updated_at=asked.now)
        return Outcome(writes=(Put(MANAGED_POLICIES, after, policy),))


class DeletePolicyVersion(OnePolicy[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: On[ManagedPolicy]) -> Command | None:
        if _named(asked, facts).number == facts.entity.default_number:
            raise DeleteConflict("Cannot delete the default version of a policy.")
        return None

    def finish(self, asked: Request, facts: On[ManagedPolicy], reply: None) -> Outcome:
        policy, version = facts.entity, _named(asked, facts)
        rest = tuple(one for one in policy.versions if one is not version)
        after = changed(policy, versions=rest, updated_at=asked.now)
        return Outcome(writes=(Put(MANAGED_POLICIES, after, policy),))
