"""The admin service on the wire: its operators, what others are told, and what nobody is."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointResolutionError

import serving
from answers import misfits_of
from kagimori.front.shapes import describe
from kit.people import listed, signature
from serving import eventually, refused, run

ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def admin(server, access_key=None, secret=None):
    """Return a boto3 client of the admin service; each answer is held to the service model."""
    client = server.client("kagimori", access_key=access_key, secret=secret)
    client.meta.events.register("before-parse.kagimori", hold_to_model)
    return client


def hold_to_model(operation_model, response_dict, **_):
    if response_dict["status_code"] == 200:
        answer = json.loads(response_dict["body"] or b"{}")
        assert misfits_of("kagimori", operation_model.name, answer) == []


@contextmanager
def refusal(code):
    """Expect an error answer with this code; yield what was raised."""
    with pytest.raises(ClientError) as told:
        yield told
    assert told.value.response["Error"]["Code"] == code, told.value


class Account:
    """A further account, with its root user's clients."""

    def __init__(self, server):
        self.server = server
        done = run("account", "create", "--data", server.data, "--output", "json", check=True)
        made = json.loads(done.stdout)
        self.id, self.credentials = (
            made["account_id"],
            (
                made["access_key_id"],
                made["secret_access_key"],
            ),
        )
        self.admin = admin(server, *self.credentials)

    def client(self, service="kms"):
        access_key, secret = self.credentials
        return self.server.client(service, access_key=access_key, secret=secret)

    def user(self, name, policy=None):
        """Make a user; return its access key id and secret."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if policy is not None:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture(scope="module")
def server():
    with serving.served(
        *("--digest-minutes", "0.01"), *("--set", "approvals.refusal_hours=0")
    ) as made:
        yield made


@pytest.fixture(scope="module")
def alice(server):
    return Account(server)


@pytest.fixture(scope="module")
def mallory(server):
    """Another account, whose root user wants to know what is alice's."""
    return Account(server)


@pytest.fixture(scope="module")
def key(alice):
    """A key of alice's that was used, and of whose use a user was denied."""
    kms = alice.client()
    made = kms.create_key(Description="alice's")["KeyMetadata"]
    kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x")
    kms.create_alias(AliasName="alias/hers", TargetKeyId=made["KeyId"])
    return made


@pytest.fixture(scope="module")
def denial(server, alice, key):
    """The request id of a denial within alice's account."""
    access_key, secret = alice.user("bob")
    kms = server.client(access_key=access_key, secret=secret)
    with refusal("AccessDeniedException") as told:
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    request_id = told.value.response["ResponseMetadata"]["RequestId"]
    eventually(lambda: knows(alice, request_id))
    return request_id


def knows(account, request_id):
    try:
        account.admin.get_denial(RequestId=request_id)
    except account.admin.exceptions.ResourceNotFoundException:
        return False
    return True


