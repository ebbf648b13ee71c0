"""Users, groups and policies in any order of calls, against a model that is a few dictionaries.

Whatever is called, the answer is the model's; and at every moment the lists that see the same
thing from two sides agree.
"""

import json
import os

import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import serving

EXAMPLES = int(os.environ.get("KAGIMORI_LIVES_EXAMPLES", "8"))
NAMES = st.sampled_from(["alice", "Alice", "bob", "carol"])
GROUPS = st.sampled_from(["crew", "CREW", "staff"])
POLICIES = st.sampled_from(["read", "write"])
TEXT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}],
    }
)


@pytest.fixture(scope="module")
def iam():
    with serving.served() as server:
        client = server.client("iam")
        yield client
        client.close()


class Identities(RuleBasedStateMachine):
    """Users and groups by folded name, as the model has them; policies by name."""

    iam = None
    account = ""

    def __init__(self):
        super().__init__()
        self.users = {}
        self.groups = {}
        self.policies = set()

    @initialize()
    def begin_with_nothing(self):
        for user in self.iam.list_users()["Users"]:
            name = user["UserName"]
            for key in self.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                self.iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
            for group in self.iam.list_groups_for_user(UserName=name)["Groups"]:
                self.iam.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
            for one in self.iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
                self.iam.detach_user_policy(UserName=name, PolicyArn=one["PolicyArn"])
            self.iam.delete_user(UserName=name)
        for group in self.iam.list_groups()["Groups"]:
            self.iam.delete_group(GroupName=group["GroupName"])
        for policy in self.iam.list_policies(Scope="Local")["Policies"]:
            self.iam.delete_policy(PolicyArn=policy["Arn"])

    def call(self, expected, action, **parameters):
        """Call, and compare the refusal's code (None: no refusal)."""
        try:
            answer = getattr(self.iam, action)(**parameters)
        except ClientError as problem:
            assert problem.response["Error"]["Code"] == expected, problem
            return None
        assert expected is None, f"{action} was not refused with {expected}"
        return answer

    def user(self, name):
        found = self.users.get(name.lower())
        return found if found is not None and found["name"] == name else None

    def group(self, name):
        found = self.groups.get(name.lower())
        return found if found is not None and found["name"] == name else None

    def arn(self, policy):
        return f"arn:aws:iam::{self.account}:policy/{policy}"

    # --- users ------------------------------------------------------------------------------------

    @rule(name=NAMES)
    def create_user(self, name):
        taken = name.lower() in self.users
        self.call("EntityAlreadyExists" if taken else None, "create_user", UserName=name)
        if not taken:
            self.users[name.lower()] = {"name": name, "keys": set(), "policies": set()}

    @rule(name=NAMES, new_name=NAMES)
    def rename_user(self, name, new_name):
        user = self.user(name)
        taken = self.users.get(new_name.lower()) not in (None, user)
        expected = "NoSuchEntity" if user is None else "EntityAlreadyExists" if taken else None
        self.call(expected, "update_user", UserName=name, NewUserName=new_name)
        if expected is None:
            del self.users[name.lower()]
            self.users[new_name.lower()] = {**user, "name": new_name}
            for group in self.groups.values():
                if name.lower() in group["members"]:
                    group["members"].remove(name.lower())
                    group["members"].add(new_name.lower())

    @rule(name=NAMES)
    def delete_user(self, name):
        user = self.user(name)
        if user is None:
            expected = "NoSuchEntity"
        else:
            is_member = any(name.lower() in group["members"] for group in self.groups.values())
            holds = user["keys"] or user["policies"] or is_member
            expected = "DeleteConflict" if holds else None
        self.call(expected, "delete_user", UserName=name)
        if expected is None:
            del self.users[name.lower()]

    @rule(name=NAMES)
    def create_access_key(self, name):
        user = self.user(name)
        if user is None:
            expected = "NoSuchEntity"
        else:
            expected = "LimitExceeded" if len(user["keys"]) == 2 else None
        answer = self.call(expected, "create_access_key", UserName=name)
        if answer is not None:
            user["keys"].add(answer["AccessKey"]["AccessKeyId"])

    @rule(name=NAMES)
    def delete_access_keys(self, name):
        user = self.user(name)
        for key in sorted(user["keys"]) if user is not None else ():
            self.call(None, "delete_access_key", UserName=name, AccessKeyId=key)
            user["keys"].remove(key)

    # --- groups -----------------------------------------------------------------------------------

    @rule(name=GROUPS)
    def create_group(self, name):
        taken = name.lower() in self.groups
        self.call("EntityAlreadyExists" if taken else None, "create_group", GroupName=name)
        if not taken:
            self.groups[name.lower()] = {"name": name, "members": set()}

    @rule(name=GROUPS, new_name=GROUPS)
    def rename_group(self, name, new_name):
        group = self.group(name)
        taken = self.groups.get(new_name.lower()) not in (None, group)
        expected = "NoSuchEntity" if group is None else "EntityAlreadyExists" if taken else None
        self.call(expected, "update_group", GroupName=name, NewGroupName=new_name)
        if expected is None:
            del self.groups[name.lower()]
            self.groups[new_name.lower()] = {**group, "name": new_name}

    @rule(name=GROUPS)
    def delete_group(self, name):
        group = self.group(name)
        if group is None:
            expected = "NoSuchEntity"
        else:
            expected = "DeleteConflict" if group["members"] else None
        self.call(expected, "delete_group", GroupName=name)
        if expected is None:
            del self.groups[name.lower()]

    @rule(group_name=GROUPS, name=NAMES)
    def join(self, group_name, name):
        group, user = self.group(group_name), self.user(name)
        expected = "NoSuchEntity" if group is None or user is None else None
        self.call(expected, "add_user_to_group", GroupName=group_name, UserName=name)
        if expected is None:
            group["members"].add(name.lower())

    @rule(group_name=GROUPS, name=NAMES)
    def leave(self, group_name, name):
        group, user = self.group(group_name), self.user(name)
        is_member = group is not None and user is not None and name.lower() in group["members"]
        expected = None if is_member else "NoSuchEntity"
        self.call(expected, "remove_user_from_group", GroupName=group_name, UserName=name)
        if is_member:
            group["members"].remove(name.lower())

    # --- policies ---------------------------------------------------------------------------------

    @rule(policy=POLICIES)
    def create_policy(self, policy):
        expected = "EntityAlreadyExists" if policy in self.policies else None
        self.call(expected, "create_policy", PolicyName=policy, PolicyDocument=TEXT)
        self.policies.add(policy)

    @rule(policy=POLICIES)
    def delete_policy(self, policy):
        if policy not in self.policies:
            expected = "NoSuchEntity"
        else:
            used = any(policy in user["policies"] for user in self.users.values())
            expected = "DeleteConflict" if used else None
        self.call(expected, "delete_policy", PolicyArn=self.arn(policy))
        if expected is None:
            self.policies.remove(policy)

    @rule(policy=POLICIES, name=NAMES)
    def attach(self, policy, name):
        user = self.user(name)
        expected = "NoSuchEntity" if user is None or policy not in self.policies else None
        self.call(expected, "attach_user_policy", UserName=name, PolicyArn=self.arn(policy))
        if expected is None:
            user["policies"].add(policy)

    @rule(policy=POLICIES, name=NAMES)
    def detach(self, policy, name):
        user = self.user(name)
        expected = "NoSuchEntity" if user is None or policy not in user["policies"] else None
        self.call(expected, "detach_user_policy", UserName=name, PolicyArn=self.arn(policy))
        if expected is None:
            user["policies"].remove(policy)

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def all_lists_are_the_models(self):
        listed = [user["UserName"] for user in self.iam.list_users()["Users"]]
        assert sorted(listed) == sorted(user["name"] for user in self.users.values())
        for folded, user in self.users.items():
            name = user["name"]
            keys = self.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
            assert {(key["AccessKeyId"], key["UserName"]) for key in keys} == {
                (key, name) for key in user["keys"]
            }
            groups = self.iam.list_groups_for_user(UserName=name)["Groups"]
            assert {group["GroupName"] for group in groups} == {
                group["name"] for group in self.groups.values() if folded in group["members"]
            }
            attached = self.iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
            assert {one["PolicyName"] for one in attached} == user["policies"]
        for group in self.groups.values():
            members = self.iam.get_group(GroupName=group["name"])["Users"]
            assert {user["UserName"] for user in members} == {
                self.users[member]["name"] for member in group["members"]
            }
        for policy in self.iam.list_policies(Scope="Local")["Policies"]:
            users = self.iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyUsers"]
            having = {
                u["name"] for u in self.users.values() if policy["PolicyName"] in u["policies"]
            }
            assert {user["UserName"] for user in users} == having
            assert policy["AttachmentCount"] == len(having)


def test_identities_live_as_the_model_says(iam):
    class Here(Identities):
        pass

    Here.iam = iam
    Here.account = iam.get_user()["User"]["UserId"]
    run_state_machine_as_test(
        Here, settings=settings(max_examples=EXAMPLES, stateful_step_count=30)
    )
