"""boto3 and STS: temporary credentials, what they may, and when that ends. Reference: 23.2 to 23.4."""

import base64
import contextlib
import datetime as dt
import json
import random
import re
import string
import time

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor import hotp

import serving
from serving import refused

ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusting(
    *principals, actions=("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"), **more
):
    return document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": list(principals)},
            "Action": list(actions),
            **more,
        }
    )


@contextlib.contextmanager
def saying(code, part, status=400):
    """Expect a refusal whose message has this part."""
    with pytest.raises(ClientError, match=re.escape(part)) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


class World:
    """An account with a user and a role, and a second account."""

    def __init__(self, server):
        self.server = server
        self.account = server.account
        self.iam = server.client("iam")
        made = serving.run("account", "create", "--data", server.data, "--output", "json")
        self.other = json.loads(made.stdout)

    def client(self, service, credentials=None, region="us-east-1"):
        found = credentials or {}
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=region,
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found.get("SessionToken"),
        )

    def in_other(self, service):
        return self.client(
            service,
            {
                "AccessKeyId": self.other["access_key_id"],
                "SecretAccessKey": self.other["secret_access_key"],
            },
        )

    def user(self, name, *statements, iam=None):
        iam = iam or self.iam
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(
                UserName=name, PolicyName="inline", PolicyDocument=document(*statements)
            )
        return iam.create_access_key(UserName=name)["AccessKey"]

    def role(self, name, trust, *statements, **more):
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)
        if statements:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="inline", PolicyDocument=document(*statements)
            )
        return made["Role"]

    def arn(self, kind, name):
        return f"arn:aws:iam::{self.account}:{kind}/{name}"


@pytest.fixture(scope="module")
def world():
    """A server of its own: its users have the names that everybody's have."""
    with serving.served() as server:
        yield World(server)


@pytest.fixture(scope="module")
def alice(world):
    return world.user("alice", ANY)


@pytest.fixture(scope="module")
def keeper(world, alice):
    """A role that alice may assume, and that may do everything."""
    return world.role("keeper", trusting(world.arn("user", "alice")), ANY, MaxSessionDuration=7200)


def assume(world, credentials, role, session="work", **more):
    sts = world.client("sts", credentials)
    return sts.assume_role(RoleArn=role["Arn"], RoleSessionName=session, **more)


