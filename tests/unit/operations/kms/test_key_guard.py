"""The guard of an account: a key that was used lately stays usable, and the refusal names its user."""

import pytest

from kagimori.entities.tables import KEY_USAGES
from kagimori.gate.asked import Need
from kagimori.gate.key_uses import note_uses
from kagimori.rules.keys.usage_record import KeyUsageRecord, Usages
from kagimori.rules.refusal import (
    AccessDeniedException,
    KMSInvalidStateException,
    ValidationException,
)
from kagimori_boundary.replies import NewKey
from kit.trial import ACCOUNT, OTHER, REGION, Trial, allow

DAY = 86_400
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


@pytest.fixture
def trial():
    return Trial()


@pytest.fixture
def key_id(trial):
    reply = NewKey(b"m" * 32, b"token", b"")
    return trial.call("CreateKey", reply).answer["KeyMetadata"]["KeyId"]


def guard(trial, days, **more):
    return trial.call("SetKeyGuard", service="kagimori", Days=days, **more).answer


def used(trial, key_id, days_ago, used_by=ALICE):
    trial.view.put(
        KEY_USAGES,
        KeyUsageRecord(
            account_id=ACCOUNT,
            region=REGION,
            key_id=key_id,
            operation="Encrypt",
            at=trial.now - days_ago * DAY,
            event_id="e",
            request_id="r",
            used_by=used_by,
        ),
    )


def later(trial, days):
    trial.now += days * DAY


@pytest.mark.parametrize("operation", ["DisableKey", "ScheduleKeyDeletion"])
def test_a_key_that_was_used_lately_stays_usable(trial, key_id, operation):
    guard(trial, 30)
    later(trial, 100)
    used(trial, key_id, 3.5)
    with pytest.raises(KMSInvalidStateException) as refused:
        trial.call(operation, KeyId=key_id)
    assert refused.value.message == (
        f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id} was last used 3 days ago (Encrypt by "
        f"{ALICE}). The key guard of account {ACCOUNT} refuses {operation} of keys that were used "
        "within 30 days."
    )
    described = trial.call("DescribeKey", KeyId=key_id).answer["KeyMetadata"]
    assert described["KeyState"] == "Enabled"


def test_the_material_of_a_key_that_was_used_lately_stays(trial):
    made = trial.call("CreateKey", Origin="EXTERNAL").answer["KeyMetadata"]["KeyId"]
    trial.call("DeleteImportedKeyMaterial", KeyId=made)
    guard(trial, 30)
    later(trial, 100)
    used(trial, made, 2)
    with pytest.raises(KMSInvalidStateException, match="was last used 2 days ago"):
        trial.call("DeleteImportedKeyMaterial", KeyId=made)


@pytest.mark.parametrize(("days_ago", "days"), [(30.0, 30), (31, 30), (1.0, 1)])
def test_a_key_that_was_used_before_is_let_go(trial, key_id, days_ago, days):
    guard(trial, days)
    later(trial, 100)
    used(trial, key_id, days_ago)
    trial.call("DisableKey", KeyId=key_id)
    trial.call("ScheduleKeyDeletion", KeyId=key_id)


def test_a_key_that_was_never_used_and_an_account_without_a_guard_are_let_go(trial, key_id):
    used(trial, key_id, 0)
    trial.call("DisableKey", KeyId=key_id)
    trial.call("EnableKey", KeyId=key_id)
    guard(trial, 30)
    guard(trial, None)
    trial.call("DisableKey", KeyId=key_id)
    guard(trial, 30)
    other = trial.call("CreateKey", NewKey(b"n" * 32, b"token", b"")).answer["KeyMetadata"]["KeyId"]
    trial.call("ScheduleKeyDeletion", KeyId=other)


def test_a_use_before_the_key_was_made_is_another_ones(trial, key_id):
    guard(trial, 30)
    used(trial, key_id, 1)
    trial.call("DisableKey", KeyId=key_id)


def test_what_is_disabled_already_may_be_disabled_but_not_deleted(trial, key_id):
    trial.call("DisableKey", KeyId=key_id)
    guard(trial, 30)
    later(trial, 100)
    used(trial, key_id, 1)
    trial.call("DisableKey", KeyId=key_id)
    with pytest.raises(KMSInvalidStateException, match="1 day ago"):
        trial.call("ScheduleKeyDeletion", KeyId=key_id)


def test_the_state_and_the_waiting_period_are_checked_first(trial, key_id):
    trial.call("ScheduleKeyDeletion", KeyId=key_id)
    guard(trial, 30)
    later(trial, 1)
    used(trial, key_id, 0.5)
    with pytest.raises(ValidationException):
        trial.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=5)
    with pytest.raises(KMSInvalidStateException, match="is pending deletion"):
        trial.call("ScheduleKeyDeletion", KeyId=key_id)


def test_a_use_that_is_not_written_yet_counts(trial, key_id):
    guard(trial, 30)
    later(trial, 100)
    used(trial, key_id, 99)
    kms_key = trial.call("DescribeKey", KeyId=key_id).facts.kms_key
    asked = trial.asked("Encrypt", KeyId=key_id, Plaintext=b"x")
    usages = Usages()
    note_uses(
        usages, asked, (Need("kms:Encrypt", kms_key),), "0" * 8 + "-0000-4000-8000-" + "0" * 12
    )
    noted = usages.newest((ACCOUNT, REGION, key_id), None)
    assert noted.used_by == f"arn:aws:iam::{ACCOUNT}:root"
    assert noted.at == trial.now


def test_of_another_accounts_principal_the_account_alone_is_shown(trial, key_id):
    kms_key = trial.call("DescribeKey", KeyId=key_id).facts.kms_key
    caller = trial.user("mallory", account=OTHER)
    asked = trial.asked("Encrypt", by=caller, KeyId=kms_key.arn, Plaintext=b"x")
    usages = Usages()
    note_uses(
        usages, asked, (Need("kms:Encrypt", kms_key),), "0" * 8 + "-0000-4000-8000-" + "0" * 12
    )
    assert usages.newest((ACCOUNT, REGION, key_id), None).used_by == f"account {OTHER}"


def test_each_account_has_a_guard_of_its_own(trial):
    other = trial.user("alice", allow("*"), account=OTHER)
    assert guard(trial, 7, by=other) == {"AccountId": OTHER, "Days": 7}
    assert guard(trial, 9) == {"AccountId": ACCOUNT, "Days": 9}
    shown = trial.call("GetKeyGuard", service="kagimori", by=other).answer
    assert shown == {"AccountId": OTHER, "Days": 7}
    with pytest.raises(AccessDeniedException):
        guard(trial, None, by=trial.user("bob", allow("kms:*")))


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_that_cannot_be_are_refused(trial, days):
    with pytest.raises(ValidationException):
        guard(trial, days)
