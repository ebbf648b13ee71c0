"""The root user's own MFA devices: enabled, shown, used for a session, and taken away by it alone."""

import pytest
from msgspec.structs import replace

from kagimori.rules.identity.quotas import MFA_DEVICES
from kagimori.rules.identity.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from kagimori.rules.identity.session import session_of
from kagimori.rules.refusal import AccessDeniedException
from kagimori_boundary.replies import OpenedSession
from kit.hsm import reply_to
from kit.trial import ACCOUNT, NOW, Trial, allow

CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def iam(trial):
    def call(name, **members):
        return trial.call(name, reply_to, service="iam", **members).answer

    return call


@pytest.fixture
def serial(iam):
    made = iam("CreateVirtualMFADevice", VirtualMFADeviceName="root-account-mfa-device")
    return made["VirtualMFADevice"]["SerialNumber"]


def test_it_is_enabled_and_shown_as_the_roots(iam, serial):
    assert iam("GetAccountSummary")["SummaryMap"]["AccountMFAEnabled"] == 0
    assert iam("ListMFADevices")["MFADevices"] == []
    iam("EnableMFADevice", UserName="root", SerialNumber=serial, **CODES)
    summary = iam("GetAccountSummary")["SummaryMap"]
    assert (summary["AccountMFAEnabled"], summary["MFADevicesInUse"]) == (1, 1)
    (listed,) = iam("ListMFADevices")["MFADevices"]
    assert listed == {"UserName": "root", "SerialNumber": serial, "EnableDate": NOW}
    assert iam("ListMFADevices", UserName="root")["MFADevices"] == [listed]
    assert iam("GetMFADevice", SerialNumber=serial) == listed
    (shown,) = iam("ListVirtualMFADevices", AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert (shown["User"]["Arn"], shown["User"]["UserId"]) == (ROOT, ACCOUNT)
    iam("ResyncMFADevice", UserName="root", SerialNumber=serial, **CODES)
    with pytest.raises(EntityAlreadyExists):
        iam("EnableMFADevice", UserName="root", SerialNumber=serial, **CODES)
    with pytest.raises(DeleteConflict):
        iam("DeleteVirtualMFADevice", SerialNumber=serial)
    iam("DeactivateMFADevice", SerialNumber=serial)
    assert iam("GetAccountSummary")["SummaryMap"]["AccountMFAEnabled"] == 0
    iam("DeleteVirtualMFADevice", SerialNumber=serial)


def test_only_the_root_user_can_mean_it(trial, iam, serial):
    alice = trial.user("alice", allow("*"))
    iam("EnableMFADevice", UserName="root", SerialNumber=serial, **CODES)
    with pytest.raises(NoSuchEntity):
        iam("DeactivateMFADevice", by=alice, SerialNumber=serial)
    for name in ("DeactivateMFADevice", "GetMFADevice"):
        with pytest.raises(NoSuchEntity, match="root cannot be found"):
            iam(name, by=alice, UserName="root", SerialNumber=serial)
    assert iam("ListMFADevices", by=alice)["MFADevices"] == []
    session = {"SerialNumber": serial, "TokenCode": "123456"}
    with pytest.raises(AccessDeniedException):
        trial.call("GetSessionToken", reply_to, service="sts", by=alice, **session)


def test_a_user_of_that_name_is_meant_before_the_root_user(trial, iam, serial):
    trial.user("root", allow("*"))
    iam("EnableMFADevice", UserName="root", SerialNumber=serial, **CODES)
    assert iam("ListMFADevices")["MFADevices"] == []
    assert len(iam("ListMFADevices", UserName="root")["MFADevices"]) == 1
    assert iam("GetAccountSummary")["SummaryMap"]["AccountMFAEnabled"] == 0


def test_no_user_can_have_the_name_under_which_it_is_kept(iam):
    with pytest.raises(ValueError, match="regex"):
        iam("CreateUser", UserName="<root_account>")


def test_a_code_of_it_makes_a_session_with_mfa(trial, iam, serial):
    def session(**given):
        return trial.call("GetSessionToken", reply_to, service="sts", **given)

    given = {"SerialNumber": serial, "TokenCode": "123456"}
    with pytest.raises(AccessDeniedException):
        session(**given)
    iam("EnableMFADevice", UserName="root", SerialNumber=serial, **CODES)
    command = session(**given).command
    assert command.code.code == "123456"
    assert claims(command).mfa_at == NOW
    assert claims(session().command).mfa_at is None
    with pytest.raises(AccessDeniedException):
        session(SerialNumber=serial)


def claims(command):
    """Return what the session token will say."""
    opened = OpenedSession(
        command.kind,
        command.account_id,
        command.principal_id,
        command.issued_at,
        command.expires_at,
        command.claims,
        b"key",
    )
    return session_of(opened, b"token")


def test_it_has_as_many_as_a_user_may_have(trial, iam):
    for number in range(MFA_DEVICES.most + 1):
        made = iam("CreateVirtualMFADevice", VirtualMFADeviceName=f"phone{number}")
        given = {"UserName": "root", "SerialNumber": made["VirtualMFADevice"]["SerialNumber"]}
        if number < MFA_DEVICES.most:
            iam("EnableMFADevice", **given, **CODES)
            continue
        with pytest.raises(LimitExceeded):
            iam("EnableMFADevice", **given, **CODES)


def test_who_is_neither_a_user_nor_the_root_user_must_name_one(trial, iam):
    nameless = replace(trial.user("alice", allow("*")), user_name=None)
    with pytest.raises(ValidationError, match="Must specify userName"):
        iam("ListMFADevices", by=nameless)