class TestAssumeRole:
    def test_the_session_is_the_roles(self, world, alice, keeper):
        answer = assume(world, alice, keeper)
        assert answer["AssumedRoleUser"] == {
            "AssumedRoleId": f"{keeper['RoleId']}:work",
            "Arn": f"arn:aws:sts::{world.account}:assumed-role/keeper/work",
        }
        assert "PackedPolicySize" not in answer
        made = answer["Credentials"]
        assert re.fullmatch("ASIA[A-Z2-7]{16}", made["AccessKeyId"])
        left = made["Expiration"] - dt.datetime.now(dt.UTC)
        assert 3500 < left.total_seconds() <= 3600
        me = world.client("sts", made).get_caller_identity()
        assert me["Arn"] == answer["AssumedRoleUser"]["Arn"]
        assert me["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
        kms = world.client("kms", made)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        box = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"secret"

    def test_whom_the_role_does_not_trust(self, world, keeper):
        bob = world.user("bob-who-is-not-trusted", ANY)
        with refused(
            "AccessDenied",
            f"User: {world.arn('user', 'bob-who-is-not-trusted')} is not authorized to perform: "
            f"sts:AssumeRole on resource: {keeper['Arn']}",
            403,
        ):
            assume(world, bob, keeper)

    def test_an_unknown_role_looks_the_same(self, world, alice):
        role = {"Arn": world.arn("role", "nobody-has-this")}
        with refused(
            "AccessDenied",
            f"User: {world.arn('user', 'alice')} is not authorized to perform: sts:AssumeRole on "
            f"resource: {role['Arn']}",
            403,
        ):
            assume(world, alice, role)

    def test_an_arn_that_is_none(self, world, alice):
        with refused("ValidationError", "arn:aws:iam::nobody:role/x is invalid"):
            assume(world, alice, {"Arn": "arn:aws:iam::nobody:role/x"})

    def test_a_role_shows_when_and_where_its_sessions_worked_last(self, world, alice):
        role = world.role("worker", trusting(world.arn("user", "alice")), ANY)

        def last():
            return world.iam.get_role(RoleName="worker")["Role"]["RoleLastUsed"]

        session = assume(world, alice, role)["Credentials"]
        assert last() == {}
        world.client("kms", session).list_keys()
        serving.eventually(lambda: last() != {})
        used = last()
        assert used["Region"] == "us-east-1"
        assert abs((used["LastUsedDate"] - dt.datetime.now(dt.UTC)).total_seconds()) < 60

    def test_the_root_user_assumes_no_role(self, world, keeper):
        sts = world.server.client("sts")
        with refused("AccessDenied", "Roles may not be assumed by root accounts.", 403):
            sts.assume_role(RoleArn=keeper["Arn"], RoleSessionName="work")

    def test_naming_the_account_needs_an_identity_policy_too(self, world):
        root = f"arn:aws:iam::{world.account}:root"
        role = world.role("for-the-account", trusting(root))
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}
        assert assume(world, world.user("carol-may", allow), role)
        with refused("AccessDenied", status=403):
            assume(world, world.user("carol-may-not"), role)

    def test_across_accounts_both_must_allow(self, world):
        iam = world.in_other("iam")
        there = world.other["account_id"]
        role = world.role("for-the-other", trusting(f"arn:aws:iam::{there}:root"))
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}
        made = assume(world, world.user("dave-may", allow, iam=iam), role)["Credentials"]
        assert world.client("sts", made).get_caller_identity()["Account"] == world.account
        with refused("AccessDenied", status=403):
            assume(world, world.user("dave-may-not", iam=iam), role)

    def test_without_the_external_id_the_deputy_is_confused_no_more(self, world, alice):
        trust = trusting(
            world.arn("user", "alice"), Condition={"StringEquals": {"sts:ExternalId": "for-alice"}}
        )
        role = world.role("with-external-id", trust)
        assert assume(world, alice, role, ExternalId="for-alice")
        for more in ({}, {"ExternalId": "for-bob"}):
            with refused("AccessDenied", status=403):
                assume(world, alice, role, **more)

    @pytest.mark.parametrize(
        ("seconds", "message"),
        [
            (7201, "exceeds the MaxSessionDuration set for this role."),
            (43200, "exceeds the MaxSessionDuration set for this role."),
        ],
    )
    def test_longer_than_the_role_allows(self, world, alice, keeper, seconds, message):
        with refused("ValidationError", f"The requested DurationSeconds {message}"):
            assume(world, alice, keeper, DurationSeconds=seconds)

    def test_chained_sessions_last_an_hour(self, world, alice, keeper):
        first = assume(world, alice, keeper, DurationSeconds=7200)["Credentials"]
        next_role = world.role("next", trusting(keeper["Arn"]), MaxSessionDuration=7200)
        assert assume(world, first, next_role, DurationSeconds=3600)
        with refused(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining.",
        ):
            assume(world, first, next_role, DurationSeconds=3601)

    @pytest.mark.parametrize("name", ["a", "with space", "ä" * 4, "x" * 65])
    def test_session_names(self, world, alice, keeper, name):
        sts = world.client("sts", alice)
        sts.meta.config.parameter_validation = False
        with pytest.raises(Exception) as caught:  # boto3 knows of some itself
            sts.assume_role(RoleArn=keeper["Arn"], RoleSessionName=name)
        assert "alid" in str(caught.value)

    def test_session_policies_only_narrow(self, world, alice, keeper):
        narrow = document({"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"})
        answer = assume(world, alice, keeper, Policy=narrow)
        assert 0 < answer["PackedPolicySize"] <= 100
        kms = world.client("kms", answer["Credentials"])
        assert "Keys" in kms.list_keys()
        with saying("AccessDeniedException", "because no session policy allows"):
            kms.create_key()
        more = [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]
        with_both = assume(world, alice, keeper, Policy=narrow, PolicyArns=more)["Credentials"]
        assert world.client("iam", with_both).list_users()["Users"]

    def test_session_policies_that_are_none(self, world, alice, keeper):
        with refused("MalformedPolicyDocument"):
            assume(world, alice, keeper, Policy="{}")
        with saying("ValidationError", "does not exist or is not attachable"):
            arn = world.arn("policy", "nobody-made-it")
            assume(world, alice, keeper, PolicyArns=[{"arn": arn}])

    def test_session_policies_that_are_too_many_or_too_long(self, world, alice, keeper):
        arns = [{"arn": world.arn("policy", f"reader-{n}")} for n in range(11)]
        with saying("ValidationError", "'policyArns'"):
            assume(world, alice, keeper, PolicyArns=arns)
        narrow = document({"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"})
        one = [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]
        assert assume(world, alice, keeper, Policy=narrow.ljust(2000), PolicyArns=one)
        with saying("PackedPolicyTooLarge", "please use smaller policy."):
            assume(world, alice, keeper, Policy=narrow.ljust(2020), PolicyArns=one)

    def test_a_packed_policy_can_be_too_large(self, world, alice, keeper):
        draw = random.Random(7)
        tags = [
            {"Key": f"k{n}", "Value": "".join(draw.choices(string.ascii_letters, k=256))}
            for n in range(50)
        ]
        with saying("PackedPolicyTooLarge", "Packed size of session tags consumes"):
            assume(world, alice, keeper, Tags=tags)