def test_botocore_finds_the_model_where_the_command_says():
    found = run("model-path", check=True).stdout.strip()
    assert json.loads((Path(found) / "kagimori/2026-11-01/service-2.json").read_text())
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(found)
    assert "kagimori" in session.get_available_services()
    client = session.create_client(
        "kagimori", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with pytest.raises(EndpointResolutionError, match="AWS_ENDPOINT_URL"):
        client.get_status()


def test_the_aws_cli_speaks_to_it(server, tmp_path):
    asked = {"MaxResults": 5}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("aws"), "kagimori", "list-accounts"),
            *("--cli-input-json", f"file://{tmp_path / 'asked.json'}", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        env={**server.environment(), "AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]},
    )
    assert server.account in done.stdout, done.stderr


# --- operators ------------------------------------------------------------------------------------

OPERATORS_ALONE = {
    "CreateAccount": {},
    "CreateBackupKey": {"BackupId": "00000000-0000-4000-8000-000000000000"},
    "CreateServiceKey": {"Service": "s3"},
    "DeleteServiceKey": {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"},
    "GetAuditStatus": {},
    "GetMetricsSummary": {},
    "GetDomainStatus": {},
    "GetStatus": {},
    "GetHsmStatus": {},
    "ListAccounts": {},
    "ListServiceKeys": {},
    "RewrapTokens": {},
    "RotateDomainKey": {},
    "AddOperators": {"Operators": listed("alice"), "Quorum": 1},
    "DestroyDomainKeys": {"DomainKeyIds": ["00" * 8]},
    "ExecuteApproval": {"RequestId": "00"},
    "GetApproval": {"RequestId": "00"},
    "ListApprovals": {},
    "ListNodes": {},
    "ListOperators": {},
    "RemoveNode": {"NodeId": "aaaaaaaaaa"},
    "RefuseApproval": {"RequestId": "00", "OperatorName": "alice", "Signature": "00" * 64},
    "RequestApproval": {"Action": "ZeroizeHsm", "Reason": "r"},
    "SignApproval": {"RequestId": "00", "OperatorName": "alice", "Signature": "00" * 64},
    "ZeroizeHsm": {},
    "SetQuota": {"AccountId": "111122223333", "GroupName": "Changes"},
}


def test_every_operation_is_sorted():
    for_all = {
        *("GetDenial", "GetUsage", "ListQuotas", "ProveKeyUnused", "ReplayQuotas"),
        *("GetKeyGuard", "SearchEvents", "SearchKeys", "SetKeyGuard", "TestKeyPolicy"),
        *("CreateSignInToken", "SetRootPassword", "SignIn", "SignOutEverywhere"),
        *("CheckKeyPolicy",),
    }
    assert set(OPERATORS_ALONE) | for_all == set(describe("kagimori").operations)


@pytest.mark.parametrize("operation", OPERATORS_ALONE)
def test_what_spans_accounts_is_for_operators_alone(alice, operation):
    method = boto3_name(alice.admin, operation)
    with refusal("AccessDeniedException") as told:
        getattr(alice.admin, method)(**OPERATORS_ALONE[operation])
    said = told.value.response["Error"]["Message"]
    assert "is for the account that operates this deployment" in said


@pytest.mark.parametrize("operation", OPERATORS_ALONE)
def test_an_operator_needs_permission(server, operation):
    iam = server.client("iam")
    name = f"no-{operation}"
    iam.create_user(UserName=name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": f"kagimori:{operation}", "Resource": "*"},
        ],
    }
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    client = admin(server, made["AccessKeyId"], made["SecretAccessKey"])
    with refusal("AccessDeniedException") as told:
        getattr(client, boto3_name(client, operation))(**OPERATORS_ALONE[operation])
    assert "explicit deny" in told.value.response["Error"]["Message"]


def boto3_name(client, operation):
    names = client.meta.method_to_api_mapping
    return next(method for method, name in names.items() if name == operation)


def test_an_identity_of_the_operators_account_is_an_operator(server, alice):
    iam = server.client("iam")
    iam.create_user(UserName="olga")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kagimori:List*", "Resource": "*"}],
    }
    iam.put_user_policy(UserName="olga", PolicyName="p", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName="olga")["AccessKey"]
    olga = admin(server, made["AccessKeyId"], made["SecretAccessKey"])
    found = {one["AccountId"]: one["IsOperator"] for one in olga.list_accounts()["Accounts"]}
    assert found[server.account] is True
    assert found[alice.id] is False
    with refused("AccessDeniedException"):
        olga.get_status()


# --- accounts and service keys --------------------------------------------------------------------


def test_accounts_come_in_pages(server, alice, mallory):
    pages = admin(server).get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1})
    found = [one["AccountId"] for page in pages for one in page["Accounts"]]
    assert found == sorted(found)
    assert {server.account, alice.id, mallory.id} <= set(found)
    assert all(len(page["Accounts"]) <= 1 for page in pages)


def test_service_keys_are_listed_and_taken_away(server):
    client = admin(server)
    done = run("service", "create", "rds", "--data", server.data, "--output", "json", check=True)
    made = json.loads(done.stdout)
    listed = {one["AccessKeyId"]: one for one in client.list_service_keys()["ServiceKeys"]}
    key = listed[made["access_key_id"]]
    assert key["ServicePrincipal"] == "rds.amazonaws.com"
    assert made["secret_access_key"] not in json.dumps(listed, default=str)
    service = admin(server, made["access_key_id"], made["secret_access_key"])
    with refused("AccessDeniedException"):
        service.list_accounts()
    client.delete_service_key(AccessKeyId=key["AccessKeyId"])
    with refused("UnrecognizedClientException"):
        service.list_accounts()
    with refused("ResourceNotFoundException"):
        client.delete_service_key(AccessKeyId=key["AccessKeyId"])


