"""boto3 and IAM: passwords and MFA devices. Reference: 23.1, 23.2 (MFA)."""

import base64
import json
import time

import boto3
import pytest

from kagimori.rules.identity.qr_code import qr_png
from serving import refused
from totp import code

GOOD = "correct-Horse-battery-1"


@pytest.fixture(scope="module")
def iam(own_server):
    client = own_server.client("iam")
    yield client
    client.close()


@pytest.fixture
def alice(iam):
    iam.create_user(UserName="alice")
    yield "alice"
    for device in iam.list_mfa_devices(UserName="alice")["MFADevices"]:
        iam.deactivate_mfa_device(UserName="alice", SerialNumber=device["SerialNumber"])
    try:
        iam.delete_login_profile(UserName="alice")
    except iam.exceptions.NoSuchEntityException:
        pass
    iam.delete_user(UserName="alice")


@pytest.fixture
def device(iam):
    """Serial number and seed of a new device."""
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    # botocore undoes one base64; what is inside is base32.
    yield made["SerialNumber"], made["Base32StringSeed"].decode()
    for one in iam.list_virtual_mfa_devices()["VirtualMFADevices"]:
        if "User" in one:
            names = {"UserName": one["User"]["UserName"], "SerialNumber": one["SerialNumber"]}
            iam.deactivate_mfa_device(**names)
        iam.delete_virtual_mfa_device(SerialNumber=one["SerialNumber"])


# --- passwords ------------------------------------------------------------------------------------


def test_the_life_of_a_login_profile(iam, alice):
    made = iam.create_login_profile(UserName=alice, Password=GOOD, PasswordResetRequired=True)
    assert made["LoginProfile"]["UserName"] == alice
    assert made["LoginProfile"]["PasswordResetRequired"]
    assert iam.get_login_profile(UserName=alice)["LoginProfile"] == made["LoginProfile"]
    with refused("EntityAlreadyExists", "Login Profile for user alice already exists.", 409):
        iam.create_login_profile(UserName=alice, Password=GOOD)
    iam.update_login_profile(UserName=alice, Password=GOOD + "2", PasswordResetRequired=False)
    assert not iam.get_login_profile(UserName=alice)["LoginProfile"]["PasswordResetRequired"]
    message = "Cannot delete entity, must delete login profile first."
    with refused("DeleteConflict", message, 409):
        iam.delete_user(UserName=alice)
    iam.delete_login_profile(UserName=alice)
    with refused("NoSuchEntity", "Login Profile for User alice cannot be found.", 404):
        iam.get_login_profile(UserName=alice)


@pytest.mark.parametrize("password", ["short1A", "alllowercase", "alice"])
def test_a_weak_password_is_refused(iam, alice, password):
    with refused("PasswordPolicyViolation"):
        iam.create_login_profile(UserName=alice, Password=password)


def test_the_account_says_what_a_password_must_be(iam, own_server, alice):
    message = f"The Password Policy with domain name {own_server.account} cannot be found."
    with refused("NoSuchEntity", message, 404):
        iam.get_account_password_policy()
    iam.update_account_password_policy(
        MinimumPasswordLength=10, RequireSymbols=True, MaxPasswordAge=90, PasswordReusePrevention=2
    )
    try:
        assert iam.get_account_password_policy()["PasswordPolicy"] == {
            "MinimumPasswordLength": 10,
            "RequireSymbols": True,
            "RequireNumbers": False,
            "RequireUppercaseCharacters": False,
            "RequireLowercaseCharacters": False,
            "AllowUsersToChangePassword": False,
            "ExpirePasswords": True,
            "MaxPasswordAge": 90,
            "PasswordReusePrevention": 2,
            "HardExpiry": False,
        }
        with refused("PasswordPolicyViolation", "Password should have a minimum length of 10"):
            iam.create_login_profile(UserName=alice, Password="shorter!")
        with refused("PasswordPolicyViolation"):
            iam.create_login_profile(UserName=alice, Password="withoutsymbols")
        iam.create_login_profile(UserName=alice, Password="the-first-one!")
        with refused("PasswordPolicyViolation"):
            iam.update_login_profile(UserName=alice, Password="the-first-one!")
        iam.update_login_profile(UserName=alice, Password="the-second-one!")
        iam.update_login_profile(UserName=alice, Password="the-third-one!")
        # Two are remembered, and this is three ago.
        iam.update_login_profile(UserName=alice, Password="the-first-one!")
    finally:
        iam.delete_account_password_policy()


# --- MFA devices ----------------------------------------------------------------------------------


