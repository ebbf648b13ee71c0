"""Grants in the decision, their terms and their retirement: reference, 9.4, 10.2, 10.3, 10.5."""

import random

import pytest

from kagimori.rules.authorization.authorize import (
    decide,
    decide_assume_role,
    decide_retire,
    permission,
)
from kagimori.rules.authorization.decision import KeyRules, Side
from kagimori.rules.keys.grant import GrantTerms, is_within, operations_for, permits
from kagimori.rules.keys.grant_index import GrantIndex
from kagimori.rules.policy.document import Kind
from kagimori.rules.refusal import AccessDeniedException
from unit.rules.policy.cast import (
    ALLOW,
    DENY,
    KEY,
    OURS,
    ROLE_TO_ASSUME,
    SERVICE,
    SILENT,
    THEIRS,
    compiled,
    federated,
    federated_arn,
    grant,
    key_rules,
    naming,
    question,
    role_arn,
    role_rules,
    root,
    rules,
    session,
    session_arn,
    statement,
    user,
    user_arn,
)

NOBODY = naming(user_arn().replace("/U", "/Nobody"))


def is_allowed(caller, identity_rules, *grants, presented=(), proposed=None, **asked):
    key = key_rules(NOBODY, grants=grants)
    return decide(
        caller, identity_rules, key, question(**asked), presented=presented, proposed=proposed
    ).allowed


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "grantee", "issuer", "allowed"),
    [
        ("user", user(), rules(), user_arn(), OURS, True),
        ("user, boundary silent", user(), rules(None, SILENT), user_arn(), OURS, True),
        ("role", session(), rules(), role_arn(), OURS, True),
        ("role, boundary silent", session(), rules(None, SILENT), role_arn(), OURS, False),
        (
            "role, session policy silent",
            session(),
            rules(None, None, [SILENT]),
            role_arn(),
            OURS,
            False,
        ),
        ("session", session(), rules(None, SILENT, [SILENT]), session_arn(), OURS, True),
        ("federated user", federated(), rules(), federated_arn(), OURS, True),
        (
            "federated user by its user",
            federated(),
            rules(None, None, [SILENT]),
            user_arn(),
            OURS,
            False,
        ),
        ("unique id", user(), rules(), "AIDAUSERUSERUSERUSER", OURS, True),
        ("account without IAM", user(), rules(), OURS, OURS, False),
        ("account with IAM", user(), rules(ALLOW), OURS, OURS, True),
        ("account, its root user", root(), rules(), OURS, OURS, True),
        ("service", SERVICE, rules(), "backup.amazonaws.com", OURS, True),
        ("another grantee", user(), rules(ALLOW), role_arn(), OURS, False),
        (
            "foreign, issued by the owner, no IAM",
            user(THEIRS),
            rules(),
            user_arn(THEIRS),
            OURS,
            False,
        ),
        (
            "foreign, issued by the owner, IAM",
            user(THEIRS),
            rules(ALLOW),
            user_arn(THEIRS),
            OURS,
            True,
        ),
        ("foreign, issued at home, no IAM", user(THEIRS), rules(), user_arn(THEIRS), THEIRS, True),
        (
            "foreign role, issued at home, boundary silent",
            session(THEIRS),
            rules(None, SILENT),
            role_arn(THEIRS),
            THEIRS,
            False,
        ),
        ("foreign account, issued at home, no IAM", user(THEIRS), rules(), THEIRS, THEIRS, False),
        ("foreign account, IAM", user(THEIRS), rules(ALLOW), THEIRS, OURS, True),
        ("denied by IAM", user(), rules(DENY), user_arn(), OURS, False),
    ],
)
def test_whom_a_grant_lets_in(case, caller, identity_rules, grantee, issuer, allowed):
    assert is_allowed(caller, identity_rules, grant(grantee, issuer=issuer)) is allowed


def test_a_deny_in_the_key_policy_beats_a_grant():
    key = key_rules(NOBODY, naming("*", "Deny"), grants=[grant(user_arn())])
    assert not decide(user(), rules(), key, question()).allowed


def test_the_decision_tells_the_grant():
    decision = decide(
        user(), rules(), key_rules(NOBODY, grants=[grant(user_arn(), number=7)]), question()
    )
    assert (decision.side, decision.grant.grant_id[-1]) == (Side.GRANT, "7")


def test_a_presented_grant_counts_before_the_index_has_it():
    assert is_allowed(user(), rules(), presented=(grant(user_arn()),))
    assert not is_allowed(session(), rules(), presented=(grant(user_arn()),))
    assert not is_allowed(user(), rules(), presented=(grant(user_arn()),), action="kms:Decrypt")