def test_an_operator_makes_an_account_and_its_root_user(server):
    made = admin(server).create_account()
    account, key = made["Account"]["AccountId"], made["AccessKey"]
    assert made["Account"]["IsOperator"] is False
    credentials = {"access_key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    who = server.client("sts", **credentials).get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{account}:root"
    assert server.client(**credentials).list_keys()["Keys"] == []
    with refused("AccessDeniedException"):
        server.client("kagimori", **credentials).create_account()
    found = events_of(admin(server), EventName="CreateAccount", AccountId=server.account)
    event = [one for one in found if "ErrorCode" not in one][-1]
    record = json.loads(event["CloudTrailEvent"])
    assert record["responseElements"]["accessKey"] == {"accessKeyId": key["AccessKeyId"]}
    assert record["responseElements"]["account"]["accountId"] == account
    assert key["SecretAccessKey"] not in event["CloudTrailEvent"]
    assert serving.run("audit", "verify", "--data", server.data).returncode == 0


def test_an_operator_makes_a_service_that_acts_for_callers(server):
    made = admin(server).create_service_key(Service="s3")
    key = made["AccessKey"]
    assert made["ServiceKey"]["ServicePrincipal"] == "s3.amazonaws.com"
    assert made["ServiceKey"]["AccessKeyId"] == key["AccessKeyId"]
    service = admin(server, key["AccessKeyId"], key["SecretAccessKey"])
    with refusal("AccessDeniedException") as told:
        service.create_account()
    assert "services cannot use" in told.value.response["Error"]["Message"]
    events = events_of(admin(server), EventName="CreateServiceKey")
    record = json.loads(events[-1]["CloudTrailEvent"])
    assert record["requestParameters"] == {"service": "s3"}
    assert key["SecretAccessKey"] not in events[-1]["CloudTrailEvent"]
    assert serving.run("audit", "verify", "--data", server.data).returncode == 0


@pytest.mark.parametrize("name", ["S3", "3s", "s3.amazonaws.com", "s" * 64, "s3\n", "ſ3"])
def test_a_service_has_a_name_as_in_signatures(server, name):
    with refused("ValidationException"):
        admin(server).create_service_key(Service=name)


def test_only_a_services_key_is_taken_away(server):
    with refused("ResourceNotFoundException"):
        admin(server).delete_service_key(AccessKeyId=server.made["access_key_id"])
    assert admin(server).list_accounts()["Accounts"]


def test_every_answer_is_as_the_model_says(server, alice, key, denial):
    """Each operation succeeds once here, and `hold_to_model` walks its answer."""
    client, answered = admin(server), set()
    client.meta.events.register(
        "after-call.kagimori", lambda model, **_: answered.add(model.name), unique_id="answered"
    )
    client.create_account()
    made = client.create_service_key(Service="ec2")
    client.list_accounts()
    client.list_service_keys()
    client.delete_service_key(AccessKeyId=made["AccessKey"]["AccessKeyId"])
    client.get_denial(RequestId=denial, IncludeEncodedMessage=True)
    client.search_events(KeyId=key["Arn"])
    client.search_events(StartAtEnd=True)
    client.prove_key_unused(KeyId=key["Arn"], Since=0)
    policy = alice.client().get_key_policy(KeyId=key["Arn"])["Policy"]
    client.test_key_policy(KeyId=key["Arn"], Policy=policy)
    client.get_status()
    client.get_metrics_summary()
    client.get_hsm_status()
    client.get_audit_status()
    client.rotate_domain_key()
    client.rewrap_tokens()
    domains = client.get_domain_status()["Domains"]
    old = [one["DomainKeyId"] for each in domains for one in each["Keys"] if "RetiredAt" in one]
    client.destroy_domain_keys(DomainKeyIds=old[:1])
    client.create_backup_key(BackupId="12345678-90ab-4def-8234-567890abcdef")
    group = client.list_quotas()["Quotas"][0]["GroupName"]
    client.set_quota(AccountId=alice.id, GroupName=group, Value=1000.0)
    client.get_usage(GroupBy="KEY")
    client.replay_quotas()
    client.set_key_guard(Days=30)
    client.get_key_guard()
    client.set_key_guard()
    decide(client, key["Arn"], policy)
    client.list_nodes()
    client.search_keys()
    client.check_key_policy(Policy=policy)
    token = client.create_sign_in_token()["SignInToken"]
    client.sign_in(SignInToken=token)
    client.set_root_password(Password="root-Horse-battery-3")
    client.sign_out_everywhere()
    # Nothing is answered after the one; the other needs a second node (test_nodes.py).
    assert answered == set(describe("kagimori").operations) - {"ZeroizeHsm", "RemoveNode"}


def decide(client, arn, policy):
    """An operator approves one request, and refuses another."""
    client.add_operators(Operators=listed("alice"), Quorum=1)
    assert client.list_operators()["Quorum"] == 1
    made = [
        client.request_approval(Action="ReplaceKeyPolicy", Reason="r", KeyId=arn, Policy=policy)
        for _ in range(2)
    ]
    for one, operation in zip(made, ("sign_approval", "refuse_approval"), strict=True):
        request_id = one["Approval"]["RequestId"]
        shown = client.get_approval(RequestId=request_id)["Approval"]
        decision = "approve" if operation == "sign_approval" else "refuse"
        signed = signature(shown, "alice", decision)
        call = getattr(client, operation)
        call(RequestId=request_id, OperatorName="alice", Signature=signed)
    client.execute_approval(RequestId=made[0]["Approval"]["RequestId"])
    states = {one["State"] for one in client.list_approvals()["Approvals"]}
    assert states == {"EXECUTED", "REFUSED"}


def test_how_a_grant_fell_short_is_told_as_the_model_says(server, alice, key):
    access_key, secret = alice.user("gus")
    alice.client().create_grant(
        KeyId=key["KeyId"],
        GranteePrincipal=f"arn:aws:iam::{alice.id}:user/gus",
        Operations=["Encrypt"],
        Constraints={"EncryptionContextSubset": {"Dept": "IT"}},
    )
    kms = server.client(access_key=access_key, secret=secret)
    with refusal("AccessDeniedException") as told:
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"Dept": "HR"})
    request_id = told.value.response["ResponseMetadata"]["RequestId"]
    eventually(lambda: knows(alice, request_id))
    (grant,) = alice.admin.get_denial(RequestId=request_id)["Denial"]["Grants"]
    assert grant["Shortfalls"] == [
        {"What": "EncryptionContextSubset", "Written": ["Dept=IT"], "Request": ["Dept=HR"]}
    ]


