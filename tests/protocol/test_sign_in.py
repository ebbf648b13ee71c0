"""boto3 and the admin service: sign-in with password, code and token, and its records."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import serving
from serving import refused
from totp import code

GOOD, BETTER = "correct-Horse-battery-1", "another-Horse-staple-2"
ROOT = "root-Horse-battery-3"
FAILED = (
    "SignInFailedException",
    "Your authentication information is incorrect. Please try again.",
)
ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture(scope="module")
def iam(own_server):
    return own_server.client("iam")


@pytest.fixture(scope="module")
def admin(own_server):
    return own_server.client("kagimori")


@pytest.fixture(scope="module")
def stranger(own_server):
    """A client without credentials, as a console has before anybody has signed in."""
    session = boto3.session.Session(region_name=own_server.region)
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return session.client("kagimori", endpoint_url=own_server.url, config=config)


@pytest.fixture(scope="module")
def alice(iam):
    return with_password(iam, "alice")


def with_password(iam, name):
    """Make a user who may do everything; return it as IAM shows it."""
    user = iam.create_user(UserName=name)["User"]
    iam.create_login_profile(UserName=name, Password=GOOD)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [ANY]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
    return user


def as_signed_in(server, answer, service):
    given = answer["Credentials"]
    return server.client(
        service,
        access_key=given["AccessKeyId"],
        secret=given["SecretAccessKey"],
        token=given["SessionToken"],
    )


def record_of(server, answer):
    request_id = answer["ResponseMetadata"]["RequestId"]
    lines = [
        line
        for file in serving.stream(server.data).glob("*.jsonl")
        for line in file.read_text().splitlines()
        if request_id in line
    ]
    (record,) = [json.loads(line)["record"] for line in lines]
    return record


def refusal_of(client, code, **given):
    """Return the answer that refuses a sign-in with this code."""
    with pytest.raises(ClientError) as failure:
        client.sign_in(**given)
    assert failure.value.response["Error"]["Code"] == code
    return failure.value.response


def test_a_user_signs_in_and_may_what_the_user_may(own_server, stranger, iam):
    account = own_server.account
    carol = with_password(iam, "carol")
    assert "PasswordLastUsed" not in iam.get_user(UserName="carol")["User"]
    answer = stranger.sign_in(AccountId=account, UserName="carol", Password=GOOD)
    assert (answer["Arn"], answer["UserId"]) == (carol["Arn"], carol["UserId"])
    assert (answer["AccountId"], answer["MfaAuthenticated"]) == (account, False)
    left = answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert 43_100 < left <= 43_200
    assert as_signed_in(own_server, answer, "sts").get_caller_identity()["Arn"] == carol["Arn"]
    # As in AWS's console, and unlike what GetSessionToken gives without MFA.
    seen = as_signed_in(own_server, answer, "iam").get_user()["User"]
    assert abs(seen["PasswordLastUsed"].timestamp() - time.time()) < 60
    record = record_of(own_server, answer)
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": carol["UserId"],
        "arn": carol["Arn"],
        "accountId": account,
        "accessKeyId": answer["Credentials"]["AccessKeyId"],
        "userName": "carol",
    }
    assert {name: record[name] for name in record.keys() - {"userIdentity"}} == {
        "eventVersion": "1.11",
        "eventTime": record["eventTime"],
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": own_server.region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": record["userAgent"],
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {
            "LoginTo": f"{own_server.url}/",
            "MobileVersion": "No",
            "MFAUsed": "No",
        },
        "requestID": answer["ResponseMetadata"]["RequestId"],
        "eventID": record["eventID"],
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }


@pytest.mark.parametrize(
    ("members", "identity"),
    [
        ({"Password": "wrong"}, {"principalId": True, "userName": "alice"}),
        ({"UserName": "nobody"}, {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        ({"AccountId": "999999999999"}, {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        ({"AccountId": "no-such-alias"}, {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
    ],
)
def test_a_failure_shows_nothing(own_server, stranger, alice, members, identity):
    given = {"AccountId": own_server.account, "UserName": "alice", "Password": GOOD, **members}
    record = record_of(own_server, refusal_of(stranger, FAILED[0], **given))
    expected = {"type": "IAMUser", "accessKeyId": "", **identity}
    if identity.get("principalId"):
        expected["principalId"] = alice["UserId"]
    if given["AccountId"] == own_server.account:
        expected["accountId"] = own_server.account
    assert record["userIdentity"] == expected
    assert record.get("recipientAccountId") == expected.get("accountId")
    assert record["responseElements"] == {"ConsoleLogin": "Failure"}
    assert record["errorMessage"] == "Failed authentication"
    assert "errorCode" not in record
    assert given["Password"] not in json.dumps(record)


def test_look_up_events_finds_sign_ins(own_server, stranger, alice):
    trail = own_server.client("cloudtrail")
    answer = stranger.sign_in(AccountId=own_server.account, UserName="alice", Password=GOOD)

    def found(name, value):
        return [
            event
            for event in trail.lookup_events(
                LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}]
            )["Events"]
            if event["EventName"] == "ConsoleLogin"
        ]

    access_key_id = answer["Credentials"]["AccessKeyId"]
    serving.eventually(lambda: found("AccessKeyId", access_key_id))
    assert found("Username", "alice")
    assert found("EventName", "ConsoleLogin")
    assert found("EventSource", "signin.amazonaws.com")


def test_with_a_device_a_code_is_asked_for_and_taken_once(own_server, stranger, iam, alice):
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    other = iam.create_virtual_mfa_device(VirtualMFADeviceName="tablet")["VirtualMFADevice"]
    now = time.time()
    for device in (made, other):
        seed = device["Base32StringSeed"].decode()
        iam.enable_mfa_device(
            UserName="alice",
            SerialNumber=device["SerialNumber"],
            AuthenticationCode1=code(seed, now - 120),
            AuthenticationCode2=code(seed, now - 90),
        )
    given = {"AccountId": own_server.account, "UserName": "alice", "Password": GOOD}
    record = record_of(own_server, refusal_of(stranger, "MfaRequiredException", **given))
    assert record["eventName"] == "CheckMfa"
    assert record["responseElements"] == {"CheckMfa": "Success"}
    assert record["additionalEventData"] == {"MfaType": "Virtual MFA device"}
    with refused(*FAILED):
        stranger.sign_in(**{**given, "Password": "wrong"})
    # Two codes that can be none of these devices' at this moment would be luck; one is tried.
    right = code(other["Base32StringSeed"].decode(), time.time() - 60)
    answer = stranger.sign_in(**given, MfaCode=right)
    assert answer["MfaAuthenticated"]
    assert record_of(own_server, answer)["additionalEventData"]["MFAUsed"] == "Yes"
    with refused(*FAILED):
        stranger.sign_in(**given, MfaCode=right)
    for device in (made, other):
        iam.deactivate_mfa_device(UserName="alice", SerialNumber=device["SerialNumber"])
        iam.delete_virtual_mfa_device(SerialNumber=device["SerialNumber"])


def test_a_password_that_is_due_is_changed_on_the_way_in(own_server, stranger, iam):
    iam.create_user(UserName="bob")
    iam.create_login_profile(UserName="bob", Password=GOOD, PasswordResetRequired=True)
    given = {"AccountId": own_server.account, "UserName": "bob", "Password": GOOD}
    with refused("PasswordChangeRequiredException"):
        stranger.sign_in(**given)
    with refused(*FAILED):
        stranger.sign_in(**{**given, "Password": "wrong"}, NewPassword=BETTER)
    with refused("PasswordPolicyViolation", "Password should have a minimum length of 8"):
        stranger.sign_in(**given, NewPassword="short")
    with refused("PasswordPolicyViolation"):
        stranger.sign_in(**given, NewPassword=GOOD)
    answer = stranger.sign_in(**given, NewPassword=BETTER)
    assert record_of(own_server, answer)["additionalEventData"]["PasswordChanged"] == "Yes"
    assert not iam.get_login_profile(UserName="bob")["LoginProfile"]["PasswordResetRequired"]
    with refused(*FAILED):
        stranger.sign_in(**given)
    with refused("ValidationException"):
        stranger.sign_in(**{**given, "Password": BETTER}, NewPassword=GOOD)
    assert stranger.sign_in(**{**given, "Password": BETTER})["Arn"].endswith(":user/bob")


def test_the_root_user_has_a_password_and_an_alias_names_the_account(
    own_server, stranger, iam, admin
):
    account = own_server.account
    with refused(*FAILED):
        stranger.sign_in(AccountId=account, Password=ROOT)
    with refused("PasswordPolicyViolation"):
        admin.set_root_password(Password="password")
    admin.set_root_password(Password=ROOT)
    iam.create_account_alias(AccountAlias="kagimori-example")
    answer = stranger.sign_in(AccountId="kagimori-example", Password=ROOT, DurationSeconds=900)
    root = f"arn:aws:iam::{account}:root"
    assert (answer["Arn"], answer["UserId"], answer["AccountId"]) == (root, account, account)
    assert as_signed_in(own_server, answer, "sts").get_caller_identity()["Arn"] == root
    assert record_of(own_server, answer)["userIdentity"] == {
        "type": "Root",
        "principalId": account,
        "arn": root,
        "accountId": account,
        "accessKeyId": answer["Credentials"]["AccessKeyId"],
    }
    assert iam.get_account_summary()["SummaryMap"]["AccountPasswordPresent"] == 1


def test_a_token_signs_in_once(own_server, stranger, admin):
    made = admin.create_sign_in_token()
    assert 0 < made["Expiration"].timestamp() - time.time() <= 600
    token = made["SignInToken"]
    answer = stranger.sign_in(SignInToken=token)
    assert answer["Arn"] == f"arn:aws:iam::{own_server.account}:root"
    for spent in (token, token[:-4] + "AAAA", "x"):
        with refused(*FAILED):
            stranger.sign_in(SignInToken=spent)
    with refused("AccessDeniedException"):
        as_signed_in(own_server, answer, "kagimori").create_sign_in_token()
    everything = b"".join(file.read_bytes() for file in own_server.data.rglob("*.db*"))
    assert token.encode() not in everything


def test_sign_out_ends_every_session(own_server, stranger, admin, alice):
    given = {"AccountId": own_server.account, "UserName": "alice", "Password": GOOD}
    first = stranger.sign_in(**given)
    as_signed_in(own_server, first, "kagimori").sign_out_everywhere()
    with refused("UnrecognizedClientException"):
        as_signed_in(own_server, first, "kms").list_keys()
    second = stranger.sign_in(**given)
    as_signed_in(own_server, second, "kms").list_keys()
    admin.sign_out_everywhere(UserName="alice")
    with refused("UnrecognizedClientException"):
        as_signed_in(own_server, second, "kms").list_keys()
    with refused("ResourceNotFoundException"):
        admin.sign_out_everywhere(UserName="nobody")


def test_everything_that_the_hsm_made_stands_in_the_trail(own_server, alice):
    verified = serving.run("audit", "verify", "--data", own_server.data)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_two_at_once_with_one_token_sign_in_once(own_server, stranger, admin):
    token = admin.create_sign_in_token()["SignInToken"]

    def attempt(_):
        try:
            return stranger.sign_in(SignInToken=token)["AccountId"]
        except ClientError as refusal:
            return refusal.response["Error"]["Code"]

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(attempt, range(4)))
    assert answers == [own_server.account, *["SignInFailedException"] * 3]


def test_the_command_prints_a_link_that_signs_in(own_server, stranger):
    link = serving.run(
        "sign-in-link", "--console", "http://localhost:8568/", "--data", own_server.data, check=True
    ).stdout.strip()
    address, _, token = link.partition("#token=")
    assert address == "http://localhost:8568/sign-in"
    assert stranger.sign_in(SignInToken=token)["AccountId"] == own_server.account
    for wrong in ("localhost", "javascript:alert(1)", "http://x/#y"):
        refused_link = serving.run("sign-in-link", "--console", wrong, "--data", own_server.data)
        assert refused_link.returncode == 2
        assert len(refused_link.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"Password": "x" * 129},
        {"Password": ""},
        {"UserName": "a b"},
        {"UserName": "../../x"},
        {"UserName": "x" * 65},
        {"AccountId": "' OR 1=1"},
        {"MfaCode": "12345"},
        {"MfaCode": "\N{ARABIC-INDIC DIGIT ONE}" * 6},
        {"DurationSeconds": 899},
        {"DurationSeconds": 43_201},
        {"SignInToken": "t"},
    ],
)
def test_hostile_members_are_refused_without_what_is_secret(own_server, members):
    given = {"AccountId": own_server.account, "UserName": "alice", "Password": "S3cret-words"}
    body = json.dumps({**given, **members}).encode()
    answer = sent(own_server, body)
    assert answer["__type"] == "ValidationException", answer
    assert "S3cret-words" not in json.dumps(answer)
    assert members.get("Password", "S3cret-words") == "" or "x" * 129 not in json.dumps(answer)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"Password": 1}', b'{"Password": "\\ud800"}', b"\xff" * 100]
)
def test_a_body_that_is_none_is_refused(own_server, body):
    assert sent(own_server, body)["__type"] in ("SerializationException", "ValidationException")


def sent(server, body):
    """Return the members of the answer to a SignIn that is sent as it is, without a signature."""
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "Kagimori_20261101.SignIn",
    }
    request = urllib.request.Request(server.url, body, headers)
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(request, timeout=20)
    assert failure.value.code == 400
    return json.loads(failure.value.read())
