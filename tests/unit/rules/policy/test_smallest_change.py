"""The suggestion of `kagimori why`: doing all of it allows the request, doing less does not."""

from itertools import product

import pytest

from kagimori.rules.authorization.authorize import CROSS_ACCOUNT_ACTIONS, decide, decide_assume_role
from kagimori.rules.authorization.decision import IdentityRules, Side
from kagimori.rules.authorization.smallest_change import Considered, Evaluated, smallest_change
from kagimori.rules.policy.explain import explain
from kagimori.rules.policy.principal import PrincipalKind
from unit.rules.policy.cast import (
    ALLOW,
    DENY,
    OURS,
    ROLE_TO_ASSUME,
    SILENT,
    THEIRS,
    compiled,
    federated,
    key_rules,
    naming,
    question,
    role_rules,
    root,
    rules,
    session,
    statement,
    user,
)

EVERYTHING = compiled(statement(action="*"))
NOBODY = f"arn:aws:iam::{OURS}:user/Nobody"
STARTS = {
    "add to the key policy": Side.RESOURCE,
    "add to the trust policy": Side.TRUST,
    "add to an identity policy": Side.IDENTITY,
    "add to the permissions boundary": Side.BOUNDARY,
    "begin a session": Side.SESSION,
}


def advice_on(caller, identity_rules, asked, *, key=None, role=None):
    """Return the decision, and what is advised if it denies."""
    has_boundary = identity_rules.boundary is not None
    told = []
    if key is not None:
        decision = decide(caller, identity_rules, key, asked)
        said = explain(key.key_policy, asked, caller, has_boundary=has_boundary)
        told.append(Evaluated("key policy", Side.RESOURCE, said))
    elif role is not None:
        decision = decide_assume_role(caller, identity_rules, role, asked)
        said = explain(role.trust_policy, asked, caller, has_boundary=has_boundary)
        told.append(Evaluated("role trust policy", Side.TRUST, said))
    else:
        decision = decide(caller, identity_rules, None, asked)
    for side, policies in (
        (Side.IDENTITY, identity_rules.identity_policies),
        (Side.BOUNDARY, (identity_rules.boundary,) if has_boundary else ()),
        (Side.SESSION, identity_rules.session_policies or ()),
    ):
        told += [Evaluated(side.value, side, explain(policy, asked)) for policy in policies]
    sessions = identity_rules.session_policies
    considered = Considered(
        tuple(told),
        is_bounded=has_boundary,
        is_narrowed=sessions is not None or caller.kind is PrincipalKind.FEDERATED_USER,
        resource_account=None if key is None and role is None else OURS,
        works_across=asked.action in CROSS_ACCOUNT_ACTIONS or role is not None,
    )
    return decision, smallest_change(decision, considered)


def sides_of(advice):
    return [
        side for text in advice.needed for start, side in STARTS.items() if text.startswith(start)
    ]


def changed(identity_rules, sides):
    """Return identity rules in which these sides allow."""
    return IdentityRules(
        (*identity_rules.identity_policies, *([EVERYTHING] if Side.IDENTITY in sides else [])),
        EVERYTHING if Side.BOUNDARY in sides else identity_rules.boundary,
        (EVERYTHING,) if Side.SESSION in sides else identity_rules.session_policies,
    )


def written_with(written, caller, sides):
    side = {Side.RESOURCE, Side.TRUST} & set(sides)
    return [*written, *([written_for(caller)] if side else [])]


def written_for(caller):
    if caller.kind is PrincipalKind.ROOT:
        return naming(caller.account_id)
    return naming(caller.principal_arn)


def subsets_missing_one(sides):
    return [[one for one in sides if one is not left_out] for left_out in sides]


