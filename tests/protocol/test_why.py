"""`kagimori why` and sts:DecodeAuthorizationMessage: the whole decision, for whom it concerns."""

import json

import pytest
from botocore.exceptions import ClientError

import serving
from serving import eventually, refused, run


@pytest.fixture(scope="module")
def world():
    with serving.served() as server:
        made = World(server)
        yield made
        for client in made.clients:
            client.close()


class World:
    def __init__(self, server):
        self.server, self.account = server, server.account
        self.clients = []
        self.kms, self.iam, self.sts = (self.client(name) for name in ("kms", "iam", "sts"))

    def client(self, service="kms", made=None):
        made = made or {}
        client = self.server.client(
            service, access_key=made.get("AccessKeyId"), secret=made.get("SecretAccessKey")
        )
        if "SessionToken" in made:
            client._request_signer._credentials.token = made["SessionToken"]
        self.clients.append(client)
        return client

    def user(self, name, *statements):
        self.iam.create_user(UserName=name)
        self.allow(name, *statements)
        return self.iam.create_access_key(UserName=name)["AccessKey"]

    def allow(self, name, *statements):
        text = policy(*statements)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)

    def role(self, name, *statements, trusting=None, boundary=None):
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        trust["Principal"] = {"AWS": trusting or self.account}
        more = {"PermissionsBoundary": boundary} if boundary else {}
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust), **more)
        if statements:
            text = policy(*statements)
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=text)
        return made["Role"]["Arn"]

    def new_key(self):
        return self.kms.create_key()["KeyMetadata"]["Arn"]

    def denied(self, call, /, **given):
        """Return what `kagimori why` tells of a call that is denied."""
        with pytest.raises(ClientError) as raised:
            call(**given)
        answer = raised.value.response
        assert answer["Error"]["Code"] in ("AccessDeniedException", "AccessDenied")
        self.request_id = answer["ResponseMetadata"]["RequestId"]
        return self.why("--output", "json")

    def why(self, *options):
        def asked():
            self.done = run("why", self.request_id, "--data", self.server.data, *options)
            return self.done.returncode == 0

        eventually(asked)
        told = self.done.stdout
        return json.loads(told) if "json" in options else told


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action="kms:*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def deny(action="kms:*", **more):
    return {**allow(action, **more), "Effect": "Deny"}


def test_a_user_without_iam_is_told_the_one_statement_that_is_missing(world):
    key = world.new_key()
    made = world.user("alice")
    kms = world.client(made=made)
    arn = f"arn:aws:iam::{world.account}:user/alice"
    told = world.denied(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert told["caller"] == arn
    assert [one["policy"] for one in told["policies"]] == ["key policy"]
    assert told["suggestion"] == (
        f"add to an identity policy of {arn} a statement that allows kms:Encrypt on {key}"
    )
    world.allow("alice", allow("kms:Encrypt"))
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_the_near_miss_is_told_with_the_value(world):
    key = world.new_key()
    in_office = allow(Sid="Office", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    kms = world.client(made=world.user("bob", in_office))
    told = world.denied(kms.describe_key, KeyId=key)
    (alternative,) = told["alternatives"]
    assert alternative == (
        "statement 'Office' of the identity policy own lacks one thing: Condition IpAddress "
        "aws:SourceIp says 10.0.0.0/8, and the request has 127.0.0.1"
    )
    assert told["conditions"] == {"aws:SourceIp": ["127.0.0.1"]}
    lines = world.why().splitlines()
    assert "  Allow 'Office' does not apply" in lines
    assert any(line.startswith("To allow it: add to an identity policy") for line in lines)


def test_the_grant_that_came_close_is_told(world):
    key = world.new_key()
    made = world.user("carol")
    arn = f"arn:aws:iam::{world.account}:user/carol"
    constrained = {"EncryptionContextEquals": {"Dept": "Finance"}}
    grant = world.kms.create_grant(
        KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"], Constraints=constrained
    )["GrantId"]
    world.kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Decrypt"])
    kms = world.client(made=made)
    told = world.denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"Dept": "IT"})
    assert sorted(len(one["shortfalls"]) for one in told["grants"]) == [1, 1]
    nearest = next(one for one in told["grants"] if one["grant_id"] == grant)
    assert nearest["shortfalls"] == [
        {
            "what": "EncryptionContextEquals",
            "written": ["Dept=Finance"],
            "request": ["Dept=IT"],
        }
    ]
    assert any(grant in alternative for alternative in told["alternatives"])
    assert f"grant {grant} gives Encrypt" in world.why()


def test_every_side_of_a_role_session_is_told_at_once(world):
    key = world.new_key()
    bounding = world.iam.create_policy(PolicyName="bounding", PolicyDocument=policy(allow("s3:*")))[
        "Policy"
    ]["Arn"]
    role = world.role("worker", allow("s3:*"), boundary=bounding)
    sts = world.client("sts", world.user("dave", allow("sts:AssumeRole")))
    made = sts.assume_role(RoleArn=role, RoleSessionName="s1", Policy=policy(allow("s3:*")))
    kms = world.client(made=made["Credentials"])
    told = world.denied(kms.describe_key, KeyId=key)
    names = [one["policy"] for one in told["policies"]]
    assert names == [
        "key policy",
        "identity policy own",
        f"permissions boundary {bounding}",
        "session policy",
    ]
    on = f"kms:DescribeKey on {key}"
    assert told["suggestion"].split("; and ") == [
        f"add to an identity policy of {role} a statement that allows {on}",
        f"add to the permissions boundary of {role} a statement that allows {on}",
        f"begin a session whose session policy allows {on}",
    ]


