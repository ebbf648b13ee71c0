"""The command as a client: at an endpoint with credentials, or by the folder of a running server."""

import json
import re
import subprocess

import pytest

import serving
from serving import KAGIMORI, environment, eventually, run

KEYS = ("--output", "json")


@pytest.fixture(scope="module")
def server():
    with serving.served("--digest-minutes", "0.01") as made:
        yield made


@pytest.fixture(scope="module")
def variables(server):
    """What `kagimori env` sets: an endpoint and root credentials, no folder."""
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": server.made["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": server.made["secret_access_key"],
        "AWS_REGION": server.region,
    }


@pytest.fixture(params=["--data", "--endpoint", "environment"])
def ask(request, server, variables):
    """Run a command in each of the three ways; return what it did."""
    if request.param == "--data":
        return lambda *words: run(*words, "--data", server.data)
    if request.param == "environment":
        return lambda *words: run(*words, **variables)
    credentials = {name: one for name, one in variables.items() if name != "AWS_ENDPOINT_URL"}
    return lambda *words: run(*words, "--endpoint", server.url, **credentials)


@pytest.fixture(scope="module")
def key(server):
    kms = server.client()
    made = kms.create_key()["KeyMetadata"]
    kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x")
    return made


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def journalled(server, name):
    """The events of a name in the trail, as it is on the disk."""
    done = run("audit", "search", "--data", server.data, "--event", name, *KEYS, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_accounts_are_listed(ask, server):
    made = told(ask("account", "create", *KEYS))
    assert {"account_id", "access_key_id", "secret_access_key", "region"} <= set(made)
    assert made["endpoint_url"] == server.url
    credentials = {"access_key": made["access_key_id"], "secret": made["secret_access_key"]}
    assert server.client(**credentials).list_keys()["Keys"] == []
    listed = {one["account_id"]: one["is_operator"] for one in told(ask("account", "list", *KEYS))}
    assert listed[made["account_id"]] is False
    assert listed[server.account] is True
    assert made["account_id"] in ask("account", "list").stdout
    assert journalled(server, "ListAccounts")
    assert journalled(server, "CreateAccount")


def test_service_keys_are_listed_and_taken_away(ask, server):
    made = told(ask("service", "create", "s3", *KEYS))
    assert made["secret_access_key"]
    assert made["created_at"] > 0
    listed = {one["access_key_id"]: one for one in told(ask("service", "list", *KEYS))}
    assert listed[made["access_key_id"]]["service_principal"] == "s3.amazonaws.com"
    assert made["access_key_id"] in ask("service", "list").stdout
    assert ask("service", "delete", made["access_key_id"]).returncode == 0
    gone = ask("service", "delete", made["access_key_id"])
    assert gone.returncode == 1
    assert "No service has the access key" in gone.stderr


def test_why_tells_the_same_everywhere(ask, server, key):
    iam = server.client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="carol-of-no-time")
    name = f"carol-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    kms = server.client(access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    with pytest.raises(kms.exceptions.ClientError) as denied:
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    request_id = denied.value.response["ResponseMetadata"]["RequestId"]
    eventually(lambda: ask("why", request_id).returncode == 0)
    found = told(ask("why", request_id, *KEYS))
    assert found["request_id"] == request_id
    assert found["action"] == "kms:Encrypt"
    assert found["suggestion"]
    assert "To allow it" in ask("why", request_id).stdout
    message = told(ask("why", request_id, "--encoded", *KEYS))["EncodedMessage"]
    assert server.client("sts").decode_authorization_message(EncodedMessage=message)
    unknown = ask("why", "11111111-2222-4333-8444-555555555555")
    assert unknown.returncode == 1
    assert "No denial" in unknown.stderr


def test_records_are_searched_and_the_newest_shown(ask, key):
    found = [
        json.loads(line)
        for line in ask("audit", "search", "--key", key["KeyId"], *KEYS).stdout.splitlines()
    ]
    assert [one["eventName"] for one in found][:2] == ["CreateKey", "Encrypt"]
    text = ask("audit", "tail", "-n", "3").stdout
    assert text.split()[:2] == ["time", "who"]
    assert len(text.splitlines()) == 4
    newest = ask("audit", "search", "--newest", "2", *KEYS).stdout.splitlines()
    assert len(newest) == 2


