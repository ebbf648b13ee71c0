"""A gateway acts for callers who signed a request for its service. Reference: 9.5, 16, 20."""

import json
import uuid

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError

import serving
from kagimori.rules.sigv4.forwarded import shown
from serving import refused

USED = "The forwarded request has been used already."


class S3Gateway:
    """What a gateway does: it takes a request signed for S3, and shows it when it asks for keys."""

    def __init__(self, server, service="s3"):
        made = serving.run(
            "service", "create", service, "--data", server.data, "--output", "json", check=True
        )
        self.made = json.loads(made.stdout)
        self.server = server

    def client(self, forwarded=None, *, of="kms", unsigned=None, **headers):
        client = boto3.client(
            of,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=self.made["access_key_id"],
            aws_secret_access_key=self.made["secret_access_key"],
        )
        if forwarded is not None:
            headers["x-kagimori-forwarded-request"] = forwarded

        def add(request, **_):
            for name, value in headers.items():
                request.headers[name] = value

        def add_late(request, **_):
            request.headers["x-kagimori-forwarded-request"] = unsigned

        client.meta.events.register(f"before-sign.{of}", add)
        if unsigned is not None:
            client.meta.events.register(f"before-send.{of}", add_late)
        return client


class Showing(botocore.auth.SigV4Auth):
    """Keeps the canonical request that it signs."""

    def canonical_request(self, request):
        self.shown = super().canonical_request(request)
        return self.shown


def signed_for(credentials, service="s3", region="us-east-1"):
    """Return what a gateway has of a request that a client signed for it."""
    request = botocore.awsrequest.AWSRequest(  # no two alike, or the second would be a replay
        "PUT",
        f"https://bucket.example/{uuid.uuid4()}",
        headers={"host": "bucket.example"},
        data=b"hello",
    )
    signer = Showing(credentials, service, region)
    signer.add_auth(request)
    date = request.context["timestamp"]
    return request.headers["Authorization"], date, signer.shown, credentials.token


def user_with(server, name):
    iam = server.client("iam")
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    iam.close()
    return botocore.credentials.Credentials(made["AccessKeyId"], made["SecretAccessKey"])


@pytest.fixture(scope="module")
def gateway(server):
    return S3Gateway(server)


@pytest.fixture(scope="module")
def alice(server):
    return user_with(server, "alice-of-s3")


@pytest.fixture(scope="module")
def via_s3(server):
    """A key that anybody of the account may use, through S3 alone."""
    kms = server.client()
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{server.account}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                },
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:CreateGrant"],
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {
                            "kms:CallerAccount": server.account,
                            "kms:ViaService": "s3.us-east-1.amazonaws.com",
                        },
                        "Bool": {"aws:ViaAWSService": "true"},
                    },
                },
            ],
        }
    )
    arn = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    kms.close()
    return arn


def test_a_user_alone_may_not_and_through_the_service_may(server, gateway, alice, via_s3):
    direct = server.client(access_key=alice.access_key, secret=alice.secret_key)
    with refused("AccessDeniedException"):
        direct.generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    through = gateway.client(shown(*signed_for(alice)))
    made = through.generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    assert len(made["Plaintext"]) == 32


def test_the_record_names_the_user_and_the_service(server, gateway, alice, via_s3):
    request_id = gateway.client(shown(*signed_for(alice))).generate_data_key(
        KeyId=via_s3, KeySpec="AES_256"
    )["ResponseMetadata"]["RequestId"]
    trail = server.client("cloudtrail")
    asked = [{"AttributeKey": "ResourceName", "AttributeValue": via_s3}]

    def records():
        pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=asked)
        events = (json.loads(one["CloudTrailEvent"]) for page in pages for one in page["Events"])
        return [event for event in events if event["requestID"] == request_id]

    serving.eventually(records)
    (record,) = records()
    identity = record["userIdentity"]
    assert identity["userName"] == "alice-of-s3"
    assert identity["invokedBy"] == "s3.amazonaws.com"
    assert record["sourceIPAddress"] == record["userAgent"] == "s3.amazonaws.com"


