"""One deployment on two nodes: what is good once is good once, and what one counts all count.

Servers are dear: the tests share them, and each leaves two nodes that serve.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import serving
from kit.nodes import nodes
from serving import eventually
from totp import code

OPTIONS = ("--set", "nodes.lease_seconds=3", "--digest-minutes", "0.02")
PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def cluster():
    with nodes(2, *OPTIONS) as made:
        yield made


@pytest.fixture
def one(cluster):
    return cluster[0]


@pytest.fixture
def other(cluster):
    return cluster[1]


@pytest.fixture
def key(one, other):
    made = one.client().create_key()["KeyMetadata"]["Arn"]
    eventually(lambda: other.client().describe_key(KeyId=made))
    return made


@pytest.fixture
def user(one):
    """A client factory of a new user who may do everything, and the user's name."""
    iam, name = one.client("iam"), f"u{time.time_ns()}"
    iam.create_user(UserName=name)
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*"}}
    everything["Statement"]["Resource"] = "*"
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    named = {"access_key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}

    def client(node, service="kms"):
        return node.client(service, **named)

    client.name, client.access_key = name, made["AccessKeyId"]
    return client


def refusal(call, **members):
    with pytest.raises(ClientError) as refused:
        call(**members)
    return refused.value.response["Error"]["Code"]


def events(node, name):
    pages = (
        node.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
    )
    return [json.loads(one["CloudTrailEvent"]) for page in pages for one in page["Events"]]


# --- what is good once ----------------------------------------------------------------------------


@pytest.fixture
def device(one, user):
    """The serial number and seed of the user's MFA device, and a moment that has not come yet."""
    iam = one.client("iam")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=user.name)["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"].decode()
    now = time.time()
    iam.enable_mfa_device(
        UserName=user.name,
        SerialNumber=serial,
        AuthenticationCode1=code(seed, now - 30),
        AuthenticationCode2=code(seed, now),
    )
    return serial, code(seed, now + 30)


def test_an_mfa_code_that_one_node_took_is_refused_by_the_other(one, other, user, device):
    given = {"SerialNumber": device[0], "TokenCode": device[1]}
    eventually(lambda: user(other, "sts").get_caller_identity())
    user(one, "sts").get_session_token(**given)
    assert refusal(user(other, "sts").get_session_token, **given) == "AccessDenied"
    assert refusal(user(one, "sts").get_session_token, **given) == "AccessDenied"


def test_of_many_who_give_a_code_to_both_nodes_at_once_one_gets_a_session(one, other, user, device):
    given = {"SerialNumber": device[0], "TokenCode": device[1]}
    clients = [user(node, "sts") for node in (one, other) * 4]
    eventually(clients[1].get_caller_identity)

    def ask(sts):
        try:
            return sts.get_session_token(**given)["Credentials"]
        except ClientError as refused:
            return refused.response["Error"]["Code"]

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(ask, clients))
    assert sum(isinstance(answer, dict) for answer in answers) == 1, answers


# --- credentials ----------------------------------------------------------------------------------


def test_a_session_ends_on_both_with_its_users_permission(one, other, user):
    made = user(one, "sts").get_session_token()["Credentials"]
    session = {
        "access_key": made["AccessKeyId"],
        "secret": made["SecretAccessKey"],
        "token": made["SessionToken"],
    }
    for node in (one, other):
        node.client(**session).list_keys()
    one.client("iam").delete_user_policy(UserName=user.name, PolicyName="all")
    for node in (one, other):
        eventually(
            lambda node=node: is_refused(node.client(**session).list_keys, "AccessDeniedException")
        )


def test_an_access_key_that_was_made_inactive_is_refused_on_both(one, other, user):
    for node in (one, other):
        user(node).list_keys()
    other.client("iam").update_access_key(
        UserName=user.name, AccessKeyId=user.access_key, Status="Inactive"
    )
    for node in (one, other):
        eventually(
            lambda node=node: is_refused(user(node).list_keys, "UnrecognizedClientException")
        )


def is_refused(call, name):
    try:
        call()
    except ClientError as refused:
        return refused.response["Error"]["Code"].startswith(name)
    return False


# --- what is counted ------------------------------------------------------------------------------