CALLERS = [user(), session(), federated(), root(), user(THEIRS), session(THEIRS), root(THEIRS)]
KEY_POLICIES = {
    "nobody": [naming(NOBODY)],
    "the account": [naming(OURS), naming(THEIRS)],
    "the principal": None,
    "everybody": [naming("*")],
}
SAYINGS = [None, ALLOW, SILENT]


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.arn)
@pytest.mark.parametrize("named", KEY_POLICIES)
def test_all_of_it_allows_and_less_does_not(caller, named):
    written = KEY_POLICIES[named] or [written_for(caller)]
    asked = question()
    for identity, boundary, narrowing in product(SAYINGS, SAYINGS, SAYINGS):
        if caller.kind is PrincipalKind.ROOT and (identity or boundary or narrowing):
            continue
        has_no_session = caller.kind is PrincipalKind.USER
        if has_no_session and narrowing is not None:
            continue
        identity_rules = rules(identity, boundary, None if narrowing is None else [narrowing])
        decision, advice = advice_on(caller, identity_rules, asked, key=key_rules(*written))
        if decision.allowed:
            continue
        sides = sides_of(advice)
        assert len(sides) == len(advice.needed) > 0

        def allows(some, identity_rules=identity_rules):
            key = key_rules(*written_with(written, caller, some))
            return decide(caller, changed(identity_rules, some), key, asked).allowed

        assert allows(sides), advice.needed
        assert not any(map(allows, subsets_missing_one(sides))), advice.needed


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.arn)
def test_the_same_of_roles(caller):
    asked = question("sts:AssumeRole", ROLE_TO_ASSUME)
    trusting = {"Principal": {"AWS": NOBODY}, "Effect": "Allow", "Action": "sts:*"}
    for identity, boundary in product(SAYINGS, SAYINGS):
        identity_rules = rules(identity, boundary)
        role = role_rules(trusting)
        decision, advice = advice_on(caller, identity_rules, asked, role=role)
        assert not decision.allowed
        if caller.kind is PrincipalKind.ROOT:
            assert advice.needed == ("assume the role as a user or a role: the root user cannot",)
            continue
        sides = sides_of(advice)

        def allows(some, identity_rules=identity_rules):
            named = {**trusting, "Principal": {"AWS": caller.principal_arn}}
            target = role_rules(trusting, *([named] if Side.TRUST in some else []))
            return decide_assume_role(caller, changed(identity_rules, some), target, asked).allowed

        if caller.kind is not PrincipalKind.FEDERATED_USER:
            assert allows(sides), advice.needed
            assert not any(map(allows, subsets_missing_one(sides))), advice.needed


def test_what_iam_alone_decides():
    asked = question("kms:CreateKey", "*")
    _, advice = advice_on(session(), rules(SILENT, SILENT, [SILENT]), asked)
    assert sides_of(advice) == [Side.IDENTITY, Side.BOUNDARY, Side.SESSION]


def test_what_works_nowhere_else():
    asked = question("kms:PutKeyPolicy")
    _, advice = advice_on(user(THEIRS), rules(ALLOW), asked, key=key_rules(naming(THEIRS)))
    assert advice.needed == ("ask from the key's own account: kms:PutKeyPolicy works nowhere else",)


def test_each_deny_is_told_and_what_is_missing_beside_them():
    key = key_rules(naming(OURS), naming("*", "Deny", Sid="No"))
    _, advice = advice_on(user(), rules(DENY), question(), key=key)
    assert advice.needed[:2] == (
        "narrow or remove the Deny statement 'No' of the key policy",
        "narrow or remove the Deny statement number 1 of the identity-based policy",
    )
    assert sides_of(advice) == [Side.IDENTITY]


def test_near_misses_are_told_of_the_sides_that_are_lacking():
    condition = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    near = compiled(statement(Sid="via", Condition=condition), statement(action="s3:*"))
    _, advice = advice_on(user(), rules(near), question(), key=key_rules(naming(OURS)))
    via, other = advice.near
    assert via == (
        "statement 'via' of the identity-based policy lacks one thing: Condition StringEquals "
        "kms:ViaService says s3.us-east-1.amazonaws.com, and the request has nothing"
    )
    assert other.endswith("Action says s3:*, and the request has kms:Encrypt")