EQUALS = {"encryption_context_equals": {"a": "1", "b": "2"}}
SUBSET = {"encryption_context_subset": {"a": "1"}}


@pytest.mark.parametrize(
    ("terms", "operation", "context", "source_arn", "covered"),
    [
        ({}, "Encrypt", {"x": "y"}, None, True),
        (EQUALS, "Encrypt", {"b": "2", "a": "1"}, None, True),
        (EQUALS, "Encrypt", {"a": "1"}, None, False),
        (EQUALS, "Encrypt", {"a": "1", "b": "2", "c": "3"}, None, False),
        (EQUALS, "Encrypt", {"A": "1", "b": "2"}, None, False),
        (EQUALS, "Encrypt", None, None, False),
        (EQUALS, "DescribeKey", None, None, True),
        (EQUALS, "RetireGrant", None, None, True),
        (SUBSET, "Decrypt", {"a": "1", "z": "0"}, None, True),
        (SUBSET, "Decrypt", {"a": "2"}, None, False),
        (SUBSET, "Decrypt", {}, None, False),
        (SUBSET, "Sign", None, None, True),
        ({"encryption_context_equals": {}}, "Encrypt", {}, None, True),
        ({"encryption_context_equals": {}}, "Encrypt", {"a": "1"}, None, False),
        ({"encryption_context_subset": {}}, "Encrypt", {"a": "1"}, None, True),
        ({"source_arn": "arn:s"}, "Encrypt", {}, "arn:s", True),
        ({"source_arn": "arn:s"}, "Encrypt", {}, "arn:t", False),
        ({"source_arn": "arn:s"}, "Encrypt", {}, None, False),
        ({"source_arn": "arn:s"}, "DescribeKey", None, None, False),
        ({"source_arn": "arn:s"}, "RetireGrant", None, None, True),
    ],
)
def test_constraints_bind_where_they_apply(terms, operation, context, source_arn, covered):
    one = grant(user_arn(), operation, **terms)
    asked = question(f"kms:{operation}", context=context, source_arn=source_arn)
    assert permits(one, asked) is covered
    if operation != "RetireGrant":
        assert (
            is_allowed(
                user(),
                rules(),
                one,
                action=f"kms:{operation}",
                context=context,
                source_arn=source_arn,
            )
            is covered
        )


def test_a_grant_gives_its_operations_on_its_key_alone():
    one = grant(user_arn(), "ReEncryptFrom")
    assert permits(one, question("kms:ReEncryptFrom"))
    assert not permits(one, question("kms:ReEncryptTo"))
    assert not permits(one, question("kms:ReEncryptFrom", resource=KEY + "x"))
    assert not permits(one, question("s3:ReEncryptFrom"))


def terms(*operations, equals=None, subset=None, source=None):
    return GrantTerms(frozenset(operations), equals, subset, source)


@pytest.mark.parametrize(
    ("child", "parent", "within"),
    [
        (terms("Encrypt"), terms("Encrypt", "Decrypt"), True),
        (terms("Encrypt", "Decrypt"), terms("Encrypt"), False),
        (terms("CreateGrant"), terms("Encrypt"), False),
        (terms("RetireGrant"), terms("Encrypt", "CreateGrant"), False),
        (terms("Encrypt", equals={"a": "1"}), terms("Encrypt"), True),
        (terms("Encrypt"), terms("Encrypt", equals={"a": "1"}), False),
        (terms("Encrypt", equals={"a": "1"}), terms("Encrypt", equals={"a": "1"}), True),
        (terms("Encrypt", equals={"a": "1", "b": "2"}), terms("Encrypt", equals={"a": "1"}), False),
        (terms("Encrypt", subset={"a": "1"}), terms("Encrypt", equals={"a": "1"}), False),
        (terms("Encrypt", equals={"a": "1", "b": "2"}), terms("Encrypt", subset={"a": "1"}), True),
        (terms("Encrypt", subset={"a": "1", "b": "2"}), terms("Encrypt", subset={"a": "1"}), True),
        (terms("Encrypt", subset={"b": "2"}), terms("Encrypt", subset={"a": "1"}), False),
        (terms("Encrypt"), terms("Encrypt", subset={"a": "1"}), False),
        (terms("Encrypt"), terms("Encrypt", source="arn:s"), False),
        (terms("Encrypt", source="arn:s"), terms("Encrypt", source="arn:s"), True),
        (terms("Encrypt", source="arn:s"), terms("Encrypt"), True),
    ],
)
def test_a_child_grant_gives_no_more_than_its_parent(child, parent, within):
    assert is_within(child, parent) is within


