"""Objects of a bucket, over its wire: whole or not at all, whatever the bucket does meanwhile."""

import os

import boto3
import pytest
from botocore.config import Config

from kagimori.rules.records.bucket import read_bucket
from kagimori.trail import bucket_objects
from kagimori.trail.bucket_calls import ATTEMPTS_MAX, BucketCalls, BucketRefused
from kagimori.trail.bucket_objects import ObjectReader, names_after, put, write_object
from kagimori.trail.receiving import NotTaken
from kit import bucket as buckets

CONTENT = os.urandom(150_000)


@pytest.fixture
def bucket():
    with buckets.served() as made:
        yield made


@pytest.fixture
def calls(bucket):
    paused = []
    made = BucketCalls(
        read_bucket("s3://kept/a/b", bucket.environment), pause=paused.append, seconds=5
    )
    made.paused = paused
    return made


def read_all(calls, name, size=40_000):
    with ObjectReader(calls, name) as reader:
        parts = []
        while part := reader.read(size):
            parts.append(part)
        return b"".join(parts)


def upload(calls, name, content=CONTENT):
    return write_object(calls, name, len(content), lambda out: out.write(content))


def test_the_bucket_of_these_tests_is_one_to_a_client_of_aws(bucket):
    s3 = boto3.client(
        "s3",
        endpoint_url=bucket.url,
        aws_access_key_id=buckets.ACCESS_KEY,
        aws_secret_access_key=buckets.SECRET,
        region_name=buckets.REGION,
        config=Config(s3={"addressing_style": "path", "payload_signing_enabled": True}),
    )
    s3.put_object(Bucket="kept", Key="x", Body=b"content")
    assert s3.get_object(Bucket="kept", Key="x")["Body"].read() == b"content"
    begun = s3.create_multipart_upload(Bucket="kept", Key="y")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="y", UploadId=begun, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="kept", Key="y", UploadId=begun, MultipartUpload=parts)
    assert bucket.objects == {"x": b"content", "y": b"part"}
    s3.close()


def test_small_objects_go_at_once_and_large_ones_in_parts(bucket, calls, monkeypatch):
    assert upload(calls, "small") == len(CONTENT)
    assert [method for method, _ in bucket.asked] == ["PUT", "HEAD"]
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)
    assert upload(calls, "large") == len(CONTENT)
    assert bucket.objects == {"a/b/small": CONTENT, "a/b/large": CONTENT}
    assert [method for method, _ in bucket.asked[2:]] == ["POST", *["PUT"] * 4, "POST", "HEAD"]
    assert bucket.uploads == {}
    assert read_all(calls, "large") == CONTENT


def test_parts_grow_so_that_there_are_never_too_many(calls):
    made = bucket_objects.Upload(calls, "x", 10**13)
    assert made._part_bytes * bucket_objects.PARTS_MAX > 10**13


def test_names_come_page_by_page(bucket, calls):
    for number in range(8):
        put(calls, f"n-{number}", b"")
    put(calls, "other", b"")
    assert names_after(calls, "n-") == [f"n-{number}" for number in range(8)]
    assert names_after(calls, "n-", "n-5") == ["n-6", "n-7"]
    assert names_after(calls, "none") == []


@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
@pytest.mark.parametrize("fault", [500, 503, 429, "close"])
def test_what_a_bucket_gets_over_is_tried_again(bucket, calls, monkeypatch, method, fault):
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)
    bucket.faults[method] = [fault] * (ATTEMPTS_MAX - 1)
    upload(calls, "x")
    assert bucket.objects["a/b/x"] == CONTENT
    assert calls.paused == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("method", ["PUT", "POST", "HEAD"])
@pytest.mark.parametrize("fault", [403, *[500]])
def test_what_is_refused_for_good_is_no_object(bucket, calls, monkeypatch, method, fault):
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)
    bucket.faults[method] = [fault] * ATTEMPTS_MAX
    with pytest.raises(BucketRefused, match=f"answered {fault}"):
        upload(calls, "x")
    assert bucket.objects == {} or method == "HEAD"
    assert bucket.uploads == {}
    assert len(calls.paused) == (0 if fault == 403 else ATTEMPTS_MAX - 1)


def test_another_secret_is_refused(bucket):
    environment = {**bucket.environment, "AWS_SECRET_ACCESS_KEY": "another"}
    calls = BucketCalls(read_bucket("s3://kept", environment))
    with pytest.raises(NotTaken, match=r"403 \(SignatureDoesNotMatch\)"):
        put(calls, "x", b"")


def test_a_success_that_says_it_failed_is_a_failure(bucket, calls, monkeypatch):
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)
    bucket.faults["POST"] = [None, "late error", "late error"]
    upload(calls, "x")
    assert bucket.objects["a/b/x"] == CONTENT
    assert len(calls.paused) == 2


def test_a_lost_answer_to_the_last_call_is_no_failure(bucket, calls, monkeypatch):
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)
    bucket.faults["POST"] = [None, "lost answer"]
    assert upload(calls, "x") == len(CONTENT)


def test_what_fails_while_it_is_written_is_aborted(bucket, calls, monkeypatch):
    monkeypatch.setattr(bucket_objects, "PART_BYTES", 40_000)

    def write(out):
        out.write(CONTENT)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_object(calls, "x", 0, write)
    assert (bucket.objects, bucket.uploads) == ({}, {})


def test_a_bucket_that_does_not_keep_all_is_noticed(bucket, calls):
    put_on = buckets.Handler.on_put

    def forgetful(handler, bucket, name, query, body, fault):
        put_on(handler, bucket, name, query, body[:-1], fault)

    buckets.Handler.on_put = forgetful
    try:
        with pytest.raises(NotTaken, match="has not kept it whole"):
            upload(calls, "x")
    finally:
        buckets.Handler.on_put = put_on


@pytest.mark.parametrize("fault", ["half", "close", 500])
def test_reading_goes_on_where_a_connection_was_lost(bucket, calls, fault):
    bucket.objects["a/b/x"] = CONTENT
    bucket.faults["GET"] = ["half", fault, "half"]
    assert read_all(calls, "x") == CONTENT


def test_reading_ends_when_nothing_more_comes(bucket, calls):
    bucket.objects["a/b/x"] = CONTENT
    bucket.faults["GET"] = ["half", *[500] * 10]
    with pytest.raises(NotTaken, match="answered 500"):
        read_all(calls, "x")


def test_another_object_in_the_middle_is_not_mixed_in(bucket, calls):
    bucket.objects["a/b/x"] = CONTENT
    bucket.faults["GET"] = ["half"]
    with ObjectReader(calls, "x") as reader:
        assert reader.read(10) == CONTENT[:10]
        bucket.objects["a/b/x"] = CONTENT[::-1]
        with pytest.raises(NotTaken, match=r"412 \(PreconditionFailed\)"):
            reader.read(len(CONTENT))


def test_nothing_waits_for_a_bucket_for_ever(bucket, monkeypatch):
    """The bucket takes the request, and says nothing."""
    monkeypatch.setattr(buckets.Handler, "handle_one", lambda handler, _: silent.wait(20))
    calls = BucketCalls(
        read_bucket("s3://kept", bucket.environment), pause=lambda _: None, seconds=0.05
    )
    silent = buckets.threading.Event()
    try:
        with pytest.raises(NotTaken, match="timed out"):
            put(calls, "x", b"")
    finally:
        silent.set()