def test_who_follows_does_not_see_the_own_asking(server, variables):
    """Each look at a server is an event itself, which the next look would find."""
    command = [KAGIMORI, "audit", "tail", "--follow", "-n", "1", *KEYS]
    kms = server.client()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(**variables)
    ) as following:
        try:
            following.stdout.readline()  # the newest of before: from here on it follows
            seen = []
            for ask in (kms.list_aliases, kms.list_keys, kms.list_aliases):
                ask()
                seen.append(json.loads(following.stdout.readline())["eventName"])
        finally:
            following.terminate()
    assert seen == ["ListAliases", "ListKeys", "ListAliases"]


def test_what_was_counted_is_shown(ask, key):
    counted = told(ask("metrics", *KEYS))
    assert "CreateKey" in {one["operation"] for one in counted["requests"]}
    assert counted["audit_records"] > 0
    text = ask("metrics").stdout
    assert "CreateKey" in text
    assert "whole" in text


def test_proofs_policies_and_status(ask, server, key, tmp_path):
    prove = ("audit", "prove-unused", "--key", key["KeyId"], "--from", "1h", *KEYS)
    # Until a digest signs the use, the proof ends before it.
    eventually(lambda: ask(*prove).returncode == 1, seconds=30.0)
    used = ask(*prove)
    assert used.returncode == 1, used.stderr
    assert json.loads(used.stdout)["counts"]["Encrypt"][0] >= 1
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{server.account}:root"},
                "Action": "kms:Put*",
                "Resource": "*",
            }
        ],
    }
    (tmp_path / "p.json").write_text(json.dumps(policy))
    tried = ask(*("policy", "test", "--key", key["KeyId"], "--policy", tmp_path / "p.json", *KEYS))
    assert tried.returncode == 1, tried.stderr
    assert "kms:Encrypt" in [one["action"] for one in json.loads(tried.stdout)["newly_fail"]]
    missing = ask("policy", "test", "--key", "alias/none", "--policy", tmp_path / "p.json")
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1
    assert told(ask("status", *KEYS))["status"] == "ready"
    trail = told(ask("audit", "status", *KEYS))
    assert {serving.stream(server.data, "admin").name} <= {one["name"] for one in trail["streams"]}


def test_others_are_refused_in_a_line(server):
    made = json.loads(run("account", "create", "--data", server.data, *KEYS, check=True).stdout)
    variables = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": made["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": made["secret_access_key"],
        "AWS_REGION": server.region,
    }
    done = run("account", "list", **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"kagimori: User: .* is not authorized to perform: .*\n", done.stderr)


def test_an_account_of_a_chosen_id_is_made_in_the_folder(server, variables):
    wanted = ("account", "create", "--account", "123456789012")
    done = run(*wanted, **variables)
    assert done.returncode == 1
    assert "--account goes with --data" in done.stderr
    made = told(run(*wanted, "--data", server.data, *KEYS))
    credentials = {"access_key": made["access_key_id"], "secret": made["secret_access_key"]}
    assert server.client(**credentials).list_keys()["Keys"] == []
    assert run(*wanted, "--data", server.data).returncode == 1


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        ((), {}, "give --data DIR, or --endpoint URL"),
        (("--data", "here", "--endpoint", "http://x"), {}, "do not go together"),
        (("--endpoint", "http://127.0.0.1:1"), {"AWS_REGION": "us-east-1"}, "cannot be reached"),
        (("--endpoint", "nonsense"), {"AWS_REGION": "us-east-1"}, "is an http or https URL"),
        (("--endpoint", "http://127.0.0.1:1"), {}, "no region"),
    ],
)
def test_what_names_no_server_says_so_in_a_line(words, variables, said):
    credentials = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}
    done = run("account", "list", *words, **credentials, **variables)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_without_its_root_access_key_a_served_folder_is_asked_as_the_aws_cli_would(
    server, variables
):
    file = server.data / "root-access-key.json"
    moved = file.rename(file.with_suffix(".moved"))
    try:
        credentials = {name: one for name, one in variables.items() if name != "AWS_ENDPOINT_URL"}
        command = ("account", "list", "--data", server.data, *KEYS)
        assert server.account in {one["account_id"] for one in told(run(*command, **credentials))}
        without = run(*command)
        assert without.returncode == 1
        assert "no AWS credentials" in without.stderr
    finally:
        moved.rename(file)


def test_over_tls_the_folders_authority_is_trusted():
    with serving.served(init_options=("--tls",)) as server:
        assert told(run("account", "list", "--data", server.data, *KEYS))