# --- denials --------------------------------------------------------------------------------------


def test_an_account_is_told_why_its_own_were_denied(alice, denial):
    found = alice.admin.get_denial(RequestId=denial, IncludeEncodedMessage=True)
    told = found["Denial"]
    assert told["Action"] == "kms:Encrypt"
    assert told["Caller"].endswith(":user/bob")
    assert told["Suggestion"]
    assert told["Policies"]
    sts = alice.client("sts")
    decoded = sts.decode_authorization_message(EncodedMessage=found["EncodedMessage"])
    assert json.loads(decoded["DecodedMessage"])["context"]["action"] == "kms:Encrypt"


def test_operators_are_told_of_all_denials(server, denial):
    assert admin(server).get_denial(RequestId=denial)["Denial"]["RequestId"] == denial


def test_a_foreign_denial_looks_like_none_at_all(mallory, denial):
    answers = []
    for request_id in (denial, denial[:-1] + ("0" if denial[-1] != "0" else "1")):
        with refusal("ResourceNotFoundException") as told:
            mallory.admin.get_denial(RequestId=request_id)
        message = told.value.response["Error"]["Message"]
        answers.append(message.replace(request_id, "ID"))
    assert answers[0] == answers[1]


def test_across_accounts_each_is_told_its_own_side(server, alice, mallory, key):
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "mallorys", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
    access_key, secret = mallory.user("trent", policy)
    kms = server.client(access_key=access_key, secret=secret)
    with refusal("AccessDeniedException") as told:
        kms.encrypt(KeyId=key["Arn"], Plaintext=b"x")
    request_id = told.value.response["ResponseMetadata"]["RequestId"]
    eventually(lambda: knows(mallory, request_id))
    callers = mallory.admin.get_denial(RequestId=request_id)["Denial"]
    owners = alice.admin.get_denial(RequestId=request_id)["Denial"]
    assert [one["Policy"] for one in owners["Policies"]] == ["key policy"]
    assert [one["Policy"] for one in callers["Policies"]] == ["identity policy p"]
    assert "mallorys" not in json.dumps(owners, default=str)
    for told in (owners, callers):
        assert not told.get("Suggestion")
        assert not told.get("Conditions")
    whole = admin(server).get_denial(RequestId=request_id)["Denial"]
    assert len(whole["Policies"]) == 2