def test_each_knows_the_newest_use_of_a_key_wherever_it_was(one, other, key):
    for there, here in ((one, other), (other, one), (one, other)):
        for node in (here, there):  # the newest use is the second
            made = node.client().encrypt(KeyId=key, Plaintext=b"x")
        wanted = made["ResponseMetadata"]["RequestId"]
        for node in (one, other):
            eventually(lambda node=node, wanted=wanted: newest_use(node, key) == wanted, seconds=20)


def newest_use(node, key):
    return node.client().get_key_last_usage(KeyId=key)["KeyLastUsage"].get("KmsRequestId")


def test_each_knows_when_an_access_key_was_used(one, other, user):
    user(other, "iam").list_users()

    def used(node):
        iam = node.client("iam")
        found = iam.get_access_key_last_used(AccessKeyId=user.access_key)["AccessKeyLastUsed"]
        return found.get("ServiceName")

    for node in (one, other):
        eventually(lambda node=node: used(node) == "iam")


def test_usage_counts_the_requests_of_all_nodes_on_each(one, other, key):
    for node, times in ((one, 5), (other, 8)):
        for _ in range(times):
            node.client().encrypt(KeyId=key, Plaintext=b"x")

    def counted(node):
        done = as_root(node, "usage", "--data", node.data, "--by", "key", "--output", "json")
        found = {one.get("name"): one["requests"] for one in json.loads(done.stdout)["entries"]}
        return found.get(key, 0)

    def is_counted():
        counts = [counted(node) for node in (one, other)]
        return counts[0] == counts[1] and counts[0] >= 13

    eventually(is_counted, seconds=30)


def as_root(node, *arguments):
    """Run a command with the root user's key: a node that joined has none in its folder."""
    return serving.run(
        *arguments,
        check=True,
        AWS_ACCESS_KEY_ID=node.made["access_key_id"],
        AWS_SECRET_ACCESS_KEY=node.made["secret_access_key"],
        AWS_REGION=node.made["region"],
    )


RATE = 30


def test_both_together_admit_the_rate_of_an_account(cluster, one, other):
    account = cluster.made["account_id"]
    as_root(one, "quota", "set", "Reads", RATE, "--account", account, "--data", one.data)
    nodes = [node.client() for node in (one, other) for _ in range(2)]
    admitted = []

    def ask(kms):
        while time.monotonic() < until:
            with contextlib.suppress(ClientError):
                kms.list_aliases()
                admitted.append(time.monotonic())

    try:
        until = time.monotonic() + 8
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(ask, nodes))
        settled = [at for at in admitted if at > until - 5]  # what the buckets held is used up
        assert len(settled) <= 1.1 * 5 * RATE + 2 * RATE, "one of them alone would give as much"
    finally:
        as_root(one, "quota", "set", "Reads", 20000, "--account", account, "--data", one.data)
        eventually(lambda: all(not is_refused(kms.list_aliases, "Throttling") for kms in nodes))


# --- what each says of all ------------------------------------------------------------------------


def test_each_shows_the_state_of_all_nodes(cluster, one, other):
    eventually(lambda: cluster.holder() is not None, seconds=20)
    eventually(lambda: all(len(shown(node)) == 2 for node in (one, other)), seconds=20)
    holder = cluster[cluster.holder()].id
    for node in (one, other):
        found = {each["NodeId"]: each for each in shown(node)}
        assert set(found) == {one.id, other.id}
        for each in found.values():
            assert each["State"] == "LIVE"
            assert each["HeartbeatAgeSeconds"] < 3
            assert each["HoldsLease"] == (each["NodeId"] == holder)
            assert (each["Workers"], each["Troubles"]) == (1, [])
            assert each["Version"]
        assert found[node.id]["Address"] == node.url
        printed = serving.run("status", "--data", node.data, check=True).stdout
        assert one.id in printed
        assert other.id in printed
        assert node.client("kagimori").get_status()["DomainKeys"]["current"] == 2


def shown(node):
    found = node.client("kagimori").get_status()["Nodes"]
    return [each for each in found if "HeartbeatAgeSeconds" in each]


# --- backups, seals, domain keys ------------------------------------------------------------------


