"""The decision of reference 9.4: its tables complete, and the texts of 5.4."""

import json

import pytest
from msgspec import structs

from kagimori.rules.authorization.authorize import (
    CROSS_ACCOUNT_ACTIONS,
    Allowed,
    decide,
    permission,
    would_lock_out,
)
from kagimori.rules.authorization.decision import CIPHERTEXT, Side
from kagimori.rules.policy.document import Kind, parse_policy
from kagimori.rules.policy.evaluate import compile_policy, evaluate
from kagimori.rules.policy.principal import Way
from kagimori.rules.refusal import AccessDeniedException
from unit.rules.policy.cast import (
    ALLOW,
    ANONYMOUS,
    DENY,
    KEY,
    OURS,
    SERVICE,
    SILENT,
    THEIRS,
    compiled,
    federated,
    federated_arn,
    key_rules,
    naming,
    question,
    role_arn,
    root,
    rules,
    session,
    session_arn,
    statement,
    user,
    user_arn,
)

ROOT = f"arn:aws:iam::{OURS}:root"
DEFAULT = naming(ROOT)


def is_allowed(caller, identity_rules, *statements, **asked):
    return decide(caller, identity_rules, key_rules(*statements), question(**asked)).allowed


# What the key policy names, who calls, and whether the silence of identity policy, boundary and
# session policy (the other two allowing) leaves the caller in.
SILENCES = [
    ("user ARN", user_arn(), user(), True, True, None),
    ("user ARN", user_arn(), federated(), True, False, False),
    ("role ARN", role_arn(), session(), True, False, False),
    ("session ARN", session_arn(), session(), True, True, True),
    ("federated-user ARN", federated_arn(), federated(), True, True, True),
    ("everyone", "*", user(), True, True, None),
    ("everyone", "*", session(), True, True, True),
    ("everyone", "*", federated(), True, True, True),
    ("account id", OURS, user(), False, False, None),
    ("account root", ROOT, session(), False, False, False),
    ("account root", ROOT, federated(), False, False, False),
]


@pytest.mark.parametrize(
    ("_named", "name", "caller", "identity", "boundary", "session_policy"), SILENCES
)
def test_who_is_let_in_when_another_policy_is_silent(
    _named, name, caller, identity, boundary, session_policy
):
    sessions = None if session_policy is None else [ALLOW]
    policy = naming(name)
    assert is_allowed(caller, rules(ALLOW, ALLOW, sessions), policy)
    assert is_allowed(caller, rules(SILENT, ALLOW, sessions), policy) is identity
    assert is_allowed(caller, rules(None, ALLOW, sessions), policy) is identity
    assert is_allowed(caller, rules(ALLOW, SILENT, sessions), policy) is boundary
    if session_policy is not None:
        assert is_allowed(caller, rules(ALLOW, ALLOW, [SILENT]), policy) is session_policy
        assert is_allowed(caller, rules(ALLOW, ALLOW, []), policy) is session_policy


@pytest.mark.parametrize(("_named", "name", "caller", "_i", "_b", "session_policy"), SILENCES)
def test_a_deny_in_any_policy_wins_however_the_caller_is_named(
    _named, name, caller, _i, _b, session_policy
):
    sessions = None if session_policy is None else [ALLOW]
    policy = naming(name)
    assert not is_allowed(caller, rules(DENY, ALLOW, sessions), policy)
    assert not is_allowed(caller, rules(ALLOW, DENY, sessions), policy)
    assert not is_allowed(caller, rules(ALLOW, ALLOW, [ALLOW, DENY]), policy)
    for denied in (name, "*", OURS):
        assert not is_allowed(caller, rules(ALLOW, ALLOW, sessions), policy, naming(denied, "Deny"))