class TestTags:
    def test_session_tags_are_principal_tags(self, world, alice):
        condition = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
        role = world.role(
            "tagged",
            trusting(world.arn("user", "alice")),
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition},
            Tags=[{"Key": "team", "Value": "red"}],
        )
        plain = assume(world, alice, role)["Credentials"]
        with refused("AccessDeniedException"):
            world.client("kms", plain).list_keys()
        blue = assume(world, alice, role, Tags=[{"Key": "Team", "Value": "blue"}])["Credentials"]
        assert "Keys" in world.client("kms", blue).list_keys()

    def test_tagging_must_be_trusted(self, world, alice):
        trust = trusting(world.arn("user", "alice"), actions=("sts:AssumeRole",))
        role = world.role("untaggable", trust)
        assert assume(world, alice, role)
        with saying("AccessDenied", "sts:TagSession", 403):
            assume(world, alice, role, Tags=[{"Key": "team", "Value": "blue"}])

    def test_only_transitive_tags_go_on(self, world, alice, keeper):
        tags = [{"Key": "team", "Value": "blue"}, {"Key": "task", "Value": "t1"}]
        first = assume(world, alice, keeper, Tags=tags, TransitiveTagKeys=["TEAM"])["Credentials"]
        for name, key, value in (("goes-on", "team", "blue"), ("ends", "task", "t1")):
            condition = {"StringEquals": {f"aws:PrincipalTag/{key}": value}}
            allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}
            role = world.role(name, trusting(keeper["Arn"]), allow)
            kms = world.client("kms", assume(world, first, role)["Credentials"])
            if name == "goes-on":
                assert "Keys" in kms.list_keys()
                with refused(
                    "InvalidParameterValue",
                    "One of the specified transitive tag keys can't be set because it conflicts "
                    "with a transitive tag key from the calling session.",
                ):
                    assume(world, first, role, Tags=[{"Key": "Team", "Value": "red"}])
            else:
                with refused("AccessDeniedException"):
                    kms.list_keys()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ),
            (
                {"TransitiveTagKeys": ["a"]},
                "The specified transitive tag key must be included in the requested tags.",
            ),
        ],
    )
    def test_faults(self, world, alice, keeper, given, message):
        with refused("InvalidParameterValue", message):
            assume(world, alice, keeper, **given)


class TestSourceIdentity:
    def test_it_stays_for_the_whole_chain(self, world, alice, keeper):
        answer = assume(world, alice, keeper, SourceIdentity="alice@example")
        assert answer["SourceIdentity"] == "alice@example"
        first = answer["Credentials"]
        role = world.role("further", trusting(keeper["Arn"]), ANY)
        assert assume(world, first, role)["SourceIdentity"] == "alice@example"
        with refused("AccessDenied", status=403):
            assume(world, first, role, SourceIdentity="bob@example")

    def test_it_must_be_trusted_even_when_inherited(self, world, alice, keeper):
        first = assume(world, alice, keeper, SourceIdentity="alice@example")["Credentials"]
        trust = trusting(keeper["Arn"], actions=("sts:AssumeRole",))
        role = world.role("takes-no-identity", trust)
        with saying("AccessDenied", "sts:SetSourceIdentity", 403):
            assume(world, first, role)