def test_a_grant_permits_create_grant_only_for_a_child_within_itself():
    parent = grant(user_arn(), "CreateGrant", "Encrypt")
    assert is_allowed(user(), rules(), parent, action="kms:CreateGrant", proposed=terms("Encrypt"))
    assert not is_allowed(
        user(), rules(), parent, action="kms:CreateGrant", proposed=terms("Decrypt")
    )
    assert not is_allowed(user(), rules(), parent, action="kms:CreateGrant")
    key = key_rules(naming(user_arn()))
    assert decide(
        user(), rules(), key, question("kms:CreateGrant"), proposed=terms("Decrypt")
    ).allowed


@pytest.mark.parametrize(
    ("usage", "symmetric", "has", "lacks"),
    [
        ("ENCRYPT_DECRYPT", True, "GenerateDataKeyPair", "GetPublicKey"),
        ("ENCRYPT_DECRYPT", False, "GetPublicKey", "GenerateDataKey"),
        ("SIGN_VERIFY", False, "Sign", "Encrypt"),
        ("KEY_AGREEMENT", False, "DeriveSharedSecret", "Sign"),
        ("GENERATE_VERIFY_MAC", True, "VerifyMac", "GetPublicKey"),
        ("ENCAPSULATE_DECAPSULATE", False, "Decapsulate", "Decrypt"),
    ],
)
def test_each_type_of_key_has_its_grant_operations(usage, symmetric, has, lacks):
    found = operations_for(key_usage=usage, is_symmetric=symmetric)
    assert {has, "DescribeKey", "CreateGrant", "RetireGrant"} <= found
    assert lacks not in found


def crowd(count):
    for number in range(count):
        yield grant(
            user_arn(),
            "Encrypt",
            number=number,
            encryption_context_subset={"app": "x", "tenant": str(number)},
        )
        yield grant(
            user_arn(),
            "Decrypt",
            number=count + number,
            encryption_context_equals={"tenant": str(number)},
        )
        yield grant(user_arn(), "Sign", number=2 * count + number, source_arn=f"arn:{number}")
        yield grant(f"AROA{number}", "Encrypt", number=3 * count + number)


def test_of_50000_grants_few_are_looked_at():
    index = GrantIndex(crowd(12500))
    assert len(index) == 50000
    for asked in (
        question("kms:Encrypt", context={"app": "x", "tenant": "77"}),
        question("kms:Decrypt", context={"tenant": "77"}),
        question("kms:Sign", source_arn="arn:77"),
    ):
        found = list(index.candidates(user_arn(), asked))
        assert any(permits(one, asked) for one in found)
        assert len(found) < 5


def test_the_index_finds_what_a_search_of_all_would_find_as_grants_come_and_go():
    chance = random.Random(7)
    index, kept = GrantIndex(), {}
    for number in range(600):
        one = grant(
            chance.choice([user_arn(), role_arn()]),
            *chance.sample(["Encrypt", "Decrypt", "DescribeKey"], 2),
            number=chance.randrange(60),
            source_arn=chance.choice([None, None, "arn:s"]),
            **{
                chance.choice(
                    ["encryption_context_equals", "encryption_context_subset"]
                ): chance.choice([None, {}, {"a": "1"}, {"a": "1", "b": "2"}])
            },
        )
        if number % 3 == 2:
            index.remove(one.grant_id)
            kept.pop(one.grant_id, None)
        else:
            index.add(one)
            kept[one.grant_id] = one
        assert len(index) == len(kept)
        for operation in ("Encrypt", "DescribeKey"):
            asked = question(
                f"kms:{operation}",
                context=chance.choice([{}, {"a": "1"}, {"a": "1", "b": "2"}]),
                source_arn=chance.choice([None, "arn:s"]),
            )
            found = {g.grant_id for g in index.candidates(user_arn(), asked) if permits(g, asked)}
            expected = {i for i, g in kept.items() if g.grantee == user_arn() and permits(g, asked)}
            assert found == expected
    assert index.get("0" * 64) is kept.get("0" * 64)


