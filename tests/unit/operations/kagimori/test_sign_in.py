"""SignIn and its like, step by step: the same work for everybody, and nothing for who is not right."""

import pytest

from kagimori.entities.identity_tables import (
    ACCESS_KEYS,
    LOGIN_PROFILES,
    MFA_DEVICES,
    PASSWORD_POLICIES,
    ROLES,
    SIGN_IN_TOKENS,
    USERS,
)
from kagimori.entities.tables import ACCOUNTS
from kagimori.operations.kagimori.refusals import (
    MfaRequiredException,
    PasswordChangeRequiredException,
    ResourceNotFoundException,
    SignInFailedException,
)
from kagimori.rules.entity import changed
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import nobody
from kagimori.rules.identity.login_profile import LoginProfile, PasswordPolicy
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.identity.refusals import PasswordPolicyViolation
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.session import ROLE, USER, SessionClaims
from kagimori.rules.refusal import AccessDeniedException, ThrottlingException, ValidationException
from kagimori_boundary import commands, replies
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import Failed, Failure
from kit.iam_story import TRUST
from kit.trial import ACCOUNT, NOW, OTHER, Trial, allow, deny

DAY = 86_400
SIGNED_IN = replies.SignedIn("secret", b"session", None, 0, b"", b"known")
WRONG = Failed(Failure.SIGN_IN_FAILED)


def profile(member="alice", account=ACCOUNT, **fields):
    return LoginProfile(
        account_id=account,
        member=member,
        created_at=NOW,
        changed_at=fields.pop("changed_at", NOW),
        sealed_password=f"sealed {account} {member}".encode(),
        **fields,
    )


@pytest.fixture
def trial():
    made = Trial()
    made.user("alice", allow("*"))
    made.user("bob")
    made.view.put(LOGIN_PROFILES, profile())
    made.view.put(LOGIN_PROFILES, profile(ROOT_USER))
    return made


def sign_in(trial, reply=SIGNED_IN, **members):
    given = {"AccountId": ACCOUNT, "UserName": "alice", "Password": "p", **members}
    given = {name: value for name, value in given.items() if value is not None}
    return trial.call("SignIn", reply, service="kagimori", by=nobody(), **given)


def command_of(trial, **members):
    sent = []

    def reply(command):
        sent.append(command)
        return WRONG

    with pytest.raises(SignInFailedException):
        sign_in(trial, reply, **members)
    (command,) = sent
    return command


NAMES = {
    "a right user": {},
    "an unknown user": {"UserName": "nobody"},
    "a user without a password": {"UserName": "bob"},
    "another letter case": {"UserName": "ALICE"},
    "an unknown account": {"AccountId": "999999999999"},
    "an unknown alias": {"AccountId": "no-such-alias"},
    "the root user without a password": {"AccountId": OTHER, "UserName": None},
    "a user of another account": {"AccountId": OTHER},
}


@pytest.mark.parametrize("members", NAMES.values(), ids=NAMES)
def test_the_hsm_is_asked_once_whoever_is_named(trial, members):
    command = command_of(trial, **members)
    assert isinstance(command, commands.SignIn)
    is_right = members == {}
    assert bool(command.sealed_password) is is_right
    assert command.password == "p"
    assert command.named[1]


def test_nobody_is_kept_apart_by_what_was_looked_for(trial):
    """As many looks at the store for a name that there is as for one that there is not."""
    counts = {}
    for name, members in NAMES.items():
        seen = []
        one, group = trial.view.one, trial.view.group
        trial.view.one = lambda table, key: seen.append(table.name) or one(table, key)  # noqa: B023
        trial.view.group = lambda table, by, key: seen.append(table.name) or group(table, by, key)  # noqa: B023
        try:
            command_of(trial, **members)
        finally:
            trial.view.one, trial.view.group = one, group
        counts[name] = seen
    of_root = counts.pop("the root user without a password")
    assert len({tuple(seen) for seen in counts.values()}) == 1
    assert [name for name in next(iter(counts.values())) if name != USERS.name] == of_root


def test_an_alias_names_its_account(trial):
    trial.call("CreateAccountAlias", service="iam", AccountAlias="example")
    assert command_of(trial, AccountId="example").named == (ACCOUNT, "alice")
    assert command_of(trial).named == (ACCOUNT, "alice")


def test_the_password_and_the_session_are_of_one_user(trial):
    command = command_of(trial, UserName=None)
    assert (command.account_id, command.principal_id) == (ACCOUNT, ROOT_HOLDER)
    command = command_of(trial)
    assert (command.account_id, command.principal_id) == (ACCOUNT, "AIDAALICE")
    answer = sign_in(trial).answer
    assert answer["Credentials"]["Expiration"] == NOW + 43_200
    assert trial.view.one(LOGIN_PROFILES, (ACCOUNT, "alice")).last_used_at == NOW


def device(name, holder="alice"):
    return MfaDevice(
        account_id=ACCOUNT, name=name, created_at=NOW, sealed_seed=name.encode(), holder=holder
    )


