"""Events outward: a real server tells a real receiver, and a real command."""

import datetime as dt
import json
import os
import shlex
import ssl
import sys

import pytest

import outside
import serving
from kagimori.deployment.certificates import make_certificate_authority
from receivers import SECRET, receiver

LOCAL = ("--notify-url", "http://127.0.0.1:1/")
DENY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"},
    ],
}


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path / "secret"


def options(received, secret):
    return ("--notify-url", received.url, "--webhook-secret", secret, "--denial-storm", "5")


def told(received, detail_type, number=1):
    serving.eventually(lambda: len(received.of(detail_type)) >= number, 20)
    events = received.of(detail_type)
    assert len(events) == number
    return events[-1]


def test_what_happens_to_keys_is_told(secret):
    with receiver() as received, serving.served(*options(received, secret)) as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]
        arn, key_id = key["Arn"], key["KeyId"]
        kms.rotate_key_on_demand(KeyId=key_id)
        rotated = told(received, "KMS CMK Rotation")
        assert {**rotated, "id": "", "time": "", "detail": ""} == {
            "version": "0",
            "id": "",
            "detail-type": "KMS CMK Rotation",
            "source": "aws.kms",
            "account": server.account,
            "time": "",
            "region": server.region,
            "resources": [arn],
            "detail": "",
        }
        assert rotated["detail"]["key-id"] == key_id
        assert rotated["detail"]["rotation-type"] == "ON_DEMAND"
        assert set(rotated["detail"]) == {
            *("key-id", "key-origin", "rotation-type"),
            *("previous-key-material-id", "current-key-material-id"),
        }
        kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        call = told(received, "AWS API Call via CloudTrail")
        assert call["source"] == "aws.kms"
        assert call["detail"]["eventName"] == "ScheduleKeyDeletion"
        assert call["detail"]["resources"][0]["ARN"] == arn
        approaches = told(received, "KMS CMK Deletion Approaching")
        assert (approaches["source"], approaches["resources"]) == ("kagimori", [arn])
        kms.cancel_key_deletion(KeyId=key_id)
        told(received, "AWS API Call via CloudTrail", 2)
        kms.close()
        assert received.bad == []