def test_the_life_of_a_device(iam, own_server, alice, device):
    serial_number, seed = device
    assert serial_number == f"arn:aws:iam::{own_server.account}:mfa/phone"
    assert len(base64.b32decode(seed)) == 40
    names = {"UserName": alice, "SerialNumber": serial_number}
    now = time.time()
    codes = {
        "AuthenticationCode1": code(seed, now - 30),
        "AuthenticationCode2": code(seed, now),
    }
    with refused("InvalidAuthenticationCode", status=403):
        wrong = {"AuthenticationCode1": codes["AuthenticationCode2"]}
        iam.enable_mfa_device(**names, **{**codes, **wrong})
    iam.enable_mfa_device(**names, **codes)
    (listed,) = iam.list_mfa_devices(UserName=alice)["MFADevices"]
    assert listed["SerialNumber"] == serial_number
    assert iam.get_mfa_device(**names)["UserName"] == alice
    (listed,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert listed["User"]["UserName"] == alice
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    with refused("EntityAlreadyExists", status=409):
        iam.enable_mfa_device(**names, **codes)
    # What was taken is not taken again, however far the clock may be off.
    with refused("InvalidAuthenticationCode", status=403):
        iam.resync_mfa_device(**names, **codes)
    later = {
        "AuthenticationCode1": code(seed, now + 600),
        "AuthenticationCode2": code(seed, now + 630),
    }
    iam.resync_mfa_device(**names, **later)
    with refused("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.", 409):
        iam.delete_virtual_mfa_device(SerialNumber=serial_number)
    message = "Cannot delete entity, must delete MFA device first."
    with refused("DeleteConflict", message, 409):
        iam.delete_user(UserName=alice)
    iam.update_user(UserName=alice, NewUserName="robert")
    assert len(iam.list_mfa_devices(UserName="robert")["MFADevices"]) == 1
    iam.update_user(UserName="robert", NewUserName=alice)
    iam.deactivate_mfa_device(**names)
    with refused("NoSuchEntity", "MFA Device invalid for user.", 404):
        iam.deactivate_mfa_device(**names)
    assert iam.list_mfa_devices(UserName=alice)["MFADevices"] == []


def test_a_device_comes_with_a_code_to_be_photographed(iam, own_server, device):
    iam.delete_virtual_mfa_device(SerialNumber=device[0])
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="a+b@c")["VirtualMFADevice"]
    seed = made["Base32StringSeed"].decode()
    url = f"otpauth://totp/a%2Bb%40c%40{own_server.account}?secret={seed}"
    assert made["QRCodePNG"] == qr_png(url.encode())


def test_a_name_too_long_to_be_used_later_is_refused(iam):
    with refused("ValidationError"):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="x" * 230)


def test_devices_are_named_once(iam, device):
    message = "MFADevice entity at the same path and name already exists."
    with refused("EntityAlreadyExists", message, 409):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="Phone")


def test_the_root_user_has_a_device_and_policies_ask_for_it(iam, own_server, device):
    assert iam.list_mfa_devices()["MFADevices"] == []
    serial_number, seed = device
    now = time.time()
    codes = {
        "AuthenticationCode1": code(seed, now - 60),
        "AuthenticationCode2": code(seed, now - 30),
    }
    iam.enable_mfa_device(UserName="root", SerialNumber=serial_number, **codes)
    kms, sts = own_server.client("kms"), own_server.client("sts")
    everything = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    without = {
        **everything,
        "Effect": "Deny",
        "Action": "kms:ListResourceTags",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything, without]})
    key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
    given = {"SerialNumber": serial_number, "TokenCode": code(seed, time.time())}
    sessions = [sts.get_session_token(**given), sts.get_session_token()]
    with refused("AccessDenied", status=403):
        sts.get_session_token(**given)  # a code is taken once
    for made, is_allowed in zip(sessions, (True, False), strict=True):
        secret = made["Credentials"]
        session = boto3.client(
            "kms",
            endpoint_url=own_server.url,
            region_name=own_server.region,
            aws_access_key_id=secret["AccessKeyId"],
            aws_secret_access_key=secret["SecretAccessKey"],
            aws_session_token=secret["SessionToken"],
        )
        if is_allowed:
            assert session.list_resource_tags(KeyId=key)["Tags"] == []
        else:
            with refused("AccessDeniedException"):
                session.list_resource_tags(KeyId=key)
        session.close()
    iam.deactivate_mfa_device(SerialNumber=serial_number)
    for client in (kms, sts):
        client.close()


def test_tags_of_a_device(iam, device):
    names = {"SerialNumber": device[0]}
    iam.tag_mfa_device(**names, Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_mfa_device_tags(**names)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_mfa_device(**names, TagKeys=["a"])
    assert iam.list_mfa_device_tags(**names)["Tags"] == []


def test_a_device_that_is_not_there(iam, own_server, alice):
    serial_number = f"arn:aws:iam::{own_server.account}:mfa/none"
    with refused("NoSuchEntity", status=404):
        iam.delete_virtual_mfa_device(SerialNumber=serial_number)
    with refused("NoSuchEntity", status=404):
        iam.enable_mfa_device(
            UserName=alice,
            SerialNumber=serial_number,
            AuthenticationCode1="000000",
            AuthenticationCode2="000001",
        )
