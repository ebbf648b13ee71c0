"""GetAccountAuthorizationDetails: all that decides who may what in an account, in pages."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kagimori.entities.identity_tables import (
    ATTACHMENTS,
    GROUPS,
    INSTANCE_PROFILES,
    MANAGED_POLICIES,
    MEMBERSHIPS,
    ROLES,
    USERS,
)
from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Request
from kagimori.operations.iam.answers import (
    encoded_policy,
    shown_group,
    shown_instance_profile,
    shown_policy,
    shown_role,
    shown_user,
    shown_version,
)
from kagimori.operations.iam.attachments import shown_attached
from kagimori.operations.iam.iam_operation import Answered, page_entries
from kagimori.operations.iam.policies import counts
from kagimori.operations.iam.roles import trust_text
from kagimori.operations.iam_action import IamOperation
from kagimori.operations.operation import Outcome
from kagimori.ports import Table
from kagimori.rules.identity.aws_managed import aws_managed_policies
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.instance_profile import InstanceProfile
from kagimori.rules.identity.managed_policy import Attachment, ManagedPolicy
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User

# The lists of the answer, in the order of the pages, and what a Filter calls what is in them.
_LISTS: Final = {
    "UserDetailList": "User",
    "GroupDetailList": "Group",
    "RoleDetailList": "Role",
    "Policies": "LocalManagedPolicy",
}
_AWS: Final = "AWSManagedPolicy"
_Entity = User | Group | Role | ManagedPolicy


class GetAccountAuthorizationDetails(IamOperation[Answered, None]):
    """Of AWS's policies, those in use."""

    read_only = True

    def look_up(self, asked: Asked) -> Answered:
        return Answered((self.need("*"),))

    def read(self, asked: Asked, facts: Answered) -> Answered:
        whole = _Whole(asked.view, asked.caller.account_id, asked.partition)
        wanted = asked.call.input.Filter or (*_LISTS.values(), _AWS)
        places = {name: place for place, name in enumerate(_LISTS)}
        entries = [
            (f"{places[name]}/{entity.folded}/{entity.account_id}", (name, entity))
            for name, entity in whole.entities()
            if (_AWS if entity.account_id == "aws" else _LISTS[name]) in wanted
        ]
        shown, rest = page_entries(asked, entries, *wanted)
        answer: dict[str, Any] = {**{name: [] for name in _LISTS}, **rest}
        for _, (name, entity) in shown:
            answer[name].append(_shown(whole, entity))
        return Answered(facts.needs, answer=answer)

    def finish(self, asked: Request, facts: Answered, reply: None) -> Outcome:
        return Outcome(facts.answer)


class _Whole:
    """All of an account, read list by list: a look for each entity would be very many looks."""

    def __init__(self, view: AccountView, account_id: str, partition: str) -> None:
        def listed(table: Table) -> Sequence[Any]:
            return view.group(table, "by_account", (account_id,))

        self.view = view
        self.users: Sequence[User] = listed(USERS)
        self.groups: Sequence[Group] = listed(GROUPS)
        self.roles: Sequence[Role] = listed(ROLES)
        self.uses: dict[str, list[Attachment]] = {}
        for use in listed(ATTACHMENTS):
            self.uses.setdefault(use.policy_arn, []).append(use)
        self.policies = {policy.arn: policy for policy in listed(MANAGED_POLICIES)}
        for policy in aws_managed_policies(partition):
            if policy.arn in self.uses:
                self.policies[policy.arn] = policy
        group_names = {group.folded: group.name for group in self.groups}
        self.groups_of: dict[str, list[str]] = {}
        for one in listed(MEMBERSHIPS):
            # The lists are read one after the other: a group may have come in between.
            if one.in_group in group_names:
                self.groups_of.setdefault(one.member, []).append(group_names[one.in_group])
        self.profiles_of: dict[str, list[InstanceProfile]] = {}
        for profile in listed(INSTANCE_PROFILES):
            self.profiles_of.setdefault(profile.role, []).append(profile)

    def entities(self) -> Iterator[tuple[str, _Entity]]:
        """Yield each, with the name of the list that it is in."""
        for user in self.users:
            yield "UserDetailList", user
        for group in self.groups:
            yield "GroupDetailList", group
        for role in self.roles:
            yield "RoleDetailList", role
        for policy in self.policies.values():
            yield "Policies", policy

    def policies_of(self, bearer: Bearer, member: str) -> dict[str, Any]:
        attached = [self.policies[arn] for arn in bearer.attached if arn in self.policies]
        return {
            member: [
                {"PolicyName": name, "PolicyDocument": encoded_policy(text)}
                for name, text in bearer.inline_policies.items()
            ],
            "AttachedManagedPolicies": [shown_attached(policy) for policy in attached],
        }


def _user(whole: _Whole, user: User) -> dict[str, Any]:
    return {
        **shown_user(user),
        "GroupList": whole.groups_of.get(user.folded, []),
        **whole.policies_of(user, "UserPolicyList"),
    }


def _group(whole: _Whole, group: Group) -> dict[str, Any]:
    return {**shown_group(group), **whole.policies_of(group, "GroupPolicyList")}


def _role(whole: _Whole, role: Role) -> dict[str, Any]:
    text = trust_text(whole.view.principals, role)
    shown = shown_role(role, text)
    for member in ("Description", "MaxSessionDuration"):
        shown.pop(member, None)
    return {
        **shown,
        "InstanceProfileList": [
            shown_instance_profile(profile, [shown_role(role, text, whole=False)])
            for profile in whole.profiles_of.get(role.folded, ())
        ],
        **whole.policies_of(role, "RolePolicyList"),
    }


def _policy(whole: _Whole, policy: ManagedPolicy) -> dict[str, Any]:
    uses = counts(whole.uses.get(policy.arn, []))
    versions = [shown_version(policy, one, with_text=True) for one in policy.versions]
    shown = shown_policy(policy, described=True, tagged=False, **uses)
    return {**shown, "PolicyVersionList": versions}


def _shown(whole: _Whole, entity: _Entity) -> dict[str, Any]:
    match entity:
        case User():
            return _user(whole, entity)
        case Group():
            return _group(whole, entity)
        case Role():
            return _role(whole, entity)
        case ManagedPolicy():
            return _policy(whole, entity)