def test_devices_of_the_holder_alone_are_asked(trial):
    for one in (device("phone"), device("tablet"), device("bobs", "bob"), device("spare", "")):
        trial.view.put(MFA_DEVICES, one)
    command = command_of(trial)
    assert command.wants_code
    assert command.codes == ()
    codes = command_of(trial, MfaCode="123456").codes
    assert [one.sealed_seed for one in codes] == [b"phone", b"tablet"]
    taken = replies.SignedIn("secret", b"session", replies.TakenCode(7, 1), 1, b"", b"known")
    assert sign_in(trial, taken, MfaCode="123456").answer["MfaAuthenticated"]
    assert trial.view.one(MFA_DEVICES, (ACCOUNT, "tablet")).last_step == 7
    assert trial.view.one(MFA_DEVICES, (ACCOUNT, "phone")).last_step == 0
    with pytest.raises(MfaRequiredException):
        sign_in(trial, Failed(Failure.MFA_REQUIRED))


def test_a_code_of_somebody_without_a_device_is_no_mfa(trial):
    assert not sign_in(trial, MfaCode="123456").answer["MfaAuthenticated"]


DUE = Failed(Failure.PASSWORD_CHANGE_REQUIRED)


@pytest.mark.parametrize(
    ("fields", "policy", "new", "refusal"),
    [
        ({"reset_required": True}, {}, None, PasswordChangeRequiredException),
        (
            {"changed_at": NOW - 90 * DAY},
            {"max_age_days": 90},
            None,
            PasswordChangeRequiredException,
        ),
        ({"reset_required": True}, {"length_min": 9}, "Short-1", PasswordPolicyViolation),
        (
            {"changed_at": NOW - 90 * DAY},
            {"max_age_days": 90, "hard_expiry": True},
            "good-Password-1",
            SignInFailedException,
        ),
        ({}, {}, "good-Password-1", ValidationException),
    ],
)
def test_a_change_is_refused_after_password_and_code_alone(trial, fields, policy, new, refusal):
    trial.view.put(LOGIN_PROFILES, profile(**fields))
    trial.view.put(PASSWORD_POLICIES, PasswordPolicy(account_id=ACCOUNT, **policy))
    command = command_of(trial, NewPassword=new)  # wrong: as for everybody
    assert command.is_change_due
    assert command.new_password is None
    with pytest.raises(refusal):
        sign_in(trial, DUE, NewPassword=new)


def test_a_password_that_is_not_too_old_is_none_to_change(trial):
    trial.view.put(LOGIN_PROFILES, profile(changed_at=NOW - 90 * DAY + 1))
    trial.view.put(PASSWORD_POLICIES, PasswordPolicy(account_id=ACCOUNT, max_age_days=90))
    assert not command_of(trial).is_change_due


def test_a_change_is_kept_with_the_sign_in(trial):
    trial.view.put(LOGIN_PROFILES, profile(reset_required=True))
    new = replies.SignedIn("secret", b"session", None, 0, b"new hash", b"known")
    assert command_of(trial, NewPassword="good-Password-1").new_password == "good-Password-1"
    sign_in(trial, new, NewPassword="good-Password-1")
    after = trial.view.one(LOGIN_PROFILES, (ACCOUNT, "alice"))
    assert (after.sealed_password, after.reset_required) == (b"new hash", False)
    with pytest.raises(PasswordPolicyViolation):
        sign_in(trial, Failed(Failure.USED_PASSWORD), NewPassword="good-Password-1")
    with pytest.raises(ThrottlingException):
        sign_in(trial, Failed(Failure.TOO_OFTEN))


@pytest.mark.parametrize(
    "members",
    [
        {"Password": None},
        {"AccountId": None},
        {"SignInToken": "t"},
        {"SignInToken": "t", "Password": None, "AccountId": None},
    ],
)
def test_members_that_do_not_fit_are_refused_before_anything(trial, members):
    with pytest.raises(ValidationException):
        sign_in(trial, **members)


# --- tokens ---------------------------------------------------------------------------------------


def token_of(trial, by, token=b"token"):
    return trial.call("CreateSignInToken", replies.Bytes(token), service="kagimori", by=by)


def by_token(trial, token="token", reply=SIGNED_IN):
    return trial.call("SignIn", reply, service="kagimori", by=nobody(), SignInToken=token)


def access_key(name="alice", **fields):
    return AccessKey(
        access_key_id=f"AKIA{name.upper()}",
        account_id=ACCOUNT,
        sealed_secret=b"sealed",
        created_at=NOW,
        user_name=name,
        **fields,
    )


def principals(trial, token="token"):
    sent = []
    with pytest.raises(SignInFailedException):
        by_token(trial, token, lambda command: sent.append(command) or WRONG)
    return sent[0].principal_id