ONLY_ROLE = naming(role_arn())
ON_KEY = compiled(statement(action="kms:Decrypt", resource=KEY))


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "policy", "allowed"),
    [
        ("default policy, user without IAM policy", user(), rules(), DEFAULT, False),
        ("default policy, user with IAM on the key", user(), rules(ON_KEY), DEFAULT, True),
        ("no root statement, IAM kms:*", user(), rules(ALLOW), ONLY_ROLE, False),
        ("root user, no root statement", root(), rules(), ONLY_ROLE, False),
        ("key policy names the role, no IAM", session(), rules(), ONLY_ROLE, True),
        (
            "key policy names the role, boundary silent",
            session(),
            rules(None, SILENT),
            ONLY_ROLE,
            False,
        ),
        (
            "key policy names the role, session policy silent",
            session(),
            rules(None, None, [SILENT]),
            ONLY_ROLE,
            False,
        ),
        ("root user, default policy", root(), rules(), DEFAULT, True),
        ("IAM allows, boundary silent", user(), rules(ALLOW, SILENT), DEFAULT, False),
        (
            "user of another account, no IAM there",
            user(THEIRS),
            rules(),
            naming(user_arn(THEIRS)),
            False,
        ),
        (
            "user of another account, IAM there",
            user(THEIRS),
            rules(ALLOW),
            naming(user_arn(THEIRS)),
            True,
        ),
        (
            "role of another account, IAM there",
            session(THEIRS),
            rules(ALLOW),
            naming(role_arn(THEIRS)),
            True,
        ),
        (
            "session of another account, no IAM",
            session(THEIRS),
            rules(),
            naming(session_arn(THEIRS)),
            False,
        ),
        (
            "other account, boundary silent",
            user(THEIRS),
            rules(ALLOW, SILENT),
            naming(user_arn(THEIRS)),
            False,
        ),
        (
            "other account, session silent",
            session(THEIRS),
            rules(ALLOW, None, [SILENT]),
            naming(THEIRS),
            False,
        ),
        ("other account named, IAM there", user(THEIRS), rules(ALLOW), naming(THEIRS), True),
        ("root of another account, named", root(THEIRS), rules(), naming(THEIRS), True),
        ("root of another account, not named", root(THEIRS), rules(), DEFAULT, False),
        ("everyone, other account without IAM", user(THEIRS), rules(), naming("*"), False),
        ("everyone, other account with IAM", user(THEIRS), rules(ALLOW), naming("*"), True),
        (
            "alias ARN in IAM",
            user(),
            rules(compiled(statement(resource=f"arn:aws:kms:us-east-1:{OURS}:alias/x"))),
            DEFAULT,
            False,
        ),
        (
            "other key in IAM",
            user(),
            rules(compiled(statement(resource=KEY[:-1] + "0"))),
            DEFAULT,
            False,
        ),
        (
            "every key in IAM",
            user(),
            rules(compiled(statement(resource="arn:aws:kms:*:*:key/*"))),
            DEFAULT,
            True,
        ),
        (
            "multi-Region keys in IAM",
            user(),
            rules(compiled(statement(resource="arn:aws:kms:*:*:key/mrk-*"))),
            DEFAULT,
            False,
        ),
        ("service not named", SERVICE, rules(), naming("*"), False),
        (
            "service named",
            SERVICE,
            rules(),
            statement(Principal={"Service": "backup.amazonaws.com"}),
            True,
        ),
        ("nobody", ANONYMOUS, rules(ALLOW), naming("*"), False),
        (
            "case of a role's name",
            session(),
            rules(),
            naming(role_arn().replace("/R", "/r")),
            False,
        ),
        ("federated user without session policy", federated(), rules(ALLOW), DEFAULT, False),
        (
            "federated user with session policy",
            federated(),
            rules(ALLOW, None, [ALLOW]),
            DEFAULT,
            True,
        ),
    ],
)
def test_the_cases_of_the_reference(case, caller, identity_rules, policy, allowed):
    assert is_allowed(caller, identity_rules, policy, action="kms:Decrypt") is allowed


@pytest.mark.parametrize(
    "action", ["kms:PutKeyPolicy", "kms:EnableKey", "kms:ScheduleKeyDeletion", "kms:TagResource"]
)
def test_what_does_not_work_across_accounts_is_refused_whatever_policies_say(action):
    assert action not in CROSS_ACCOUNT_ACTIONS
    assert not is_allowed(user(THEIRS), rules(ALLOW), naming("*"), action=action)
    assert is_allowed(user(OURS), rules(ALLOW), naming("*"), action=action)


@pytest.mark.parametrize(
    "action", ["kms:CreateKey", "kms:ListKeys", "kms:GenerateRandom", "iam:CreateUser"]
)
def test_what_iam_alone_decides_needs_identity_boundary_and_session(action):
    every = compiled(statement(action=action))
    asked = question(action, "*")
    assert decide(user(), rules(every), None, asked).allowed
    assert decide(root(), rules(), None, asked).allowed
    assert decide(session(), rules(every, every, [every]), None, asked).allowed
    for identity_rules in (
        rules(),
        rules(every, SILENT),
        rules(every, every, [SILENT]),
        rules(every, every, []),
    ):
        assert not decide(session(), identity_rules, None, asked).allowed
    assert not decide(SERVICE, rules(), None, asked).allowed
    assert not decide(ANONYMOUS, rules(every), None, asked).allowed
    assert not decide(federated(), rules(every), None, asked).allowed