# --- events ---------------------------------------------------------------------------------------


def events_of(client, **wanted):
    pages = client.get_paginator("search_events").paginate(**wanted)
    return [event for page in pages for event in page["Events"]]


def test_an_account_sees_its_own_events_and_operators_those_of_all(server, alice, mallory, key):
    own = events_of(alice.admin)
    assert {event["AccountId"] for event in own} == {alice.id}
    assert "CreateKey" in {event["EventName"] for event in own}
    mallory.client().list_keys()
    assert {event["AccountId"] for event in events_of(mallory.admin)} == {mallory.id}
    every = events_of(admin(server))
    assert {server.account, alice.id} <= {event.get("AccountId") for event in every}
    of_alice = events_of(admin(server), AccountId=alice.id)
    assert {event["AccountId"] for event in of_alice} == {alice.id}


def test_events_come_in_order_and_in_pages(alice, key):
    times = [event["EventTime"] for event in events_of(alice.admin)]
    assert times == sorted(times)
    forwards = [
        event["EventId"] for event in events_of(alice.admin, EventName="CreateKey", MaxResults=1)
    ]
    backwards = [
        event["EventId"]
        for event in events_of(
            alice.admin, EventName="CreateKey", Order="NEWEST_FIRST", MaxResults=1
        )
    ]
    assert forwards
    assert forwards == backwards[::-1]


def test_events_are_found_by_key_caller_and_failure(alice, key, denial):
    found = events_of(alice.admin, KeyId=key["KeyId"])
    assert {"CreateKey", "Encrypt"} <= {event["EventName"] for event in found}
    assert {event["Username"] for event in events_of(alice.admin, Caller="bob")} == {"bob"}
    failed = events_of(alice.admin, FailedOnly=True, Caller="bob")
    assert {event["ErrorCode"] for event in failed} == {"AccessDenied"}
    record = json.loads(failed[0]["CloudTrailEvent"])
    assert record["eventName"] == "Encrypt"


def test_from_a_position_on_only_new_events_are_found(alice, key):
    token = alice.admin.search_events(StartAtEnd=True, EventName="ListGrants")["PositionToken"]
    alice.client().list_grants(KeyId=key["KeyId"])
    (event,) = alice.admin.search_events(NextToken=token, EventName="ListGrants")["Events"]
    assert event["EventName"] == "ListGrants"


@pytest.mark.parametrize(
    "wanted",
    [
        {"AccountId": "ALICE"},
        {"AccountId": "999999999999"},
    ],
)
def test_a_foreign_trail_cannot_be_searched(alice, mallory, wanted):
    wanted = {name: alice.id if value == "ALICE" else value for name, value in wanted.items()}
    with refusal("AccessDeniedException") as told:
        mallory.admin.search_events(**wanted)
    assert "another account" in told.value.response["Error"]["Message"]