RETIRE = compiled(statement(action="kms:RetireGrant"))


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "one", "allowed"),
    [
        ("retiring principal", user(), rules(), grant(role_arn(), retiring=user_arn()), True),
        (
            "retiring principal, IAM Deny",
            user(),
            rules(DENY),
            grant(role_arn(), retiring=user_arn()),
            False,
        ),
        ("grantee without RetireGrant", session(), rules(), grant(role_arn()), False),
        ("grantee with RetireGrant", session(), rules(), grant(role_arn(), "RetireGrant"), True),
        (
            "grantee is retiring principal",
            session(),
            rules(),
            grant(role_arn(), retiring=role_arn()),
            True,
        ),
        ("root of the issuing account", root(), rules(), grant(role_arn()), True),
        (
            "root of a foreign issuing account",
            root(THEIRS),
            rules(),
            grant(role_arn(), issuer=THEIRS),
            True,
        ),
        ("root of another account", root(THEIRS), rules(), grant(role_arn()), False),
        ("IAM in the owner's account", user(), rules(RETIRE), grant(role_arn()), True),
        (
            "IAM in the issuing account alone",
            user(THEIRS),
            rules(RETIRE),
            grant(role_arn(), issuer=THEIRS),
            False,
        ),
        (
            "IAM in the retiring account",
            user(THEIRS),
            rules(RETIRE),
            grant(role_arn(), retiring=THEIRS),
            True,
        ),
        (
            "retiring account without IAM",
            user(THEIRS),
            rules(),
            grant(role_arn(), retiring=THEIRS),
            False,
        ),
        ("no IAM", user(), rules(), grant(role_arn()), False),
    ],
)
def test_who_may_retire_a_grant(case, caller, identity_rules, one, allowed):
    asked = question("kms:RetireGrant")
    assert decide_retire(caller, identity_rules, one, OURS, asked).allowed is allowed


def test_a_key_policy_cannot_give_retire_grant():
    key = key_rules(naming("*"))
    assert not decide(root(), rules(), key, question("kms:RetireGrant")).allowed


ASSUME = compiled(statement(action="sts:*", resource="arn:aws:iam::*:role/*"))


def trusting(name, effect="Allow", **more):
    element = name if isinstance(name, dict) else {"AWS": name}
    return {"Effect": effect, "Principal": element, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "trust", "allowed"),
    [
        ("user named", user(), rules(), [trusting(user_arn())], True),
        ("role named", session(), rules(), [trusting(role_arn())], True),
        (
            "role named, boundary silent",
            session(),
            rules(None, SILENT),
            [trusting(role_arn())],
            False,
        ),
        (
            "session named, boundary silent",
            session(),
            rules(None, SILENT),
            [trusting(session_arn())],
            True,
        ),
        ("account named, no IAM", user(), rules(), [trusting(OURS)], False),
        ("account named, IAM", user(), rules(ASSUME), [trusting(OURS)], True),
        (
            "other account, user named, no IAM",
            user(THEIRS),
            rules(),
            [trusting(user_arn(THEIRS))],
            False,
        ),
        (
            "other account, user named, IAM",
            user(THEIRS),
            rules(ASSUME),
            [trusting(user_arn(THEIRS))],
            True,
        ),
        ("nobody named but somebody else", user(), rules(ASSUME), [trusting(role_arn())], False),
        (
            "denied in trust",
            user(),
            rules(ASSUME),
            [trusting(OURS), trusting(user_arn(), "Deny")],
            False,
        ),
        ("denied by IAM for kms alone", user(), rules(DENY), [trusting(user_arn())], True),
        (
            "denied by IAM for sts",
            user(),
            rules(compiled(statement("Deny", "sts:*"))),
            [trusting(user_arn())],
            False,
        ),
        ("service", SERVICE, rules(), [trusting({"Service": "backup.amazonaws.com"})], True),
        (
            "external id missing",
            user(),
            rules(),
            [trusting(user_arn(), Condition={"StringEquals": {"sts:ExternalId": "x"}})],
            False,
        ),
        (
            "another action",
            user(),
            rules(),
            [{**trusting(user_arn()), "Action": "sts:TagSession"}],
            False,
        ),
        ("root", root(), rules(ASSUME), [trusting(OURS)], False),
    ],
)
def test_who_may_assume_a_role(case, caller, identity_rules, trust, allowed):
    asked = question("sts:AssumeRole", ROLE_TO_ASSUME)
    assert decide_assume_role(caller, identity_rules, role_rules(*trust), asked).allowed is allowed


def test_a_refused_assume_role_tells_nothing_of_the_role():
    asked = question("sts:AssumeRole", ROLE_TO_ASSUME)
    with pytest.raises(AccessDeniedException) as raised:
        permission(decide_assume_role(user(), rules(DENY), role_rules(trusting(role_arn())), asked))
    assert raised.value.message == (
        f"User: {user_arn()} is not authorized to perform: sts:AssumeRole on resource: {ROLE_TO_ASSUME}"
    )
    with pytest.raises(AccessDeniedException, match="Roles may not be assumed by root accounts"):
        permission(decide_assume_role(root(), rules(), role_rules(trusting(OURS)), asked))


def test_rules_without_grants_need_not_say_so():
    assert not decide(
        user(), rules(), KeyRules(KEY, OURS, compiled(NOBODY, kind=Kind.KEY)), question()
    ).allowed