def test_a_grant_through_a_service_is_for_an_aws_resource(server, gateway, alice):
    kms = server.client()
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{server.account}:user/alice-of-s3"},
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append(statement)
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    wanted = {
        "KeyId": key,
        "GranteePrincipal": f"arn:aws:iam::{server.account}:user/alice-of-s3",
        "Operations": ["Decrypt"],
    }
    direct = server.client(access_key=alice.access_key, secret=alice.secret_key)
    with refused("AccessDeniedException"):
        direct.create_grant(**wanted)
    assert gateway.client(shown(*signed_for(alice))).create_grant(**wanted)["GrantId"]


def test_a_service_acts_for_itself(server, gateway):
    kms = server.client()
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "kms:Encrypt",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": server.account},
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket-of-alice"},
                "Bool": {"aws:PrincipalIsAWSService": "true"},
            },
        }
    )
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    source = {
        "x-amz-source-arn": "arn:aws:s3:::bucket-of-alice",
        "x-amz-source-account": server.account,
    }
    assert gateway.client(**source).encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    with refused("AccessDeniedException"):
        gateway.client().encrypt(KeyId=key, Plaintext=b"x")
    with refused("AccessDeniedException"):
        gateway.client(**{**source, "x-amz-source-account": "111122223333"}).encrypt(
            KeyId=key, Plaintext=b"x"
        )
    # The same headers on a user's request mean nothing.
    other = server.client()
    other.meta.events.register(
        "before-sign.kms",
        lambda request, **_: [request.headers.add_header(*pair) for pair in source.items()],
    )
    assert other.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key  # as root, not as a service


def test_a_request_that_is_shown_does_not_become_credentials(server, gateway, alice):
    forwarded = shown(*signed_for(alice))
    message = "A service cannot call {} for its callers"
    with refused("AccessDenied", message.format("GetSessionToken"), 403):
        gateway.client(forwarded, of="sts").get_session_token()
    root = shown(*signed_for(server.credentials))
    with refused("AccessDenied", message.format("CreateAccessKey"), 403):
        gateway.client(root, of="iam").create_access_key(UserName="alice-of-s3")
    with refused("AccessDeniedException", message.format("LookupEvents")):
        gateway.client(root, of="cloudtrail").lookup_events()


OF_ELSEWHERE = "The forwarded request was not signed for the region 'us-east-1'."


def message_for(method):
    operation = "".join(word.title() for word in method.split("_"))
    return f"A service cannot call {operation} for its callers"