def test_a_deny_in_the_key_policy_hits_root_and_services():
    policy = (
        DEFAULT,
        statement(Principal={"Service": "backup.amazonaws.com"}),
        naming("*", "Deny"),
    )
    assert not is_allowed(root(), rules(), *policy)
    assert not is_allowed(SERVICE, rules(), *policy)
    assert not is_allowed(root(), rules(), DEFAULT, naming(ROOT, "Deny"))


@pytest.mark.parametrize(
    ("excepted", "caller", "boundary", "spared"),
    [
        ([OURS, role_arn(), session_arn()], session(), None, True),
        ([OURS, role_arn()], session(), None, False),
        ([session_arn()], session(), None, False),
        ([OURS, user_arn()], user(), None, True),
        ([user_arn()], user(), None, False),
        ([OURS], user(), None, False),
        ([OURS], root(), None, True),
        ([OURS, user_arn()], user(), ALLOW, False),
        (["*"], user(), None, False),
    ],
)
def test_a_deny_with_not_principal_spares_only_who_is_listed_in_full(
    excepted, caller, boundary, spared
):
    deny = statement("Deny", NotPrincipal={"AWS": excepted})
    assert is_allowed(caller, rules(ALLOW, boundary), DEFAULT, deny) is spared


def test_a_deleted_and_re_created_user_is_another_user():
    policy = naming(user_arn())
    pins = {user_arn(): "AIDAFIRSTFIRSTFIRST1"}
    for unique_id, allowed in (("AIDAFIRSTFIRSTFIRST1", True), ("AIDASECONDSECOND0002", False)):
        rules_now = key_rules(policy, pins=pins)
        assert decide(user(unique_id=unique_id), rules(), rules_now, question()).allowed is allowed


def test_the_strongest_way_of_naming_counts():
    policy = compiled(naming(OURS), naming(role_arn()), naming(session_arn()), kind=Kind.KEY)
    assert evaluate(policy, question(), session()).way is Way.SESSION
    assert evaluate(policy, question(), user()).way is Way.ACCOUNT


def test_a_stored_statement_without_action_or_resource_has_no_effect():
    for missing in ("Action", "Resource"):
        written = naming("*", "Deny")
        del written[missing]
        text = json.dumps({"Statement": [written]})
        policy = compile_policy(parse_policy(text, Kind.KEY, stored=True))
        assert evaluate(policy, question(), user()).statement is None


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "statements", "ending"),
    [
        (
            "silent identity",
            user(),
            rules(),
            [DEFAULT],
            "because no identity-based policy allows the kms:Encrypt action",
        ),
        (
            "silent boundary",
            user(),
            rules(ALLOW, SILENT),
            [DEFAULT],
            "because no permissions boundary allows the kms:Encrypt action",
        ),
        (
            "silent session",
            session(),
            rules(ALLOW, None, [SILENT]),
            [DEFAULT],
            "because no session policy allows the kms:Encrypt action",
        ),
        (
            "role, silent boundary",
            session(),
            rules(None, SILENT),
            [ONLY_ROLE],
            "because no permissions boundary allows the kms:Encrypt action",
        ),
        (
            "role, silent session",
            session(),
            rules(None, None, [SILENT]),
            [ONLY_ROLE],
            "because no session policy allows the kms:Encrypt action",
        ),
        (
            "not named",
            user(),
            rules(ALLOW),
            [ONLY_ROLE],
            "because no resource-based policy allows the kms:Encrypt action",
        ),
        (
            "other account",
            user(THEIRS),
            rules(ALLOW),
            [DEFAULT],
            "because no resource-based policy allows the kms:Encrypt action",
        ),
        (
            "denied by identity",
            user(),
            rules(DENY),
            [DEFAULT],
            "with an explicit deny in an identity-based policy",
        ),
        (
            "denied by key",
            user(),
            rules(ALLOW),
            [DEFAULT, naming("*", "Deny")],
            "with an explicit deny in a resource-based policy",
        ),
        (
            "denied by boundary",
            user(),
            rules(ALLOW, DENY),
            [DEFAULT],
            "with an explicit deny in a permissions boundary",
        ),
        (
            "denied by session",
            session(),
            rules(ALLOW, None, [DENY]),
            [DEFAULT],
            "with an explicit deny in a session policy",
        ),
    ],
)
def test_the_refusal_says_which_policy_in_the_words_of_aws(
    case, caller, identity_rules, statements, ending
):
    with pytest.raises(AccessDeniedException) as raised:
        permission(decide(caller, identity_rules, key_rules(*statements), question()))
    start = f"User: {caller.arn} is not authorized to perform: kms:Encrypt on resource: {KEY} "
    assert raised.value.message == start + ending


