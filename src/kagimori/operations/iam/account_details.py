"""GetAccountAuthorizationDetails: all that decides who may what in an account, in pages."""

from typing import Any, Final

from kagimori.identity_tables import (
    ATTACHMENTS,
    GROUPS,
    INSTANCE_PROFILES,
    MANAGED_POLICIES,
    MEMBERSHIPS,
    ROLES,
    USERS,
)
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
from kagimori.operations.iam.iam_operation import Found, IamOperation, page_entries
from kagimori.operations.iam.identities import managed_policy
from kagimori.operations.iam.policies import attachments_of, counts
from kagimori.operations.iam.roles import trust_text
from kagimori.operations.operation import Asked, Outcome
from kagimori.ports import Table, View
from kagimori.rules.identity.bearer import Bearer

# The lists of the answer, in the order of the pages, and what a Filter calls what is in them.
_LISTS: Final = {
    "UserDetailList": "User",
    "GroupDetailList": "Group",
    "RoleDetailList": "Role",
    "Policies": "LocalManagedPolicy",
}
_AWS: Final = "AWSManagedPolicy"


class GetAccountAuthorizationDetails(IamOperation):
    """Of AWS's policies, those in use."""

    read_only = True

    def look_up(self, asked: Asked) -> Found:
        view, account_id = asked.view, asked.caller.account_id

        def listed(table: Table) -> Any:
            return view.group(table, "by_account", (account_id,))

        found: list[tuple[str, str, Any]] = [
            (name, _LISTS[name], entity)
            for name, table in (
                ("UserDetailList", USERS),
                ("GroupDetailList", GROUPS),
                ("RoleDetailList", ROLES),
                ("Policies", MANAGED_POLICIES),
            )
            for entity in listed(table)
        ]
        used = {use.policy_arn for use in listed(ATTACHMENTS)}
        for arn in sorted(used):
            policy = managed_policy(view, arn)
            if policy is not None and policy.account_id == "aws":
                found.append(("Policies", _AWS, policy))
        wanted = asked.call.input.Filter or (*_LISTS.values(), _AWS)
        places = {name: place for place, name in enumerate(_LISTS)}
        entries = [
            (f"{places[name]}/{entity.folded}/{entity.account_id}", (name, entity))
            for name, kind, entity in found
            if kind in wanted
        ]
        shown, rest = page_entries(asked, entries, *wanted)
        answer: dict[str, Any] = {**{name: [] for name in _LISTS}, **rest}
        for _, (name, entity) in shown:
            answer[name].append(_DETAILS[name](asked, entity))
        return Found((self.need("*"),), more=answer)

    def finish(self, asked: Asked, facts: Found, reply: Any) -> Outcome:
        return Outcome(facts.more)


def _user(asked: Asked, user: Any) -> dict[str, Any]:
    view, account_id = asked.view, user.account_id
    members = view.group(MEMBERSHIPS, "by_member", (account_id, user.folded))
    groups = [view.one(GROUPS, (account_id, one.in_group)) for one in members]
    return {
        **shown_user(user),
        "GroupList": [group.name for group in groups if group is not None],
        **_policies(view, user, "UserPolicyList"),
    }


def _group(asked: Asked, group: Any) -> dict[str, Any]:
    return {**shown_group(group), **_policies(asked.view, group, "GroupPolicyList")}


def _role(asked: Asked, role: Any) -> dict[str, Any]:
    view, text = asked.view, trust_text(asked.view, role)
    shown = shown_role(role, text)
    for member in ("Description", "MaxSessionDuration"):
        shown.pop(member, None)
    profiles = view.group(INSTANCE_PROFILES, "by_role", (role.account_id, role.folded))
    return {
        **shown,
        "InstanceProfileList": [
            shown_instance_profile(profile, [shown_role(role, text, whole=False)])
            for profile in profiles
        ],
        **_policies(view, role, "RolePolicyList"),
    }


def _policy(asked: Asked, policy: Any) -> dict[str, Any]:
    uses = counts(attachments_of(asked.view, asked.caller.account_id, policy))
    versions = [shown_version(policy, one, with_text=True) for one in policy.versions]
    shown = shown_policy(policy, described=True, tagged=False, **uses)
    return {**shown, "PolicyVersionList": versions}


def _policies(view: View, bearer: Bearer, member: str) -> dict[str, Any]:
    attached = [managed_policy(view, arn) for arn in bearer.attached]
    return {
        member: [
            {"PolicyName": name, "PolicyDocument": encoded_policy(text)}
            for name, text in bearer.inline_policies.items()
        ],
        "AttachedManagedPolicies": [shown_attached(one) for one in attached if one is not None],
    }


_DETAILS: Final = {
    "UserDetailList": _user,
    "GroupDetailList": _group,
    "RoleDetailList": _role,
    "Policies": _policy,
}