def test_a_foreign_token_is_no_token(server, alice, mallory, key):
    page = alice.admin.search_events(MaxResults=1)
    for client in (mallory.admin, admin(server)):
        with refused("InvalidNextTokenException"):
            client.search_events(MaxResults=1, NextToken=page["NextToken"])
    with refused("InvalidNextTokenException"):
        alice.admin.search_events(NextToken="bm90IG9uZQ==")


def test_a_shared_event_does_not_say_who_used_the_key(server, alice, mallory):
    kms = alice.client()
    policy = json.loads(
        kms.get_key_policy(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])["Policy"]
    )
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": mallory.id},
            "Action": "kms:Encrypt",
            "Resource": "*",
        }
    )
    shared = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    access_key, secret = mallory.user("victor", ALL)
    server.client(access_key=access_key, secret=secret).encrypt(KeyId=shared, Plaintext=b"x")
    (event,) = events_of(alice.admin, KeyId=shared, EventName="Encrypt")
    assert "victor" not in json.dumps(event, default=str)
    assert event["AccountId"] == alice.id
    assert events_of(alice.admin, Caller="victor") == []
    assert events_of(alice.admin, Caller=access_key) == []


# --- keys: proofs and policies --------------------------------------------------------------------


def test_a_key_is_proven_used_and_another_unused(alice, key):
    fresh = alice.client().create_key()["KeyMetadata"]["KeyId"]
    asked = time.time()
    since = asked - 3600

    def is_signed():
        """A digest that was made before the key was used proves nothing of its use."""
        proof = alice.admin.prove_key_unused(KeyId=fresh, Since=since)
        return proof["Verdict"] == "UNUSED" and proof["Until"].timestamp() > asked + 1

    eventually(is_signed, seconds=20)
    used = alice.admin.prove_key_unused(KeyId=key["Arn"], Since=since)
    assert used["Verdict"] == "USED"
    assert {one["EventName"]: one["Records"] for one in used["Counts"]}["Encrypt"] >= 1


def test_a_policy_is_tried_on_what_was_recorded(alice, key):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{alice.id}:root"},
                "Action": ["kms:Put*", "kms:Describe*"],
                "Resource": "*",
            }
        ],
    }
    for name in (key["KeyId"], key["Arn"], "alias/hers"):
        found = alice.admin.test_key_policy(KeyId=name, Policy=json.dumps(policy))
        assert found["KeyArn"] == key["Arn"]
        failing = {group["Action"]: group["Count"] for group in found["NewlyFailing"]}
        assert failing["kms:Encrypt"] == 1
    before = alice.client().get_key_policy(KeyId=key["KeyId"])["Policy"]
    assert "kms:Put*" not in before


def test_a_policy_that_could_not_be_set_is_refused(alice, key):
    for text in ("{", '{"Version": "2012-10-17"}'):
        with refused("MalformedPolicyDocumentException"):
            alice.admin.test_key_policy(KeyId=key["KeyId"], Policy=text)


ASKS = {
    "prove_key_unused": {"Since": 0},
    "test_key_policy": {"Policy": json.dumps(ALL)},
}


@pytest.mark.parametrize("method", ASKS)
def test_a_foreign_key_and_one_that_is_none_are_refused_alike(alice, mallory, key, method):
    """Also where the caller's own policies allow everything."""
    missing = f"arn:aws:kms:us-east-1:{alice.id}:key/00000000-0000-0000-0000-000000000000"
    answers = []
    for arn in (key["Arn"], missing):
        with refusal("AccessDeniedException") as told:
            getattr(mallory.admin, method)(KeyId=arn, **ASKS[method])
        answers.append(told.value.response["Error"]["Message"])
    assert answers[0] == answers[1]
    if method == "test_key_policy":
        alias = key["Arn"].partition(":key/")[0] + ":alias/hers"
        with refused("AccessDeniedException"):
            mallory.admin.test_key_policy(KeyId=alias, **ASKS[method])


@pytest.mark.parametrize("method", ASKS)
def test_a_foreign_keys_id_alone_is_ones_own(alice, mallory, key, method):
    if method == "test_key_policy":
        with refused("NotFoundException"):
            mallory.admin.test_key_policy(KeyId=key["KeyId"], **ASKS[method])
        return
    found = mallory.admin.prove_key_unused(KeyId=key["KeyId"], Since=0)
    assert found["Counts"] == []