def test_a_backup_by_one_node_holds_what_the_other_made(one, other, key):
    blob = one.client().encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    with serving.temporary_folder() as folder:
        root = folder / "seal.key"
        root.write_bytes((one.data / "seal.key").read_bytes())
        as_root(other, "backup", "--data", other.data, "--to", folder / "one.backup")
        backup = ("--from", folder / "one.backup", "--root", root)
        proof = serving.run("backup", "verify", *backup, "--output", "json")
        assert proof.returncode == 0, proof.stdout
        assert json.loads(proof.stdout)["works"]
        (folder / "blob").write_bytes(blob)
        opened = serving.run(
            *("decrypt-offline", "--store", folder / "one.backup", "--root", root),
            *("--ciphertext", folder / "blob"),
            check=True,
        )
        assert opened.stdout == "kept"


def test_domain_keys_rotated_by_one_are_used_by_both(one, other, key):
    blobs = [
        node.client().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for node in (one, other)
    ]
    before = current(one)
    one.client("kagimori").rotate_domain_key()
    made = other.client().create_key()["KeyMetadata"]["KeyId"]
    for node in (one, other):
        eventually(lambda node=node: current(node) != before and current(node) == current(one))
        for blob in blobs:
            assert node.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        eventually(lambda node=node: node.client().encrypt(KeyId=made, Plaintext=b"x"))
        node.client("sts").get_session_token()
    for node in (one, other):
        eventually(lambda node=node: rewrapping(node) == "done", seconds=60)
        signed = node.client("kagimori").get_audit_status()["Digests"]
        eventually(
            lambda node=node, signed=signed: (
                node.client("kagimori").get_audit_status()["Digests"] > signed + 1
            ),
            seconds=30,
        )


def current(node):
    domains = node.client("kagimori").get_domain_status()["Domains"]
    return sorted(
        key["DomainKeyId"] for one in domains for key in one["Keys"] if key["State"] == "CURRENT"
    )


def rewrapping(node):
    return node.client("kagimori").get_domain_status()["Rewrapping"]["State"]


def test_a_seal_that_one_node_added_opens_the_other(one, other, key):
    blob = one.client().encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    command("seal", "add", "passphrase", "--data", one.data)
    eventually(lambda: "passphrase" in command("seal", "list", "--data", other.data), seconds=20)
    (other.data / "seal.key").rename(other.data / "put-aside")
    os.kill(other.pids["hsm"], signal.SIGKILL)
    eventually(lambda: troubles(other) == ["sealed"], seconds=60)
    assert one.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    command("unseal", "--data", other.data)
    eventually(lambda: troubles(other) == [], seconds=60)
    assert other.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    (other.data / "put-aside").rename(other.data / "seal.key")


def troubles(node):
    return json.loads(serving.get(node.url + "/readyz")[2])["troubles"]


def command(*arguments):
    done = subprocess.run(
        [serving.KAGIMORI, *map(str, arguments)],
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        timeout=60,
        env=serving.environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- a node that is lost --------------------------------------------------------------------------


def test_what_a_lost_node_committed_and_did_not_journal_another_records(cluster, one, other):
    kept = set()
    for number in range(10):  # until one is committed whose record cannot be journalled
        eventually(lambda: troubles(other) == [], seconds=60)
        limit_files(other, 1)
        with contextlib.suppress(ClientError):
            other.client().create_key(Description=f"lost {number}")
        kept = lost_keys(one)
        if kept:
            break
        limit_files(other, resource.RLIM_INFINITY)
    other.kill()
    assert kept
    eventually(lambda: recorded(one) == sorted(kept), seconds=60)
    cluster.start(1)
    for node in (one, other):
        eventually(lambda node=node: recorded(node) == sorted(kept), seconds=60)
        verified = serving.run("audit", "verify", "--data", node.data)
        assert verified.returncode == 0, verified.stdout


def limit_files(node, size):
    """Let the node's worker write nothing to a file after so many bytes."""
    resource.prlimit(node.pids["w0"], resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def lost_keys(node):
    kms = node.client()
    names = kms.get_paginator("list_keys").paginate().search("Keys[].KeyId")
    found = {kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] for key in names}
    return {text for text in found if text.startswith("lost ")}


def recorded(node):
    """The descriptions of lost keys whose making is recorded, once for each record."""
    made = [
        (event["requestParameters"] or {}).get("description") or ""
        for event in events(node, "CreateKey")
        if not event.get("errorCode")
    ]
    return sorted(text for text in made if text.startswith("lost "))