@pytest.mark.parametrize("exists", [True, False])
def test_assume_role_tells_of_the_trust_policy(world, exists):
    name = f"trusted-by-nobody-{exists}".lower()
    role = f"arn:aws:iam::{world.account}:role/{name}"
    if exists:
        world.user(f"friend-of-{name}")
        world.role(name, trusting=f"arn:aws:iam::{world.account}:user/friend-of-{name}")
    sts = world.client("sts", world.user(f"stranger-to-{name}", allow("sts:*")))
    told = world.denied(sts.assume_role, RoleArn=role, RoleSessionName="s1")
    assert told["action"] == "sts:AssumeRole"
    assert told["policies"][0]["policy"] == "role trust policy"
    arn = f"arn:aws:iam::{world.account}:user/stranger-to-{name}"
    wanted = f"add to the trust policy of {role} a statement that allows sts:AssumeRole to {arn}"
    assert told["suggestion"] == (wanted if exists else f"make the role {role}: there is none")


def test_a_deny_is_told_and_what_is_missing_beside_it(world):
    key = world.new_key()
    kms = world.client(made=world.user("erin", deny(Sid="Never")))
    told = world.denied(kms.describe_key, KeyId=key)
    assert told["explicit"] is True
    arn = f"arn:aws:iam::{world.account}:user/erin"
    assert told["suggestion"].split("; and ") == [
        "narrow or remove the Deny statement 'Never' of the identity policy own",
        f"add to an identity policy of {arn} a statement that allows kms:DescribeKey on {key}",
    ]


# --- on the wire ----------------------------------------------------------------------------------


def test_a_denial_can_be_read_on_the_wire_by_whom_the_key_belongs_to(world):
    key = world.new_key()
    kms = world.client(made=world.user("frank", allow("sts:*"), deny(Sid="Never")))
    world.denied(kms.describe_key, KeyId=key)
    encoded = world.why("--encoded").strip()
    answer = world.sts.decode_authorization_message(EncodedMessage=encoded)
    told = json.loads(answer["DecodedMessage"])
    assert (told["allowed"], told["explicitDeny"]) == (False, True)
    assert told["context"]["action"] == "kms:DescribeKey"
    assert told["context"]["resource"] == key
    user = world.iam.get_user(UserName="frank")["User"]
    assert told["context"]["principal"] == {
        "id": user["UserId"],
        "name": "frank",
        "arn": user["Arn"],
    }
    (statement,) = told["matchedStatements"]["items"]
    assert (statement["statementId"], statement["effect"]) == ("Never", "DENY")
    assert statement["actions"] == {"items": [{"value": "kms:*"}]}


def test_reading_it_needs_permission_and_the_right_account(world):
    key = world.new_key()
    made = world.user("grace")
    world.denied(world.client(made=made).describe_key, KeyId=key)
    encoded = world.why("--encoded", "--output", "json")["EncodedMessage"]
    with refused("AccessDenied", status=403):
        world.client("sts", made).decode_authorization_message(EncodedMessage=encoded)
    other = json.loads(
        run("account", "create", "--data", world.server.data, "--output", "json", check=True).stdout
    )
    root = {
        "AccessKeyId": other["access_key_id"],
        "SecretAccessKey": other["secret_access_key"],
    }
    with refused("InvalidAuthorizationMessageException"):
        world.client("sts", root).decode_authorization_message(EncodedMessage=encoded)
    for spoilt in (encoded[:-4], "B" + encoded[1:], "no message", "=", "é"):
        with refused("InvalidAuthorizationMessageException"):
            world.sts.decode_authorization_message(EncodedMessage=spoilt)


def test_of_a_caller_of_another_account_the_owner_learns_no_policy(world):
    key = world.new_key()
    other = json.loads(
        run("account", "create", "--data", world.server.data, "--output", "json", check=True).stdout
    )
    root = {
        "AccessKeyId": other["access_key_id"],
        "SecretAccessKey": other["secret_access_key"],
    }
    iam = world.client("iam", root)
    iam.create_user(UserName="heidi")
    written = policy(deny(Sid="Secret", Condition={"StringEquals": {"aws:username": "heidi"}}))
    iam.put_user_policy(UserName="heidi", PolicyName="own", PolicyDocument=written)
    kms = world.client(made=iam.create_access_key(UserName="heidi")["AccessKey"])
    told = world.denied(kms.describe_key, KeyId=key)
    assert told["owner"] == world.account
    encoded = world.why("--encoded").strip()
    answer = world.sts.decode_authorization_message(EncodedMessage=encoded)
    assert "Secret" not in answer["DecodedMessage"]
    assert "username" not in answer["DecodedMessage"]
