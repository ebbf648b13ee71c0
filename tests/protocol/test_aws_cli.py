"""The AWS CLI, unchanged, told where to go by `kagimori env` alone: over HTTP, and over TLS."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

import serving

AWS = str(Path(sys.executable).with_name("aws"))


class Cli:
    """Runs `aws` in the environment that a server's `kagimori env` prints."""

    def __init__(self, variables):
        self.variables = variables

    def __call__(self, *arguments):
        return subprocess.run(
            [AWS, *map(str, arguments), "--output", "json"],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.variables,
        )

    def json(self, *arguments):
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None


@pytest.fixture(scope="module", params=["http", "https"])
def aws(request):
    options = ("--tls",) if request.param == "https" else ()
    with serving.served(init_options=options) as server:
        variables = server.environment()
        assert variables["AWS_ENDPOINT_URL"].startswith(f"{request.param}://")
        assert ("AWS_CA_BUNDLE" in variables) == (request.param == "https")
        yield Cli(variables)


def test_a_secret_goes_there_and_back(aws, tmp_path):
    key = aws.json("kms", "create-key", "--description", "from the CLI")["KeyMetadata"]
    aws.json("kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", key["KeyId"])
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x00a secret\xff")
    context = ("--encryption-context", "team=blue,stage=test")
    sealed = aws.json(
        *("kms", "encrypt", "--key-id", "alias/cli", "--plaintext", f"fileb://{secret}"), *context
    )
    assert sealed["KeyId"] == key["Arn"]
    blob = tmp_path / "blob"
    blob.write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
    decrypt = ("kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}")
    opened = aws.json(*decrypt, *context)
    assert base64.b64decode(opened["Plaintext"]) == secret.read_bytes()
    refused = aws(*decrypt)
    assert refused.returncode == 254 or refused.returncode == 255
    assert "(InvalidCiphertextException) when calling the Decrypt operation" in refused.stderr


def test_lists_are_walked_to_their_end(aws):
    made = {aws.json("kms", "create-key")["KeyMetadata"]["KeyId"] for _ in range(2)}
    listed = aws.json("kms", "list-keys", "--page-size", "1")["Keys"]
    assert made <= {key["KeyId"] for key in listed}


def test_who_am_i(aws):
    identity = aws.json("sts", "get-caller-identity")
    assert identity["Arn"] == f"arn:aws:iam::{identity['Account']}:root"


def test_the_life_of_a_user(aws, tmp_path):
    policy = tmp_path / "policy.json"
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    name = ("--user-name", "alice")
    tags = ("--tags", "Key=team,Value=vault")
    user = aws.json("iam", "create-user", *name, "--path", "/people/", *tags)["User"]
    assert user["Arn"].endswith(":user/people/alice")
    made = aws.json(
        "iam", "create-policy", "--policy-name", "kms", "--policy-document", f"file://{policy}"
    )
    attach = ("--policy-arn", made["Policy"]["Arn"])
    aws.json("iam", "attach-user-policy", *name, *attach)
    key = aws.json("iam", "create-access-key", *name)["AccessKey"]
    as_alice = Cli(
        {
            **aws.variables,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    )
    assert as_alice.json("sts", "get-caller-identity")["Arn"] == user["Arn"]
    assert "Keys" in as_alice.json("kms", "list-keys")
    refused = as_alice("iam", "list-users")
    assert "(AccessDenied) when calling the ListUsers operation" in refused.stderr
    aws.json("iam", "delete-access-key", *name, "--access-key-id", key["AccessKeyId"])
    refused = as_alice("kms", "list-keys")
    assert "(UnrecognizedClientException)" in refused.stderr
    refused = aws("iam", "delete-user", *name)
    assert "(DeleteConflict) when calling the DeleteUser operation" in refused.stderr
    aws.json("iam", "detach-user-policy", *name, *attach)
    aws.json("iam", "delete-user", *name)
    aws.json("iam", "delete-policy", *attach)
    assert aws.json("iam", "list-users")["Users"] == []


@pytest.fixture(scope="module")
def secure():
    with serving.served(init_options=("--tls", "--region", "eu-central-1")) as server:
        yield server


def test_without_the_authority_there_is_no_trust(secure):
    variables = secure.environment()
    del variables["AWS_CA_BUNDLE"]
    done = Cli(variables)("kms", "list-keys")
    assert done.returncode != 0
    assert "SSL validation failed" in done.stderr


def test_the_bundle_is_found_from_any_folder(secure):
    assert Path(secure.environment()["AWS_CA_BUNDLE"]).is_absolute()


def test_the_bundle_is_found_when_init_was_told_a_relative_folder(monkeypatch):
    with serving.temporary_folder() as folder:
        monkeypatch.chdir(folder)
        serving.init("deployment", "--tls")
        lines = serving.run("env", "--data", "deployment", check=True).stdout.splitlines()
        bundle = next(line for line in lines if "AWS_CA_BUNDLE" in line).partition("=")[2]
        assert Path(bundle.strip("'")) == folder.resolve() / "deployment" / "tls" / "ca.pem"
        assert Path(bundle.strip("'")).is_file()


def test_boto3_trusts_the_bundle(secure):
    import boto3

    session = boto3.session.Session(
        secure.made["access_key_id"], secure.made["secret_access_key"], region_name=secure.region
    )
    bundle = secure.environment()["AWS_CA_BUNDLE"]
    kms = session.client("kms", endpoint_url=secure.url, verify=bundle)
    assert kms.list_keys()["Keys"] == []
    kms.close()


def test_a_plain_request_to_a_tls_port_gets_nothing(secure):
    import http.client

    port = int(secure.url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/healthz")
        connection.getresponse()
    connection.close()


def test_health_over_tls(secure):
    trust = serving.trust(secure.environment()["AWS_CA_BUNDLE"])
    assert serving.get(f"{secure.url}/readyz", context=trust)[0] == 200
    by_name = secure.url.replace("127.0.0.1", "localhost")
    assert serving.get(f"{by_name}/healthz", context=trust)[0] == 200