def test_a_token_is_spent_and_replaced(trial):
    trial.view.put(ACCESS_KEYS, access_key())
    token_of(trial, trial.caller_named("alice"))
    kept = trial.view.one(SIGN_IN_TOKENS, (ACCOUNT, "AIDAALICE"))
    assert b"token" not in kept.token_hash.encode()
    assert principals(trial) == "AIDAALICE"
    assert principals(trial, "other") == ""
    token_of(trial, trial.caller_named("alice"), b"newer")
    assert principals(trial) == ""
    by_token(trial, "newer")
    assert principals(trial, "newer") == ""


@pytest.mark.parametrize("end", ["time", "key inactive", "key gone", "user gone", "signed out"])
def test_a_token_ends_with_what_it_was_asked_with(trial, end):
    trial.view.put(ACCESS_KEYS, access_key())
    token_of(trial, trial.caller_named("alice"))
    if end == "time":
        trial.now += 600
    elif end == "key inactive":
        trial.view.put(ACCESS_KEYS, access_key(active=False))
    elif end == "key gone":
        trial.view._entities[ACCESS_KEYS.name].clear()
    elif end == "user gone":
        trial.view._entities[USERS.name].clear()
    else:
        trial.call("SignOutEverywhere", service="kagimori", by=trial.caller_named("alice"))
    assert principals(trial) == ""


# --- signing out ----------------------------------------------------------------------------------


def session(kind=USER, name="alice", unique_id="AIDAALICE", generation=0, **fields):
    return SessionClaims(
        kind=kind,
        account_id=ACCOUNT,
        name=name,
        unique_id=unique_id,
        issued_at=NOW,
        expires_at=NOW + DAY,
        generation=generation,
        **fields,
    )


def caller_of(trial, claims):
    return trial._callers.of_session("ASIAEXAMPLE", claims)


def sign_out(trial, by, **members):
    return trial.call("SignOutEverywhere", service="kagimori", by=by, **members)


def test_sessions_of_before_are_over_and_new_ones_are_not(trial):
    sign_out(trial, caller_of(trial, session()))
    assert caller_of(trial, session()) is None
    assert caller_of(trial, session(generation=1)) is not None
    sign_out(trial, trial.root())
    root = session("root", "", "")
    assert caller_of(trial, root) is None
    assert caller_of(trial, session("root", "", "", 1)) is not None
    assert caller_of(trial, session("federated", "", "", session_name="s")) is None
    assert trial.view.one(ACCOUNTS, (OTHER,)).session_generation == 0


def test_a_named_user_or_role_needs_permission(trial):
    role = Role(
        account_id=ACCOUNT,
        name="keeper",
        unique_id="AROAKEEPER",
        created_at=NOW,
        trust_policy=TRUST,
    )
    trial.view.put(ROLES, role)
    bob = trial.caller_named("bob")
    for members in ({"UserName": "alice"}, {"RoleName": "keeper"}, {"UserName": "nobody"}):
        with pytest.raises(AccessDeniedException):
            sign_out(trial, bob, **members)
    alice = trial.caller_named("alice")
    with pytest.raises(ResourceNotFoundException):
        sign_out(trial, alice, UserName="nobody")
    sign_out(trial, alice, RoleName="keeper")
    of_role = session(ROLE, "keeper", "AROAKEEPER", session_name="s")
    assert caller_of(trial, of_role) is None
    again = caller_of(trial, session(ROLE, "keeper", "AROAKEEPER", 1, session_name="s"))
    with pytest.raises(AccessDeniedException):  # others have sessions of it as well
        sign_out(trial, again)
    with pytest.raises(ValidationException):
        sign_out(trial, alice, RoleName="keeper", UserName="bob")


def test_ones_own_sessions_need_none(trial):
    denied = trial.user("carol", deny("*"))
    sign_out(trial, denied)
    assert trial.view.one(USERS, (ACCOUNT, "carol")).session_generation == 1


# --- the root user's password ---------------------------------------------------------------------


def set_password(trial, by, password="good-Password-1"):
    hashed = replies.Bytes(b"hash")
    return trial.call("SetRootPassword", hashed, service="kagimori", by=by, Password=password)


def test_the_root_user_sets_its_password_with_mfa_where_it_has_a_device(trial):
    made = set_password(trial, trial.root())
    assert (made.command.account_id, made.command.user_id) == (ACCOUNT, ROOT_HOLDER)
    assert made.command.proof == trial.root().proof
    with pytest.raises(AccessDeniedException):
        set_password(trial, trial.caller_named("alice"))
    trial.view.put(MFA_DEVICES, device("vault", ROOT_USER))
    with pytest.raises(AccessDeniedException):
        set_password(trial, trial.root())
    with_code = caller_of(trial, session("root", "", "", mfa_at=NOW))
    set_password(trial, with_code)
    assert trial.view.one(LOGIN_PROFILES, (OTHER, ROOT_USER)) is None


def test_a_changed_entity_keeps_its_generation(trial):
    user = trial.view.one(USERS, (ACCOUNT, "alice"))
    assert changed(changed(user, session_generation=3), path="/x/").session_generation == 3
