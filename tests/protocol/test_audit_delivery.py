"""Delivery: CloudTrail's names, layout and digests; held to AWS's own validation code."""

import base64
import datetime as dt
import gzip
import hashlib
import io
import json
import re
import shutil

import jmespath
import pytest
from awscli.customizations.cloudtrail.validation import (
    DigestProvider,
    DigestTraverser,
    PublicKeyProvider,
)
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import serving
from receivers import receiver

REGIONS = ("us-east-1", "eu-central-1")


@pytest.fixture(scope="module")
def delivered():
    """A folder that a server delivered to over two lives, account, public key, ListPublicKeys."""
    with serving.temporary_folder() as folder:
        data, bucket = folder / "data", folder / "bucket"
        made = serving.init(data, *(part for region in REGIONS for part in ("--region", region)))
        options = ("--workers", "2", "--deliver", bucket, "--deliver-minutes", "0.01")
        for _ in range(2):
            with serving.served(*options, "--digest-minutes", "0.01", data=data) as server:
                for region in REGIONS:
                    kms = server.client(region=region)
                    key = kms.create_key()["KeyMetadata"]["KeyId"]
                    for _ in range(3):
                        kms.encrypt(KeyId=key, Plaintext=b"x")
                    if region == REGIONS[0]:
                        multi = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
                        kms.replicate_key(KeyId=multi, ReplicaRegion=REGIONS[1])
                    kms.close()
                seen = len(objects(bucket, "Digest"))
                serving.eventually(lambda n=seen: len(objects(bucket, "Digest")) >= n + 2, 30)
                trail = server.client("cloudtrail")
                began = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
                keys = Keys(
                    trail.list_public_keys(StartTime=began, EndTime=dt.datetime.now(dt.UTC))
                )
                trail.close()
        pem = serving.run("audit", "public-key", "--data", data, check=True).stdout.encode()
        yield bucket, made["account_id"], serialization.load_pem_public_key(pem), keys


def objects(bucket, pattern):
    return sorted(path for path in bucket.rglob("*.json.gz") if re.search(pattern, path.name))


def test_names_and_layout(delivered):
    bucket, account, *_ = delivered
    for path in objects(bucket, "_CloudTrail_"):
        name = path.relative_to(bucket).as_posix()
        assert re.fullmatch(
            rf"AWSLogs/{account}/CloudTrail/([a-z0-9-]+)/(\d{{4}})/(\d\d)/(\d\d)/"
            rf"{account}_CloudTrail_\1_\2\3\4T\d{{4}}Z_[A-Za-z0-9]{{16}}\.json\.gz",
            name,
        ), name
    for path in objects(bucket, "Digest"):
        name = path.relative_to(bucket).as_posix()
        assert re.fullmatch(
            rf"AWSLogs/{account}/CloudTrail-Digest/([a-z0-9-]+)/(\d{{4}})/(\d\d)/(\d\d)/"
            rf"{account}_CloudTrail-Digest_\1_kagimori_\1_\2\3\4T\d{{6}}Z\.json\.gz",
            name,
        ), name


@pytest.mark.parametrize("region", REGIONS)
def test_every_record_once_where_it_belongs(delivered, region):
    bucket, account, *_ = delivered
    events = [
        event
        for path in objects(bucket, f"_CloudTrail_{region}_")
        for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]
    ]
    assert len({event["eventID"] for event in events}) == len(events)
    listed = 2 if region == REGIONS[0] else 0  # ListPublicKeys, in each of two lives
    of_deployment = 4 if region == REGIONS[0] else 0  # init's three, and the streams' registration
    # In each life a key is made and replicated, and in the other region there is a new key.
    of_replicas = 4 if region == REGIONS[0] else 2
    assert len(events) == 8 + of_replicas + listed + of_deployment
    assert {event["awsRegion"] for event in events} == {region}
    assert {event["recipientAccountId"] for event in events} == {account}


@pytest.mark.parametrize("region", REGIONS)
def test_our_own_walk_along_the_digests(delivered, region):
    """The algorithm of the reference, 14.6, from the newest digest back to the first."""
    bucket, _, key, _ = delivered
    path = objects(bucket, f"Digest_{region}_")[-1]
    logs, digests = set(), 0
    while path is not None:
        content = gzip.decompress(path.read_bytes())
        digest = json.loads(content)
        metadata = json.loads(path.with_name(path.name + ".metadata.json").read_bytes())
        name = path.relative_to(bucket).as_posix()
        assert (digest["digestS3Bucket"], digest["digestS3Object"]) == (bucket.name, name)
        text = "\n".join(
            (
                digest["digestEndTime"],
                f"{bucket.name}/{name}",
                hashlib.sha256(content).hexdigest(),
                digest["previousDigestSignature"] or "null",
            )
        )
        signature = bytes.fromhex(metadata["signature"])
        key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        for log in digest["logFiles"]:
            stored = gzip.decompress((bucket / log["s3Object"]).read_bytes())
            assert hashlib.sha256(stored).hexdigest() == log["hashValue"]
            logs.add(log["s3Object"])
        digests += 1
        before = digest["previousDigestS3Object"]
        path = bucket / before if before else None
        if path is not None:
            earlier = gzip.decompress(path.read_bytes())
            assert hashlib.sha256(earlier).hexdigest() == digest["previousDigestHashValue"]
            assert json.loads(earlier)["digestEndTime"] == digest["digestStartTime"]
    assert digests == len(objects(bucket, f"Digest_{region}_"))
    assert len(logs) == len(objects(bucket, f"_CloudTrail_{region}_"))


