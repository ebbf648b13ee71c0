"""Copies of digests off the host: to a receiver, and to a bucket; and what they then prove."""

import base64
import hashlib
import json
import shutil

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import serving
from kagimori.rules.records.bucket import read_bucket
from kagimori.rules.records.receiver import BadReceiver, read_receiver
from kagimori.trail.checkpoints import CheckpointBucket, CheckpointFolder, checkpoints_at
from kagimori.trail.digests import Digester
from kagimori.trail.receiving import NotTaken
from receivers import SECRET, receiver

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a secret of the tests"}
OFTEN = ("--digest-minutes", "0.01")


def verified(data, copies):
    done = serving.run(
        "audit", "verify", "--data", data, "--checkpoints", copies, "--output", "json"
    )
    return json.loads(done.stdout)


def write_copies(folder, copies):
    folder.mkdir()
    for name, content in copies:
        (folder / name.rpartition("/")[2]).write_bytes(content)
    return folder


def test_a_receiver_has_what_proves_that_old_data_was_put_in_place(tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "secret").chmod(0o600)
    with receiver() as received, serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        options = ("--checkpoint", received.url, "--webhook-secret", tmp_path / "secret")
        with serving.served(*options, data=data) as server:
            server.client().create_key()
        shutil.copytree(data, folder / "before")
        received.refusing = True
        with serving.served(*options, *OFTEN, data=data) as server:
            kms = server.client()
            kms.create_key()
            serving.eventually(lambda: received.refused, 20)
            received.refusing = False
            seen = len(received.bodies)
            kms.create_key()
            serving.eventually(lambda: len(received.bodies) > seen, 20)
            kms.close()
        assert "is not kept elsewhere yet" in "".join(server.stderr)
        assert received.bad == []
        copies = write_copies(folder / "copies", received.bodies)
        assert verified(data, copies)["intact"]
        old = verified(folder / "before", copies)
        assert {found["kind"] for found in old["findings"]} == {"old data", "cut tail"}


def signature_by_aws(path, headers, body, secret):
    """Sign what came with AWS's own code; return the signature it should have."""
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("PUT", f"http://{headers['host']}{path}", data=body)
    for name in names:
        if name != "host":
            request.headers[name] = headers[name]
    auth = S3SigV4Auth(Credentials(KEYS["AWS_ACCESS_KEY_ID"], secret), "s3", "eu-central-1")
    request.context["timestamp"] = headers["x-amz-date"]
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(text, request)


def test_a_bucket_has_copies_that_nobody_can_change():
    with receiver() as received, serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"]
        arguments += ["--checkpoint", "s3://worm/kagimori/node-1", "--checkpoint-lock-days", "30"]
        server = serving.Server(
            arguments,
            data=data,
            made=made,
            AWS_ENDPOINT_URL_S3=received.url.removesuffix("/events"),
            AWS_REGION="eu-central-1",
            **KEYS,
        ).wait_ready()
        try:
            server.client().create_key()
        finally:
            server.stop()
        assert received.puts
        for path, given, body in received.puts:
            headers = {name.lower(): value for name, value in given.items()}
            assert path.startswith("/worm/kagimori/node-1/checkpoint-")
            assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
            assert headers["x-amz-object-lock-retain-until-date"].endswith("Z")
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            assert headers["x-amz-checksum-sha256"] == digest
            assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
            signature = headers["authorization"].rpartition("Signature=")[2]
            secret = KEYS["AWS_SECRET_ACCESS_KEY"]
            assert signature == signature_by_aws(path, headers, body, secret)
            assert signature != signature_by_aws(path, headers, body, "another")
        copies = write_copies(folder / "copies", received.objects.items())
        found = verified(data, copies)
        assert found["intact"]
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in "".join(server.stderr)


def test_where_a_bucket_is():
    bucket = read_bucket("s3://worm/a/b/", {**KEYS, "AWS_REGION": "eu-west-1"})
    assert (bucket.receiver.host, bucket.base) == ("s3.eu-west-1.amazonaws.com", "/worm/a/b/")
    assert bucket.receiver.authority == "s3.eu-west-1.amazonaws.com"
    there = read_bucket("s3://worm", {**KEYS, "AWS_ENDPOINT_URL_S3": "https://[::1]:9000/x/"})
    assert (there.receiver.authority, there.base) == ("[::1]:9000", "/x/worm/")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(there)


@pytest.mark.parametrize(
    ("place", "more"),
    [
        ("s3://Worm", {}),
        ("s3://worm/../x", {}),
        ("s3://worm/a?b", {}),
        ("s3://worm", {"AWS_ENDPOINT_URL_S3": "http://192.0.2.1"}),
        ("s3://worm", {"AWS_SECRET_ACCESS_KEY": ""}),
    ],
)
def test_where_no_bucket_is(place, more):
    with pytest.raises(BadReceiver):
        read_bucket(place, {**KEYS, **more})


@pytest.mark.parametrize(
    "url",
    ["", "x", "http://example.org/", "https://", "https://a b/", "https://h:x/", "https://h/\n"],
)
def test_where_no_receiver_is(url):
    with pytest.raises(BadReceiver):
        read_receiver(url)


def test_a_session_token_is_signed(monkeypatch):
    sent = []
    monkeypatch.setattr("kagimori.trail.bucket.exchange", lambda *args: sent.append(args))
    bucket = read_bucket("s3://worm", {**KEYS, "AWS_SESSION_TOKEN": "temporary"})
    CheckpointBucket(bucket, 0.0, lambda: 1_790_000_000.0).keep("name.json", b"{}")
    headers = sent[0][4]
    assert headers["x-amz-security-token"] == "temporary"
    assert "x-amz-security-token" in headers["authorization"]
    assert "x-amz-object-lock-mode" not in headers


def test_a_copy_that_was_not_taken_is_tried_again(tmp_path):
    class Place:
        refuses, kept = True, {}

        def keep(self, name, content):
            if self.refuses:
                raise NotTaken("unplugged")
            self.kept[name] = content

    (tmp_path / "audit").mkdir()
    place, troubles = Place(), []
    digester = Digester(
        tmp_path / "audit",
        fingerprint="f" * 64,
        sign=lambda to_sign: "00",
        now=lambda: 1_790_000_000.0,
        trouble=troubles.append,
        checkpoints=place,
    )
    digester.make()
    assert not digester.copy()
    assert "unplugged" in troubles[0]
    place.refuses = False
    assert digester.copy()
    assert list(place.kept) == [f"checkpoint-{'f' * 16}-{1:020d}.json"]
    place.refuses = True
    assert digester.copy(), "nothing more is to be done"


def test_a_folder_keeps_the_newest(tmp_path):
    place = checkpoints_at(
        str(tmp_path / "copies"), secret=None, lock_days=0.0, environment={}, now=float
    )
    assert isinstance(place, CheckpointFolder)
    for number in range(60):
        place.keep(f"checkpoint-abc-{number:020d}.json", b"{}")
    names = sorted(path.name for path in (tmp_path / "copies").iterdir())
    assert (len(names), names[0]) == (48, f"checkpoint-abc-{12:020d}.json")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotTaken):
        CheckpointFolder(tmp_path / "file").keep("x-1.json", b"")