class TestSessionTokens:
    def test_of_a_user(self, world, alice):
        made = world.client("sts", alice).get_session_token()["Credentials"]
        me = world.client("sts", made).get_caller_identity()
        assert me["Arn"] == world.arn("user", "alice")
        assert "Keys" in world.client("kms", made).list_keys()
        with refused("InvalidClientTokenId", status=403):
            world.client("iam", made).list_users()
        with refused("AccessDenied", "Cannot call GetSessionToken with session credentials", 403):
            world.client("sts", made).get_session_token()

    def test_the_roots_are_cut_to_an_hour(self, world):
        made = world.server.client("sts").get_session_token(DurationSeconds=43200)["Credentials"]
        left = made["Expiration"] - dt.datetime.now(dt.UTC)
        assert left.total_seconds() <= 3600

    def test_revoked_by_the_time_of_issue(self, world, alice):
        made = world.client("sts", alice).get_session_token()["Credentials"]
        kms = world.client("kms", made)
        assert "Keys" in kms.list_keys()
        later = dt.datetime.fromtimestamp(time.time() + 2, dt.UTC)
        revoke = {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": later.isoformat()}},
        }
        world.iam.put_user_policy(
            UserName="alice", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(revoke)
        )
        with saying("AccessDeniedException", "with an explicit deny in an identity-based policy"):
            kms.list_keys()
        assert "Keys" in world.client("kms", alice).list_keys()  # long-term keys have no such time
        world.iam.delete_user_policy(UserName="alice", PolicyName="AWSRevokeOlderSessions")
        assert "Keys" in kms.list_keys()


class TestFederationTokens:
    def test_rights_are_the_users_and_the_policys(self, world, alice):
        policy = document({"Effect": "Allow", "Action": "kms:List*", "Resource": "*"})
        answer = world.client("sts", alice).get_federation_token(Name="carol", Policy=policy)
        arn = f"arn:aws:sts::{world.account}:federated-user/carol"
        assert answer["FederatedUser"] == {
            "Arn": arn,
            "FederatedUserId": f"{world.account}:carol",
        }
        made = answer["Credentials"]
        assert world.client("sts", made).get_caller_identity()["Arn"] == arn
        assert "Keys" in world.client("kms", made).list_keys()
        with refused("AccessDeniedException"):
            world.client("kms", made).create_key()
        with refused("InvalidClientTokenId", status=403):
            world.client("iam", made).list_users()
        with refused("AccessDenied", status=403):
            assume(world, made, {"Arn": world.arn("role", "keeper")})

    def test_without_a_policy_there_are_none(self, world, alice):
        made = world.client("sts", alice).get_federation_token(Name="carol")["Credentials"]
        with refused("AccessDeniedException"):
            world.client("kms", made).list_keys()

    def test_needs_permission(self, world):
        nobody = world.user("without-rights")
        with saying("AccessDenied", "sts:GetFederationToken", 403):
            world.client("sts", nobody).get_federation_token(Name="carol")


class TestTheEnd:
    def test_with_the_role(self, world, alice):
        role = world.role("for-a-while", trusting(world.arn("user", "alice")), ANY)
        made = assume(world, alice, role)["Credentials"]
        assert "Keys" in world.client("kms", made).list_keys()
        world.iam.delete_role_policy(RoleName="for-a-while", PolicyName="inline")
        with refused("AccessDeniedException"):  # judged by what the role may now
            world.client("kms", made).list_keys()
        world.iam.delete_role(RoleName="for-a-while")
        world.role("for-a-while", trusting(world.arn("user", "alice")), ANY)
        with refused("UnrecognizedClientException"):  # a namesake is another
            world.client("kms", made).list_keys()

    def test_with_the_user(self, world):
        user = world.user("erin", ANY)
        made = world.client("sts", user).get_session_token()["Credentials"]
        world.iam.delete_user_policy(UserName="erin", PolicyName="inline")
        world.iam.delete_access_key(UserName="erin", AccessKeyId=user["AccessKeyId"])
        with refused("UnrecognizedClientException"):
            world.client("kms", user).list_keys()
        world.iam.delete_user(UserName="erin")
        with refused("UnrecognizedClientException"):
            world.client("kms", made).list_keys()

    def test_an_inactive_access_key(self, world):
        user = world.user("frank", ANY)
        kms = world.client("kms", user)
        assert "Keys" in kms.list_keys()
        key = user["AccessKeyId"]
        world.iam.update_access_key(UserName="frank", AccessKeyId=key, Status="Inactive")
        with refused("UnrecognizedClientException"):
            kms.list_keys()
        world.iam.update_access_key(UserName="frank", AccessKeyId=key, Status="Active")
        assert "Keys" in kms.list_keys()