def test_of_callers_of_other_accounts_an_owner_is_told_little(server, alice, mallory):
    kms = alice.client()
    made = kms.create_key()["KeyMetadata"]
    policy = json.loads(kms.get_key_policy(KeyId=made["KeyId"])["Policy"])
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": mallory.id}, "Action": "kms:*", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=made["KeyId"], Policy=json.dumps(policy))
    access_key, secret = mallory.user("walter", ALL)
    server.client(access_key=access_key, secret=secret).encrypt(KeyId=made["Arn"], Plaintext=b"x")
    policy["Statement"].pop()
    found = alice.admin.test_key_policy(KeyId=made["Arn"], Policy=json.dumps(policy))
    assert "walter" not in json.dumps(found, default=str)
    (group,) = found["Uncertain"]
    assert group["Caller"] == mallory.id
    whole = admin(server).test_key_policy(KeyId=made["Arn"], Policy=json.dumps(policy))
    (group,) = whole["NewlyFailing"]
    assert group["Caller"].endswith(":user/walter")


# --- status, and the records of all this ----------------------------------------------------------


def test_the_server_tells_how_it_is(server):
    found = admin(server).get_status()
    assert found["Status"] == "ready"
    assert found["OperatorAccountId"] == server.account
    assert found["Regions"] == [server.region]
    counted = admin(server).get_metrics_summary()
    assert "GetStatus" in {one["Operation"] for one in counted["Requests"]}
    assert "whole" in {one["Stage"] for one in counted["Stages"]}
    module = admin(server).get_hsm_status()
    assert module["State"] == "OPERATIONAL"
    assert "Reason" not in module
    assert len(module["SelfTests"]) > 10
    trail = admin(server).get_audit_status()
    assert {serving.stream(server.data, "admin").name} <= {one["Name"] for one in trail["Streams"]}


def test_what_is_asked_is_recorded(server, alice, mallory):
    client = admin(server)
    client.get_status()
    record = json.loads(events_of(client, EventName="GetStatus")[-1]["CloudTrailEvent"])
    assert record["eventSource"] == "kagimori.amazonaws.com"
    assert record["readOnly"] is True
    with refused("AccessDeniedException"):
        mallory.admin.search_events(AccountId=alice.id)
    record = json.loads(
        events_of(client, EventName="SearchEvents", FailedOnly=True)[-1]["CloudTrailEvent"]
    )
    assert record["requestParameters"] == {"accountId": alice.id}


def test_bad_input_is_refused_as_aws_refuses_it(server):
    client = admin(server)
    with refused("ValidationException"):
        client.search_events(MaxResults=1001)
    with refused("ValidationException"):
        client.delete_service_key(AccessKeyId="no access key at all")
    with refused("InvalidNextTokenException"):
        client.list_accounts(NextToken="x")


def test_keys_are_found_by_their_properties_page_by_page(alice, mallory, key):
    kms = alice.client()
    tagged = kms.create_key(Tags=[{"TagKey": "team", "TagValue": "search"}])["KeyMetadata"]
    for number in range(3):
        kms.create_alias(AliasName=f"alias/search-{number}", TargetKeyId=tagged["KeyId"])
    (found,) = alice.admin.search_keys(Alias="HERS")["Keys"]
    assert (found["Arn"], found["Aliases"]) == (key["Arn"], ["alias/hers"])
    pages = alice.admin.get_paginator("search_keys").paginate(
        KeyManager="CUSTOMER", TagKey="team", TagValue="search", MaxResults=1
    )
    assert [one for page in pages for one in page["Keys"]] == [
        alice.admin.search_keys(Alias="search-")["Keys"][0]
    ]
    everything = alice.admin.search_keys(MaxResults=1000)["Keys"]
    assert {one["KeyId"] for one in everything} == {
        one["KeyId"] for one in kms.list_keys(Limit=1000)["Keys"]
    }
    assert mallory.admin.search_keys(Alias="hers")["Keys"] == []
    with refusal("InvalidNextTokenException"):
        alice.admin.search_keys(NextToken="e30=")