def test_imported_material_approaches_its_end_and_ends(secret):
    with receiver() as received, serving.served(*options(received, secret)) as server:
        kms = server.client()
        key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
        valid_to = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=3)
        given = kms.get_parameters_for_import(
            KeyId=key["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        kms.import_key_material(
            KeyId=key["KeyId"],
            ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=outside.wrapped(
                given["PublicKey"], "RSAES_OAEP_SHA_256", os.urandom(32)
            ),
            ExpirationModel="KEY_MATERIAL_EXPIRES",
            ValidTo=valid_to,
        )
        approaches = told(received, "KMS Imported Key Material Expiration Approaching")
        over = told(received, "KMS Imported Key Material Expiration")
        assert over["source"] == "aws.kms"
        assert over["detail"]["key-id"] == approaches["detail"]["key-id"] == key["KeyId"]
        assert over["detail"]["key-material-id"] == approaches["detail"]["key-material-id"]
        kms.close()


def test_a_canary_and_a_storm(secret):
    with receiver() as received, serving.served(*options(received, secret)) as server:
        kms = server.client()
        tag = [{"TagKey": "kagimori:canary", "TagValue": "vault"}]
        canary = kms.create_key(Tags=tag)["KeyMetadata"]["Arn"]
        other = kms.create_key(Policy=json.dumps(DENY))["KeyMetadata"]["Arn"]
        kms.describe_key(KeyId=other)
        kms.describe_key(KeyId=canary)
        touched = told(received, "KMS Canary Key Touched")
        assert (touched["resources"], touched["detail"]["times"]) == ([canary], 1)
        assert touched["detail"]["event"]["eventName"] == "DescribeKey"
        for _ in range(5):
            with serving.refused("AccessDeniedException"):
                kms.encrypt(KeyId=other, Plaintext=b"x")
        storm = told(received, "KMS Denial Storm")
        assert storm["account"] == server.account
        assert storm["detail"]["denials"] == 5
        assert storm["detail"]["event-names"] == {"Encrypt": 5}
        # A key may become one, and cease to be one.
        kms.tag_resource(KeyId=other, Tags=tag)
        told(received, "KMS Canary Key Touched", 2)
        with serving.refused("AccessDeniedException"):
            kms.encrypt(KeyId=other, Plaintext=b"x")
        assert told(received, "KMS Canary Key Touched", 3)["detail"]["event"]["errorCode"]
        kms.untag_resource(KeyId=other, TagKeys=["kagimori:canary"])
        kms.describe_key(KeyId=other)
        kms.describe_key(KeyId=canary)
        last = told(received, "KMS Canary Key Touched", 4)
        assert last["resources"] == [canary]
        kms.close()


def test_what_was_not_taken_waits_also_for_the_next_server(secret):
    with receiver() as received, serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        received.refusing = True
        with serving.served(*options(received, secret), data=data) as server:
            kms = server.client()
            for _ in range(2):
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                kms.rotate_key_on_demand(KeyId=key)
            kms.encrypt(KeyId=key, Plaintext=b"x")  # nobody waits for the receiver
            kms.close()
            serving.eventually(lambda: received.refused >= 2, 20)
        assert "was not taken and waits" in "".join(server.stderr)
        assert SECRET.decode() not in "".join(server.stderr)
        received.refusing = False
        with serving.served(*options(received, secret), data=data) as server:
            told(received, "KMS CMK Rotation", 2)
            kms = server.client()
            kms.rotate_key_on_demand(KeyId=key)
            told(received, "KMS CMK Rotation", 3)
            kms.close()
        ids = [event["id"] for event in received.events]
        assert len(set(ids)) == len(ids)
        assert [name for name, _ in received.bodies] == ids


def test_a_command_is_told_on_its_standard_input(tmp_path):
    visible_to, script = tmp_path / "told", tmp_path / "take.py"
    script.write_text(
        "import pathlib, sys\n"
        f"file = pathlib.Path({str(visible_to)!r})\n"
        "file.open('a').write(sys.stdin.read())\n"
        "sys.exit(0 if file.read_text().count('\\n') > 1 else 1)\n"
    )
    command = shlex.join((sys.executable, str(script)))
    with serving.served("--notify-command", command) as server:
        kms = server.client()
        kms.rotate_key_on_demand(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        serving.eventually(
            lambda: visible_to.exists() and visible_to.read_text().count("\n") == 2, 20
        )
        kms.close()
    first, second = map(json.loads, visible_to.read_text().splitlines())
    assert first == second, "told again, since it ended with 1"
    assert first["detail-type"] == "KMS CMK Rotation"


def test_over_tls(secret, tmp_path):
    files = make_certificate_authority(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with receiver(context) as received, serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"]
        arguments += options(received, secret)
        for trusted, number in ((os.devnull, 0), (files.authority, 1)):
            server = serving.Server(
                arguments, data=data, made=made, SSL_CERT_FILE=str(trusted)
            ).wait_ready()
            try:
                if number:
                    serving.eventually(lambda: received.events, 20)
                else:
                    kms = server.client()
                    kms.rotate_key_on_demand(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
                    kms.close()
                    serving.eventually(lambda s=server: "not taken" in "".join(s.stderr), 20)
            finally:
                server.stop()
            assert len(received.events) == number


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--notify-url", "http://192.0.2.1/x"), "only a loopback address"),
        (("--notify-url", "ftp://127.0.0.1/x"), "not an https:// URL"),
        (("--notify-url", "https://alice@example.org/x"), "not an https:// URL"),
        (("--notify-url", "https://example.org/x"), "needs --webhook-secret"),
        ((*LOCAL, "--webhook-secret", "/nowhere"), "cannot be read"),
        ((*LOCAL, "--webhook-secret", "/dev/null"), "at least 16 bytes"),
        (("--checkpoint", "https://example.org/x"), "needs --webhook-secret"),
        (("--checkpoint", "s3://"), "is not s3://BUCKET/PREFIX"),
        (("--checkpoint", "s3://bucket/a b"), "is not s3://BUCKET/PREFIX"),
        (("--checkpoint", "s3://bucket/x"), "AWS_SECRET_ACCESS_KEY"),
        (("--checkpoint", "/x", "--checkpoint-lock-days", "1"), "needs --checkpoint s3://"),
        (("--notify-command", "'"), "--notify-command"),
    ],
)
def test_what_cannot_be_told_is_said_at_once(arguments, why):
    done = serving.run("serve", "--data", "nowhere", *arguments)
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