def test_an_action_without_resource_is_refused_on_star_or_on_nothing():
    told = "User: arn:aws:iam::111122223333:user/U is not authorized to perform: kms:CreateKey"
    why = " because no identity-based policy allows the kms:CreateKey action"
    for resource, where in (("*", " on resource: *"), ("", "")):
        with pytest.raises(AccessDeniedException) as raised:
            permission(decide(user(), rules(), None, question("kms:CreateKey", resource)))
        assert raised.value.message == told + where + why


NAMED_AS = "arn:aws:kms:eu-central-1:111122223333:alias/theirs"


@pytest.mark.parametrize("action", ["kms:Encrypt", "kms:PutKeyPolicy"])
@pytest.mark.parametrize("identity", [ALLOW, DENY, SILENT, None])
@pytest.mark.parametrize("named_as", [NAMED_AS, CIPHERTEXT])
def test_a_stranger_is_told_the_same_of_every_key_that_does_not_let_it_in(
    action, identity, named_as
):
    stranger = user(THEIRS)
    told = set()
    for policy in (DEFAULT, naming("*", "Deny"), naming(THEIRS, "Deny")):
        of_key = structs.replace(key_rules(policy), named_as=named_as)
        with pytest.raises(AccessDeniedException) as raised:
            permission(decide(stranger, rules(identity), of_key, question(action)))
        told.add(raised.value.message)
    (message,) = told
    where = CIPHERTEXT if named_as == CIPHERTEXT else f"resource: {NAMED_AS} because no"
    start = f"User: {stranger.arn} is not authorized to perform: {action} on {where}"
    assert message.startswith(start)


def test_who_is_let_in_by_a_key_is_told_what_its_own_account_lacks():
    of_key = structs.replace(key_rules(naming(THEIRS)), named_as=NAMED_AS)
    with pytest.raises(AccessDeniedException, match="no identity-based policy allows"):
        permission(decide(user(THEIRS), rules(SILENT), of_key, question()))


def test_only_permission_makes_allowed_and_it_tells_how():
    by_root = decide(root(), rules(), key_rules(DEFAULT), question())
    allowed = permission(by_root)
    assert allowed.decisions == (by_root,)
    assert by_root.side is Side.RESOURCE
    assert by_root.statement_by.statement.index == 0
    with pytest.raises(TypeError):
        Allowed(object(), allowed.decisions)


def test_one_decision_that_denies_takes_the_permission_from_all():
    by_root = decide(root(), rules(), key_rules(DEFAULT), question())
    denied = decide(user(), rules(), key_rules(naming("*", "Deny")), question())
    with pytest.raises(AccessDeniedException):
        permission(by_root, denied)


def test_a_question_about_another_resource_than_the_key_is_refused():
    assert not is_allowed(root(), rules(), DEFAULT, resource=KEY + "x")
    assert not is_allowed(root(), rules(), DEFAULT, resource="*")


@pytest.mark.parametrize(
    ("case", "caller", "identity_rules", "policy", "locked_out"),
    [
        ("root, default policy", root(), rules(), [DEFAULT], False),
        ("user named", user(), rules(), [naming(user_arn())], False),
        ("user, account named, no IAM", user(), rules(), [DEFAULT], True),
        ("user, account named, with IAM", user(), rules(ALLOW), [DEFAULT], False),
        ("somebody else named", root(), rules(), [ONLY_ROLE], True),
        ("denied in the new policy", root(), rules(), [DEFAULT, naming("*", "Deny")], True),
        ("only to encrypt", user(), rules(), [statement(action="kms:Encrypt", Principal={"AWS": user_arn()})], True),
        ("boundary silent", user(), rules(ALLOW, SILENT), [DEFAULT], True),
        ("session silent", session(), rules(ALLOW, None, [SILENT]), [DEFAULT], True),
        ("denied", user(), rules(DENY), [naming(user_arn())], True),
        ("other account", user(THEIRS), rules(ALLOW), [naming(user_arn(THEIRS))], True),
    ],
)  # fmt: skip
def test_the_lockout_check_asks_whether_the_caller_could_put_a_policy_again(
    case, caller, identity_rules, policy, locked_out
):
    assert (
        would_lock_out(caller, identity_rules, key_rules(*policy), question("kms:PutKeyPolicy"))
        is locked_out
    )
