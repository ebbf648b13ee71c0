"""`kagimori policy test`: a proposed key policy, tried on a small real trail."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

import serving
from serving import refused, run

PAIR = {"Dept": "Finance"}


def client_of(server, service="kms", *, made):
    session = made.get("SessionToken")
    client = server.client(service, access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    if session is not None:
        client._request_signer._credentials.token = session
    return client


class World:
    """A key, a user, a role and its sessions; what they asked, allowed and denied."""

    def __init__(self, server):
        self.server, self.data, self.account = server, server.data, server.account
        self.kms, self.iam = server.client(), server.client("iam")
        self.clients = [self.kms, self.iam]
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.kms.create_alias(AliasName="alias/orders", TargetKeyId=self.key)
        self.alice = self._user("alice", "kms:Encrypt", "kms:Decrypt")
        self.bob = self._user("bob")
        self.role = self._role()
        blob = self.alice.encrypt(KeyId="alias/orders", Plaintext=b"a", EncryptionContext=PAIR)
        for _ in range(3):
            self.alice.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=PAIR)
        with refused("AccessDeniedException"):
            self.bob.describe_key(KeyId=self.key)
        self.session("kept").describe_key(KeyId=self.key)
        narrow = policy(allow("kms:Describe*"))
        self.session("narrow", Policy=narrow).describe_key(KeyId=self.key)
        self.kms.describe_key(KeyId=self.key)

    def _user(self, name, *actions):
        self.iam.create_user(UserName=name)
        if actions:
            text = policy(allow(list(actions)))
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=text)
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self._client(made=made)

    def _role(self):
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": self.account},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
        role = self.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=policy(trust))
        text = policy(allow("kms:DescribeKey"))
        self.iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=text)
        text = policy(allow("sts:*"))
        self.iam.put_user_policy(UserName="alice", PolicyName="sts", PolicyDocument=text)
        return role["Role"]["Arn"]

    def session(self, name, **more):
        made = self.iam.create_access_key(UserName="alice")["AccessKey"]
        sts = self._client("sts", made=made)
        answer = sts.assume_role(RoleArn=self.role, RoleSessionName=name, **more)
        self.iam.delete_access_key(UserName="alice", AccessKeyId=made["AccessKeyId"])
        return self._client(made=answer["Credentials"])

    def _client(self, service="kms", *, made):
        self.clients.append(client_of(self.server, service, made=made))
        return self.clients[-1]

    def default(self, *more):
        root = {"AWS": f"arn:aws:iam::{self.account}:root"}
        return [{**allow("kms:*"), "Principal": root}, *more]

    def user(self, name):
        return f"arn:aws:iam::{self.account}:user/{name}"

    def test(self, folder, statements, *, key=None, options=(), data=None):
        """Return exit code and answer of `kagimori policy test`."""
        file = folder / "policy.json"
        file.write_text(policy(*statements))
        done = run(
            *("policy", "test", "--data", data or self.data, "--key", key or self.key),
            *("--policy", file, "--output", "json", *options),
        )
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, **more):
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


@pytest.fixture(scope="module")
def world():
    with serving.served() as server:
        made = World(server)
        yield made
        for client in made.clients:
            client.close()


def groups(answer, name):
    return [(one["action"], one["caller"].rpartition(":")[2], one["count"]) for one in answer[name]]


def test_the_policy_as_it_is_changes_nothing(world, tmp_path):
    code, answer = world.test(tmp_path, world.default())
    assert code == 0
    assert answer["newly_fail"] == answer["newly_pass"] == answer["uncertain"] == []
    assert answer["requests"] >= 8
    assert answer["first"] <= answer["last"]


@pytest.mark.parametrize("named", ["alias/orders", "id", "arn"])
def test_a_key_is_named_as_anywhere(world, tmp_path, named):
    key = {"id": world.key.rpartition("/")[2], "arn": world.key}.get(named, named)
    assert world.test(tmp_path, world.default(), key=key)[0] == 0


def test_a_deny_newly_fails_what_it_names(world, tmp_path):
    no = {
        **allow("kms:Decrypt", Sid="No"),
        "Effect": "Deny",
        "Principal": {"AWS": world.user("alice")},
        "Condition": {"StringEquals": {"kms:EncryptionContext:Dept": "Finance"}},
    }
    code, answer = world.test(tmp_path, world.default(no))
    assert code == 1
    (group,) = answer["newly_fail"]
    assert (group["action"], group["caller"], group["count"]) == (
        "kms:Decrypt",
        world.user("alice"),
        3,
    )
    assert group["why"] == "statement 'No' of the key policy denies it"
    assert group["first"] <= group["last"]


def test_conditions_are_judged_with_what_was_recorded(world, tmp_path):
    other = {
        **allow("kms:*", Sid="No"),
        "Effect": "Deny",
        "Principal": {"AWS": world.user("alice")},
        "Condition": {
            "StringEquals": {"kms:RequestAlias": "alias/orders"},
            "IpAddress": {"aws:SourceIp": "127.0.0.1"},
            "Bool": {"aws:SecureTransport": "false"},
            "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
        },
    }
    _, answer = world.test(tmp_path, world.default(other))
    assert groups(answer, "newly_fail") == [("kms:Encrypt", "user/alice", 1)]


def test_what_was_denied_may_newly_pass(world, tmp_path):
    yes = {**allow("kms:DescribeKey", Sid="Bob"), "Principal": {"AWS": world.user("bob")}}
    code, answer = world.test(tmp_path, world.default(yes))
    assert code == 0
    assert groups(answer, "newly_pass") == [("kms:DescribeKey", "user/bob", 1)]
    assert answer["newly_pass"][0]["why"] == "statement 'Bob' of the key policy allows it"


def test_without_the_accounts_statement_iam_is_powerless(world, tmp_path):
    only = {**allow("kms:*"), "Principal": {"AWS": world.user("bob")}}
    code, answer = world.test(tmp_path, [only])
    assert code == 1
    failing = {(action, who) for action, who, _ in groups(answer, "newly_fail")}
    assert ("kms:Decrypt", "user/alice") in failing
    assert ("kms:DescribeKey", "assumed-role/reader/kept") in failing
    assert ("kms:DescribeKey", "assumed-role/reader/narrow") in failing
    assert ("kms:DescribeKey", "root") in failing


def test_sessions_are_judged_with_what_they_were_made_with(world, tmp_path):
    role = {**allow("kms:DescribeKey"), "Principal": {"AWS": world.role}}
    code, answer = world.test(tmp_path, world.default(role))
    assert (code, answer["uncertain"]) == (0, [])


def test_what_is_not_recorded_is_not_guessed(world, tmp_path):
    referred = {
        **allow("kms:Decrypt", Sid="No"),
        "Effect": "Deny",
        "Principal": {"AWS": world.user("alice")},
        "Condition": {"StringEquals": {"aws:Referer": "elsewhere"}},
    }
    code, answer = world.test(tmp_path, world.default(referred))
    assert (code, answer["newly_fail"]) == (0, [])
    assert groups(answer, "uncertain") == [("kms:Decrypt", "user/alice", 3)]
    assert answer["uncertain"][0]["unknown"] == ["aws:referer"]


def test_sessions_whose_making_is_not_recorded_are_uncertain(world, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(world.data / "audit", copy / "audit")
    shutil.copy(world.data / "seal.key", copy)
    store, other = (sqlite3.connect(data / "kagimori.db") for data in (world.data, copy))
    with closing(store), closing(other):
        store.backup(other)
    for journal in (copy / "audit").glob("*/*.jsonl"):
        kept = [line for line in journal.read_bytes().splitlines(True) if b"AssumeRole" not in line]
        journal.write_bytes(b"".join(kept))
    code, answer = world.test(tmp_path, world.default(), data=copy)
    assert (code, answer["newly_fail"]) == (0, [])
    assert groups(answer, "uncertain") == [
        ("kms:DescribeKey", "assumed-role/reader/kept", 1),
        ("kms:DescribeKey", "assumed-role/reader/narrow", 1),
    ]
    assert answer["uncertain"][0]["why"] == "it depends on session policies"


def test_unknown_values_that_make_no_difference_are_no_doubt(world, tmp_path):
    needless = {
        **allow("kms:Decrypt"),
        "Principal": {"AWS": world.user("alice")},
        "Condition": {"StringEquals": {"aws:Referer": "elsewhere"}},
    }
    code, answer = world.test(tmp_path, world.default(needless))
    assert (code, answer["uncertain"]) == (0, [])


def test_only_what_is_recent_counts(world, tmp_path):
    _, answer = world.test(tmp_path, world.default(), options=("--since", "2100-01-01"))
    assert answer["requests"] == 0


def test_people_are_told_in_lines(world, tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(policy({**allow("kms:*"), "Principal": {"AWS": world.user("bob")}}))
    done = run("policy", "test", "--data", world.data, "--key", world.key, "--policy", file)
    assert done.returncode == 1
    assert f"  3 x kms:Decrypt by {world.user('alice')}\n" in done.stdout
    assert "would newly fail:\n" in done.stdout


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "contains invalid Json"),
        (
            policy({**allow("kms:*"), "Principal": {"AWS": "arn:aws:iam::1:user/x"}}),
            "ARN in the specified",
        ),
        (
            policy({**allow("kms:*"), "Principal": {"AWS": "arn:aws:iam::111122223333:user/x"}}),
            "111122223333:user/x",
        ),
    ],
)
def test_a_policy_that_could_not_be_set(world, tmp_path, text, word):
    file = tmp_path / "policy.json"
    file.write_text(text)
    done = run("policy", "test", "--data", world.data, "--key", world.key, "--policy", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr


def test_what_cannot_be_read(world, tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(policy(*world.default()))
    for arguments in (
        ("--data", tmp_path, "--key", world.key, "--policy", file),
        ("--data", world.data, "--key", "alias/none", "--policy", file),
        ("--data", world.data, "--key", world.key[:-1], "--policy", file),
        ("--data", world.data, "--key", world.key, "--policy", tmp_path / "none"),
        ("--data", world.data, "--key", world.key, "--policy", file, "--since", "long ago"),
    ):
        done = run("policy", "test", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert len(done.stderr.splitlines()) == 1


PREDICTED = {
    "the account alone": [],
    "no decryption": [("Deny", "alice", "kms:Decrypt", {})],
    "alice in the office": [
        ("Deny", "alice", "*", {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    ],
    "alice with context": [
        ("Deny", "alice", "kms:*crypt", {"Null": {"kms:EncryptionContext:Dept": "true"}}),
    ],
    "bob too": [("Allow", "bob", "kms:DescribeKey", {})],
    "bob by alias": [("Allow", "bob", "kms:*", {"Null": {"kms:RequestAlias": "false"}})],
    "alice in the past": [
        ("Deny", "alice", "*", {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}})
    ],
}


@pytest.mark.parametrize("name", PREDICTED)
def test_what_is_foretold_comes_true(world, tmp_path, name):
    """Ask, foretell, set the policy, and ask the same again."""
    key = world.kms.create_key()["KeyMetadata"]["Arn"]
    context = {"EncryptionContext": PAIR}
    blob = world.kms.encrypt(KeyId=key, Plaintext=b"x", **context)["CiphertextBlob"]
    calls = {
        ("kms:Encrypt", "user/alice"): lambda: world.alice.encrypt(KeyId=key, Plaintext=b"x"),
        ("kms:Decrypt", "user/alice"): lambda: world.alice.decrypt(CiphertextBlob=blob, **context),
        ("kms:DescribeKey", "user/bob"): lambda: world.bob.describe_key(KeyId=key),
        ("kms:Encrypt", "user/bob"): lambda: world.bob.encrypt(KeyId=key, Plaintext=b"x"),
    }
    before = {call: outcome(ask) for call, ask in calls.items()}
    more = [
        {
            **allow(action, Condition=condition),
            "Effect": effect,
            "Principal": {"AWS": world.user(who)},
        }
        for effect, who, action, condition in PREDICTED[name]
    ]
    _, answer = world.test(tmp_path, world.default(*more), key=key)
    world.kms.put_key_policy(KeyId=key, Policy=policy(*world.default(*more)))
    after = {call: outcome(ask) for call, ask in calls.items()}
    failing = {call for call in calls if before[call] and not after[call]}
    passing = {call for call in calls if after[call] and not before[call]}
    assert {call[:2] for call in groups(answer, "newly_fail")} == failing
    assert {call[:2] for call in groups(answer, "newly_pass")} == passing
    assert answer["uncertain"] == []


def outcome(ask):
    try:
        ask()
    except ClientError as problem:
        assert problem.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_who_is_gone_cannot_be_judged(world, tmp_path):
    made = world.iam.create_user(UserName="carol")["User"]
    text = policy(allow("kms:DescribeKey"))
    world.iam.put_user_policy(UserName="carol", PolicyName="p", PolicyDocument=text)
    key = world.iam.create_access_key(UserName="carol")["AccessKey"]
    client = client_of(world.server, made=key)
    other = world.kms.create_key()["KeyMetadata"]["Arn"]
    client.describe_key(KeyId=other)
    client.close()
    world.iam.delete_access_key(UserName="carol", AccessKeyId=key["AccessKeyId"])
    world.iam.delete_user_policy(UserName="carol", PolicyName="p")
    world.iam.delete_user(UserName="carol")
    world.iam.create_user(UserName="carol")  # a namesake is somebody else
    _, answer = world.test(tmp_path, world.default(), key=other)
    assert groups(answer, "uncertain") == [("kms:DescribeKey", "user/carol", 1)]
    assert answer["uncertain"][0]["why"] == "the caller does not exist any more"
    world.iam.delete_user(UserName="carol")
    assert made["Arn"] == world.user("carol")