NOT_FOR_CALLERS = {
    "put_key_policy": lambda key: {"Policy": "{}"},
    "schedule_key_deletion": lambda key: {},
    "cancel_key_deletion": lambda key: {},
    "disable_key": lambda key: {},
    "enable_key": lambda key: {},
    "enable_key_rotation": lambda key: {},
    "disable_key_rotation": lambda key: {},
    "get_key_policy": lambda key: {},
    "list_key_policies": lambda key: {},
    "update_key_description": lambda key: {"Description": "x"},
    "tag_resource": lambda key: {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "untag_resource": lambda key: {"TagKeys": ["a"]},
    "get_parameters_for_import": lambda key: {
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    },
    "replicate_key": lambda key: {"ReplicaRegion": "eu-central-1"},
    "sign": lambda key: {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
}


@pytest.mark.parametrize("method", NOT_FOR_CALLERS)
def test_a_service_uses_keys_for_callers_and_does_nothing_else(server, gateway, method):
    """Not even for the root user of the account, who may do all of it."""
    key = server.client().create_key()["KeyMetadata"]["Arn"]
    through = gateway.client(shown(*signed_for(server.credentials)))
    with refused("AccessDeniedException", message_for(method)):
        getattr(through, method)(KeyId=key, **NOT_FOR_CALLERS[method](key))


def test_nor_does_it_make_keys_or_list_them(server, gateway):
    for method in ("create_key", "list_keys", "list_aliases", "generate_random"):
        through = gateway.client(shown(*signed_for(server.credentials)))
        with refused("AccessDeniedException", message_for(method)):
            getattr(through, method)()


def test_a_grant_through_a_service_is_for_it_or_for_its_callers_account(server, gateway):
    key = server.client().create_key()["KeyMetadata"]["Arn"]
    stranger = {"GranteePrincipal": "arn:aws:iam::111122223333:root"}
    own = {"GranteePrincipal": f"arn:aws:iam::{server.account}:root"}
    for given in (
        {**stranger, "Operations": ["Decrypt"]},
        {**own, "RetiringPrincipal": stranger["GranteePrincipal"], "Operations": ["Decrypt"]},
        {**own, "Operations": ["Decrypt", "Sign"]},
        {**own, "Operations": ["Decrypt", "GenerateMac"]},
    ):
        with refused("AccessDeniedException", message_for("create_grant")):
            gateway.client(shown(*signed_for(server.credentials))).create_grant(KeyId=key, **given)


def test_a_request_is_good_for_the_region_it_was_signed_for(gateway, alice, via_s3):
    elsewhere = shown(*signed_for(alice, region="eu-central-1"))
    with refused("InvalidSignatureException", OF_ELSEWHERE):
        gateway.client(elsewhere).generate_data_key(KeyId=via_s3, KeySpec="AES_256")


def test_a_request_is_good_once(server, gateway, alice, via_s3):
    forwarded = shown(*signed_for(alice))
    assert gateway.client(forwarded).generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    for _ in range(5):  # whichever worker it comes to
        with refused("InvalidSignatureException", USED):
            gateway.client(forwarded).generate_data_key(KeyId=via_s3, KeySpec="AES_256")


def test_a_request_is_good_once_on_every_worker_and_after_a_restart():
    with serving.temporary_folder() as folder:
        serving.init(folder / "d")
        with serving.served("--workers", "2", data=folder / "d") as server:
            gateway, alice = S3Gateway(server), user_with(server, "alice")
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
            }
            server.client("iam").put_user_policy(
                UserName="alice", PolicyName="p", PolicyDocument=json.dumps(policy)
            )
            key = server.client().create_key()["KeyMetadata"]["KeyId"]
            forwarded = shown(*signed_for(alice))
            assert gateway.client(forwarded).generate_data_key(KeyId=key, KeySpec="AES_256")
            for _ in range(8):  # each on a connection of its own, at either worker
                with refused("InvalidSignatureException", USED):
                    gateway.client(forwarded).generate_data_key(KeyId=key, KeySpec="AES_256")
        with serving.served("--workers", "2", data=folder / "d") as server:
            gateway.server = server
            for _ in range(4):
                with refused("InvalidSignatureException", USED):
                    gateway.client(forwarded).generate_data_key(KeyId=key, KeySpec="AES_256")


def test_what_was_refused_does_not_use_a_request_up(gateway, alice, via_s3):
    forwarded = shown(*signed_for(alice))
    with refused("AccessDeniedException"):
        gateway.client(forwarded).encrypt(KeyId=via_s3, Plaintext=b"x")
    assert gateway.client(forwarded).generate_data_key(KeyId=via_s3, KeySpec="AES_256")


def test_every_mismatch_is_recorded(server, gateway, alice, via_s3):
    forwarded = shown(*signed_for(alice, region="eu-central-1"))
    with pytest.raises(ClientError, match=OF_ELSEWHERE) as refusal:
        gateway.client(forwarded).generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    request_id = refusal.value.response["ResponseMetadata"]["RequestId"]

    def recorded():
        return [
            line
            for file in (server.data / "audit").glob("*-w*/*.jsonl")
            for line in file.read_text().splitlines()
            if request_id in line and "not signed for the region" in line
        ]

    serving.eventually(recorded)


def test_a_service_has_no_sessions_and_no_account(server, gateway):
    with refused("AccessDenied", status=403):
        gateway.client(of="sts").get_session_token()
    key = gateway.made["access_key_id"]
    with refused("ValidationError", f"Access key {key} is not known."):
        server.client("sts").get_access_key_info(AccessKeyId=key)
    with refused("NotFoundException"):
        gateway.client().describe_key(KeyId="alias/aws/s3")


class TestForgeries:
    def expect_refusal(self, client, key):
        with refused("InvalidSignatureException"):
            client.generate_data_key(KeyId=key, KeySpec="AES_256")

    def test_signed_for_another_service(self, gateway, alice, via_s3):
        self.expect_refusal(gateway.client(shown(*signed_for(alice, "kms"))), via_s3)
        self.expect_refusal(gateway.client(shown(*signed_for(alice, "ec2"))), via_s3)

    def test_a_changed_request(self, gateway, alice, via_s3):
        authorization, date, canonical, token = signed_for(alice)
        changed = canonical.replace("PUT", "GET")
        self.expect_refusal(gateway.client(shown(authorization, date, changed, token)), via_s3)

    def test_signed_by_the_gateway_itself(self, gateway, via_s3):
        own = botocore.credentials.Credentials(
            gateway.made["access_key_id"], gateway.made["secret_access_key"]
        )
        self.expect_refusal(gateway.client(shown(*signed_for(own))), via_s3)

    def test_with_a_secret_that_is_not_the_users(self, gateway, alice, via_s3):
        guessed = botocore.credentials.Credentials(
            alice.access_key, gateway.made["secret_access_key"]
        )
        self.expect_refusal(gateway.client(shown(*signed_for(guessed))), via_s3)

    def test_an_old_request(self, gateway, alice, via_s3):
        authorization, date, canonical, token = signed_for(alice)
        hour_before = f"{date[:9]}{(int(date[9:11]) - 1) % 24:02}{date[11:]}"
        old = shown(authorization, hour_before, canonical, token)
        self.expect_refusal(gateway.client(old), via_s3)

    def test_added_after_the_gateway_signed(self, gateway, alice, via_s3):
        self.expect_refusal(gateway.client(unsigned=shown(*signed_for(alice))), via_s3)

    @pytest.mark.parametrize("text", ["", "?", "e30=", "bnVsbA==", "A" * 12_000, "A" * 20_000])
    def test_no_request_at_all(self, gateway, via_s3, text):
        self.expect_refusal(gateway.client(text or " "), via_s3)

    def test_a_user_who_forwards_gains_nothing(self, server, alice, via_s3):
        mallory = user_with(server, "mallory-of-s3")
        forwarded = shown(*signed_for(alice))
        kms = server.client(access_key=mallory.access_key, secret=mallory.secret_key)
        kms.meta.events.register(
            "before-sign.kms",
            lambda request, **_: request.headers.add_header(
                "x-kagimori-forwarded-request", forwarded
            ),
        )
        with refused("AccessDeniedException"):
            kms.generate_data_key(KeyId=via_s3, KeySpec="AES_256")


def test_a_key_that_is_taken_away_is_refused_at_once(server, alice, via_s3):
    gateway = S3Gateway(server)
    through = gateway.client(shown(*signed_for(alice)))
    assert through.generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    access_key = gateway.made["access_key_id"]
    listed = serving.run("service", "list", "--data", server.data, check=True).stdout
    assert access_key in listed
    serving.run("service", "delete", access_key, "--data", server.data, check=True)
    with refused("UnrecognizedClientException"):
        through.generate_data_key(KeyId=via_s3, KeySpec="AES_256")
    again = serving.run("service", "delete", access_key, "--data", server.data)
    assert again.returncode == 1
    assert "No service has" in again.stderr
