"""What an identity may is gathered in one place, for decisions and for simulations."""

import json

import pytest

from kagimori.entities.identity_tables import GROUPS, MANAGED_POLICIES, MEMBERSHIPS, USERS
from kagimori.gate.callers import Callers
from kagimori.gate.gathering import gathered
from kagimori.operations.simulation.simulated import boundary_of, policies_of
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.group import Group, Membership
from kagimori.rules.identity.managed_policy import ManagedPolicy, PolicyVersion
from kagimori.rules.identity.refusals import PolicyEvaluation
from kagimori.rules.identity.user import User
from kit.in_memory import InMemoryView
from kit.trial import ACCOUNT, NOW, allow

AWS_MANAGED = "arn:aws:iam::aws:policy/AdministratorAccess"


KEY = AccessKey(
    access_key_id="AKIAALICE",
    account_id=ACCOUNT,
    sealed_secret=b"sealed",
    created_at=NOW,
    user_name="alice",
)


def policy_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def text(action):
    return json.dumps({"Version": "2012-10-17", "Statement": [allow(action)]})


def managed(name):
    version = PolicyVersion(number=1, text=text(f"kms:{name}"), created_at=NOW)
    return ManagedPolicy(
        account_id=ACCOUNT,
        name=name,
        unique_id=f"ANPA{name}",
        created_at=NOW,
        updated_at=NOW,
        versions=(version,),
    )


@pytest.fixture
def view():
    view = InMemoryView()
    view.put(MANAGED_POLICIES, managed("Attached"), managed("OfGroup"), managed("Boundary"))
    group = Group(
        account_id=ACCOUNT,
        name="staff",
        unique_id="AGPASTAFF",
        created_at=NOW,
        inline_policies={"ofgroup": text("kms:InGroup")},
        attached=(policy_arn("OfGroup"), policy_arn("Gone")),
    )
    view.put(GROUPS, group)
    view.put(
        MEMBERSHIPS,
        Membership(account_id=ACCOUNT, member="alice", in_group="staff"),
    )
    return view


def user(view, **fields):
    alice = User(account_id=ACCOUNT, name="alice", unique_id="AIDAALICE", created_at=NOW, **fields)
    view.put(USERS, alice)
    return alice


def decided(view):
    return Callers(view).of_access_key(KEY, "aws").identity_rules


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"inline_policies": {"own": text("kms:Own")}},
        {"attached": (policy_arn("Attached"), policy_arn("Gone"), AWS_MANAGED)},
        {"boundary": policy_arn("Boundary")},
        {
            "inline_policies": {"own": text("kms:Own"), "second": text("kms:Second")},
            "attached": (policy_arn("Gone"), policy_arn("Attached")),
            "boundary": policy_arn("Boundary"),
        },
    ],
)
def test_a_simulation_is_about_the_policies_that_decide(view, fields):
    alice = user(view, **fields)
    rules = decided(view)
    simulated = policies_of(view, alice)
    assert tuple(policy.compiled for policy in simulated) == rules.identity_policies
    boundary = boundary_of(view, alice)
    assert (boundary and boundary.compiled) is rules.boundary
    names = [policy.compiled.name for policy in simulated]
    assert names[-2:] == ["ofgroup", policy_arn("OfGroup")]


def test_a_boundary_that_does_not_exist_allows_nothing_and_cannot_be_simulated(view):
    alice = user(view, boundary=policy_arn("Gone"))
    assert decided(view).boundary.statements == ()
    with pytest.raises(PolicyEvaluation):
        boundary_of(view, alice)


def test_the_identity_comes_first_and_what_does_not_exist_is_kept_as_none(view):
    alice = user(view, attached=(policy_arn("Gone"),), boundary=policy_arn("Boundary"))
    itself, group = gathered(view, alice)
    assert (itself.bearer, itself.attached, itself.existing) == (alice, (None,), ())
    assert itself.boundary.name == "Boundary"
    assert group.bearer.name == "staff"
    assert [policy.name for policy in group.existing] == ["OfGroup"]


def test_a_caller_is_the_same_until_something_it_was_made_of_is_another(view):
    user(view, attached=(policy_arn("Attached"), policy_arn("Gone")))
    callers = Callers(view)
    before = callers.of_access_key(KEY, "aws")
    assert callers.of_access_key(KEY, "aws") is before
    view.put(MANAGED_POLICIES, managed("Gone"))
    after = callers.of_access_key(KEY, "aws")
    assert after is not before
    assert len(after.identity_rules.identity_policies) > len(
        before.identity_rules.identity_policies
    )