class Pages(list):
    def search(self, expression):
        return (found for page in self for found in jmespath.search(expression, page) or ())


class Bucket:
    """An S3 client over a folder, as far as AWS's validation uses one."""

    def __init__(self, bucket):
        self.bucket = bucket

    def get_client(self, _):
        return self

    def get_paginator(self, _):
        return self

    def paginate(self, Bucket, Marker, Prefix):
        names = (path.relative_to(self.bucket).as_posix() for path in objects(self.bucket, ""))
        found = [{"Key": n} for n in sorted(names) if n.startswith(Prefix) and n > Marker]
        return Pages([{"Contents": found}])

    def get_object(self, Bucket, Key):
        path = self.bucket / Key
        metadata = json.loads(path.with_name(path.name + ".metadata.json").read_bytes())
        return {"Body": io.BytesIO(path.read_bytes()), "Metadata": metadata}


class Keys:
    """CloudTrail's ListPublicKeys, as the server answered it. AWS's client has base64 of it."""

    def __init__(self, answer):
        self.answer = answer

    def list_public_keys(self, StartTime, EndTime):
        (listed,) = self.answer["PublicKeyList"]
        assert listed["ValidityStartTime"] < EndTime < listed["ValidityEndTime"]
        return {"PublicKeyList": [{**listed, "Value": base64.b64encode(listed["Value"])}]}


def aws_validates(bucket, account, region, keys, *, name=None, prefix=None):
    """Return how many digests AWS's code calls valid, and what it complains of."""
    complaints = []

    def complain(**what):
        complaints.append(what)

    traverser = DigestTraverser(
        DigestProvider(Bucket(bucket), account, "kagimori", region),
        name or bucket.name,
        prefix,
        PublicKeyProvider(keys),
        on_invalid=complain,
        on_gap=complain,
        on_missing=complain,
    )
    start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    return len(list(traverser.traverse_digests(start))), complaints


@pytest.mark.parametrize("region", REGIONS)
def test_aws_own_code_finds_it_valid(delivered, region):
    bucket, account, _, keys = delivered
    valid, complaints = aws_validates(bucket, account, region, keys)
    assert complaints == []
    assert valid == len(objects(bucket, f"Digest_{region}_"))


def test_aws_own_code_finds_what_was_tampered_with(delivered, tmp_path):
    bucket, account, _, keys = delivered
    other = tmp_path / "bucket"
    shutil.copytree(bucket, other)
    path = objects(other, "Digest_us-east-1_")[-1]
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content.replace(b"us-east", b"us-west")))
    _, complaints = aws_validates(other, account, "us-east-1", keys)
    assert complaints


def test_aws_own_code_finds_a_bucket_valid_that_was_delivered_to(tmp_path):
    """Objects and their metadata as they were put; with a prefix."""
    with receiver() as received, serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"]
        arguments += ["--deliver", "s3://logs/kms/node-1", "--deliver-minutes", "0.01"]
        arguments += ["--digest-minutes", "0.01"]
        server = serving.Server(
            arguments,
            data=data,
            made=made,
            AWS_ENDPOINT_URL_S3=received.url.removesuffix("/events"),
            AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
            AWS_SECRET_ACCESS_KEY="a secret of the tests",
        ).wait_ready()
        try:
            kms, trail = server.client(), server.client("cloudtrail")
            for seen in (0, 2):
                kms.create_key()
                serving.eventually(lambda n=seen: len(received.puts) >= n + 2, 30)
            keys = Keys(trail.list_public_keys())
            for client in (kms, trail):
                client.close()
        finally:
            assert server.stop() == 0
    for path, headers, body in received.puts:
        file = tmp_path / path.removeprefix("/logs/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        metadata = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in headers.items()
            if name.lower().startswith("x-amz-meta-")
        }
        file.with_name(file.name + ".metadata.json").write_text(json.dumps(metadata))
    valid, complaints = aws_validates(
        tmp_path, made["account_id"], made["region"], keys, name="logs", prefix="kms/node-1"
    )
    assert complaints == []
    assert valid == len(objects(tmp_path, "Digest_")) >= 2
    events = [
        event["eventName"]
        for path in objects(tmp_path, "_CloudTrail_")
        for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]
    ]
    assert events.count("ListPublicKeys") == 1
    assert events.count("CreateKey") == 2


def test_nothing_is_removed_that_is_not_delivered():
    done = serving.run("serve", "--data", "nowhere", "--retain-days", "1")
    assert (done.returncode, "--deliver" in done.stderr) == (1, True)