class TestHostile:
    def test_a_forged_signature_is_no_use_of_the_access_key(self, world):
        user = world.user("ivan", ANY)
        key = user["AccessKeyId"]
        forged = world.client("kms", {**user, "SecretAccessKey": "guessed"})
        with refused("InvalidSignatureException"):
            forged.list_keys()
        used = world.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
        assert used == {"ServiceName": "N/A", "Region": "N/A"}
        world.client("kms", user).list_keys()

        def is_noted():
            found = world.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
            return found["ServiceName"] == "kms"

        serving.eventually(is_noted)

    def test_the_token_of_another(self, world, alice, keeper):
        first = assume(world, alice, keeper)["Credentials"]
        second = assume(world, alice, keeper)["Credentials"]
        mixed = {**first, "SessionToken": second["SessionToken"]}
        for service in ("kms", "sts"):
            code = "UnrecognizedClientException" if service == "kms" else "InvalidClientTokenId"
            client = world.client(service, mixed)
            with refused(code, status=400 if service == "kms" else 403):
                client.list_keys() if service == "kms" else client.get_caller_identity()

    @pytest.mark.parametrize("token", ["", "x", "AAAA", "é", "A" * 5000])
    def test_no_token_at_all(self, world, alice, keeper, token):
        made = assume(world, alice, keeper)["Credentials"]
        made["SessionToken"] = token.encode("utf-8").decode("latin-1")
        with refused("UnrecognizedClientException"):
            world.client("kms", made).list_keys()

    def test_a_token_with_a_flipped_bit(self, world, alice, keeper):
        made = assume(world, alice, keeper)["Credentials"]
        token = made["SessionToken"]
        for at in (0, len(token) // 2, len(token) - 6):
            flipped = "A" if token[at] != "A" else "B"
            made["SessionToken"] = token[:at] + flipped + token[at + 1 :]
            with refused("UnrecognizedClientException"):
                world.client("kms", made).list_keys()

    def test_a_token_with_long_term_keys(self, world, alice, keeper):
        made = assume(world, alice, keeper)["Credentials"]
        with refused("UnrecognizedClientException"):
            world.client("kms", {**alice, "SessionToken": made["SessionToken"]}).list_keys()

    def test_a_re_created_user_is_not_trusted(self, world):
        user = world.user("grace", ANY)
        role = world.role("for-grace", trusting(world.arn("user", "grace")))
        assert assume(world, user, role)
        world.iam.delete_user_policy(UserName="grace", PolicyName="inline")
        world.iam.delete_access_key(UserName="grace", AccessKeyId=user["AccessKeyId"])
        world.iam.delete_user(UserName="grace")
        again = world.user("grace", ANY)
        with refused("AccessDenied", status=403):
            assume(world, again, role)


class TestKeys:
    """Who a key policy and a grant mean."""

    def test_a_policy_names_somebody_who_exists(self, world):
        kms = world.server.client()
        with refused(
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
        ):
            statement = {**ANY, "Principal": {"AWS": world.arn("user", "nobody")}}
            root = {**ANY, "Principal": {"AWS": f"arn:aws:iam::{world.account}:root"}}
            kms.create_key(Policy=document(root, statement))
        key = kms.create_key()["KeyMetadata"]["Arn"]
        with refused("InvalidArnException"):
            kms.create_grant(
                KeyId=key, GranteePrincipal=world.arn("role", "nobody"), Operations=["Decrypt"]
            )

    def test_a_namesake_is_not_meant(self, world):
        kms = world.server.client()
        first = world.user("heidi")
        arn = world.arn("user", "heidi")
        root = {**ANY, "Principal": {"AWS": f"arn:aws:iam::{world.account}:root"}}
        heidi = {
            "Effect": "Allow",
            "Principal": {"AWS": arn},
            "Action": "kms:Encrypt",
            "Resource": "*",
        }
        key = kms.create_key(Policy=document(root, heidi))["KeyMetadata"]["Arn"]
        kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["GenerateDataKey"])
        her = world.client("kms", first)
        assert her.encrypt(KeyId=key, Plaintext=b"x")
        assert her.generate_data_key(KeyId=key, KeySpec="AES_256")
        assert arn in kms.get_key_policy(KeyId=key)["Policy"]
        unique_id = world.iam.get_user(UserName="heidi")["User"]["UserId"]
        world.iam.delete_access_key(UserName="heidi", AccessKeyId=first["AccessKeyId"])
        world.iam.delete_user(UserName="heidi")
        assert unique_id in kms.get_key_policy(KeyId=key)["Policy"]
        namesake = world.client("kms", world.user("heidi"))
        for call in (
            lambda: namesake.encrypt(KeyId=key, Plaintext=b"x"),
            lambda: namesake.generate_data_key(KeyId=key, KeySpec="AES_256"),
        ):
            with refused("AccessDeniedException"):
                call()

    def test_the_record_of_a_session(self, world, alice, keeper):
        made = assume(world, alice, keeper, SourceIdentity="alice@example")["Credentials"]
        kms = world.client("kms", made)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        trail = world.server.client("cloudtrail")
        asked = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
        serving.eventually(lambda: trail.lookup_events(LookupAttributes=asked)["Events"])
        event = trail.lookup_events(LookupAttributes=asked)["Events"][0]
        identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
        assert identity["type"] == "AssumedRole"
        assert identity["arn"] == f"arn:aws:sts::{world.account}:assumed-role/keeper/work"
        context = identity["sessionContext"]
        assert context["sessionIssuer"] == {
            "type": "Role",
            "principalId": keeper["RoleId"],
            "arn": keeper["Arn"],
            "accountId": world.account,
            "userName": "keeper",
        }
        assert context["attributes"]["mfaAuthenticated"] == "false"
        assert context["sourceIdentity"] == "alice@example"


WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.fixture(scope="module")
def judy(world):
    user = world.user("judy", {**ANY, "Condition": WITH_MFA}, {**ANY, "Action": "sts:*"})
    made = world.iam.create_virtual_mfa_device(VirtualMFADeviceName="judys-phone")
    device = made["VirtualMFADevice"]
    seed = base64.b32decode(device["Base32StringSeed"])
    step = int(time.time()) // 30
    world.iam.enable_mfa_device(
        UserName="judy",
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=totp(seed, step - 2),
        AuthenticationCode2=totp(seed, step - 1),
    )
    return user, device["SerialNumber"], Codes(seed, step)


class TestMfa:
    """A code opens what a policy keeps for those who have one, once."""

    def test_a_session_with_a_code(self, world, judy):
        user, serial, codes = judy
        with refused("AccessDeniedException"):
            world.client("kms", user).list_keys()
        sts = world.client("sts", user)
        plain = sts.get_session_token()["Credentials"]
        with refused("AccessDeniedException"):
            world.client("kms", plain).list_keys()
        code = codes.next()
        made = sts.get_session_token(SerialNumber=serial, TokenCode=code)["Credentials"]
        assert "Keys" in world.client("kms", made).list_keys()
        assert world.client("iam", made).list_users()["Users"]
        with saying("AccessDenied", "MultiFactorAuthentication failed", 403):
            sts.get_session_token(SerialNumber=serial, TokenCode=code)  # a code is taken once

    def test_a_role_that_asks_for_a_code(self, world, judy):
        user, serial, codes = judy
        role = world.role("asks", trusting(world.arn("user", "judy"), Condition=WITH_MFA))
        with refused("AccessDenied", status=403):
            assume(world, user, role)
        assert assume(world, user, role, SerialNumber=serial, TokenCode=codes.next())

    @pytest.mark.parametrize(
        "given",
        [
            {"TokenCode": "123456"},
            {"SerialNumber": "arn:aws:iam::111122223333:mfa/judys-phone"},
            {
                "SerialNumber": "arn:aws:iam::111122223333:mfa/judys-phone",
                "TokenCode": "123456",
            },
        ],
    )
    def test_half_a_proof_is_none(self, world, judy, given):
        with saying("AccessDenied", "MultiFactorAuthentication failed", 403):
            world.client("sts", judy[0]).get_session_token(**given)

    def test_a_wrong_code_and_another_users_device(self, world, judy, alice):
        user, serial, codes = judy
        wrong = f"{(int(codes.peek()) + 1) % 1_000_000:06}"
        with saying("AccessDenied", "MultiFactorAuthentication failed", 403):
            world.client("sts", user).get_session_token(SerialNumber=serial, TokenCode=wrong)
        with saying("AccessDenied", "MultiFactorAuthentication failed", 403):
            world.client("sts", alice).get_session_token(
                SerialNumber=serial, TokenCode=codes.peek()
            )


def totp(seed, step):
    """Return a code. Source: RFC 6238 with SHA-1 and six digits."""
    code = hotp.HOTP(seed, 6, hashes.SHA1(), enforce_key_length=False)
    return code.generate(step).decode()


class Codes:
    """The codes of a device, each once; near enough to now to be taken."""

    def __init__(self, seed, step):
        self._seed, self._step = seed, step - 1

    def peek(self):
        return totp(self._seed, self._step + 1)

    def next(self):
        self._step += 1
        return totp(self._seed, self._step)
