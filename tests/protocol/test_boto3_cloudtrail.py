"""CloudTrail's LookupEvents over the wire: all attributes, times, pages, refusals, accounts."""

import datetime as dt
import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization

import serving
from serving import refused


@pytest.fixture(scope="module")
def server():
    regions = ("--region", "us-east-1", "--region", "eu-central-1")
    with serving.served("--workers", "2", init_options=regions) as started:
        yield started


@pytest.fixture(scope="module")
def trail(server):
    client = server.client("cloudtrail")
    yield client
    client.close()


@pytest.fixture(scope="module")
def story(server, trail):
    """Some events: two keys, seven Encrypts of one of them, one failure; all of them indexed."""
    kms = server.client()
    one, two = (kms.create_key(Description=text)["KeyMetadata"]["Arn"] for text in ("one", "two"))
    for number in range(7):
        kms.encrypt(KeyId=one, Plaintext=b"x", EncryptionContext={"n": str(number)})
    sealed = kms.encrypt(KeyId=two, Plaintext=b"x")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=sealed, DestinationKeyId=one)
    kms.disable_key(KeyId=two)
    with refused("DisabledException"):
        kms.encrypt(KeyId=two, Plaintext=b"x")
    began = time.monotonic()
    serving.eventually(lambda: len(look(trail, "ResourceName", two)) == 5)
    serving.eventually(lambda: len(look(trail, "ResourceName", one)) == 9)
    assert time.monotonic() - began < 2.0
    kms.close()
    return one, two


def look(trail, key=None, value=None, **other):
    attributes = [{"AttributeKey": key, "AttributeValue": value}] if key else []
    return trail.lookup_events(LookupAttributes=attributes, **other)["Events"]


def test_an_event_as_it_is_shown(trail, story, server):
    newest = look(trail, "ResourceName", story[0])[0]
    event = json.loads(newest["CloudTrailEvent"])
    assert newest["EventName"] == event["eventName"] == "ReEncrypt"
    assert newest["EventId"] == event["eventID"]
    assert newest["EventSource"] == "kms.amazonaws.com"
    assert newest["ReadOnly"] == "true"
    assert newest["Username"] == "root"
    assert newest["AccessKeyId"] == server.made["access_key_id"]
    assert newest["EventTime"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["eventTime"]
    assert newest["Resources"] == [
        {"ResourceType": "AWS::KMS::Key", "ResourceName": story[1]},
        {"ResourceType": "AWS::KMS::Key", "ResourceName": story[0]},
    ]


@pytest.mark.parametrize("part", [0, 1], ids=["arn", "id"])
def test_by_resource_name(trail, story, part):
    name = story[1].rpartition("/")[2] if part else story[1]
    names = [event["EventName"] for event in look(trail, "ResourceName", name)]
    assert sorted(names) == ["CreateKey", "DisableKey", "Encrypt", "Encrypt", "ReEncrypt"]


def test_by_event_name(trail, story):
    assert len(look(trail, "EventName", "Encrypt")) == 9
    made = [
        event["Resources"][0]["ResourceName"] for event in look(trail, "EventName", "CreateKey")
    ]
    assert set(story) <= set(made)  # another test makes keys too, before or after this one
    assert len(made) == len(set(made))
    assert look(trail, "EventName", "Nothing") == []


def test_by_event_id(trail, story):
    wanted = look(trail, "EventName", "DisableKey")[0]["EventId"]
    assert [event["EventName"] for event in look(trail, "EventId", wanted)] == ["DisableKey"]


def test_by_read_only(trail, story):
    names = {event["EventName"] for event in look(trail, "ReadOnly", "false")}
    assert {"CreateKey", "DisableKey"} <= names
    assert "Encrypt" not in names
    assert {event["ReadOnly"] for event in look(trail, "ReadOnly", "true")} == {"true"}


def test_by_user_access_key_source_and_type(trail, story, server):
    assert look(trail, "Username", "root")
    assert look(trail, "Username", "nobody") == []
    assert look(trail, "AccessKeyId", server.made["access_key_id"])
    assert look(trail, "AccessKeyId", "AKIA0000000000000000") == []
    assert look(trail, "EventSource", "kms.amazonaws.com")
    assert look(trail, "ResourceType", "AWS::KMS::Key")
    assert look(trail, "ResourceType", "AWS::S3::Bucket") == []


def test_a_failure_says_why(trail, story):
    newest = look(trail, "ResourceName", story[1])[0]
    event = json.loads(newest["CloudTrailEvent"])
    assert (event["eventName"], event["errorCode"]) == ("Encrypt", "DisabledException")


def test_look_ups_are_events_themselves(trail, story):
    look(trail, "EventName", "Decrypt")
    asked = {"attributeKey": "EventName", "attributeValue": "Decrypt"}

    def is_there():
        found = look(trail, "EventSource", "cloudtrail.amazonaws.com")
        events = (json.loads(one["CloudTrailEvent"]) for one in found)
        given = (event["requestParameters"] or {} for event in events)
        return any(one.get("lookupAttributes") == [asked] for one in given)

    serving.eventually(is_there)


def test_newest_first(trail, story):
    times = [event["EventTime"] for event in look(trail)]
    assert times == sorted(times, reverse=True)


def test_pages(trail, story):
    pages = list(
        trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}],
            PaginationConfig={"PageSize": 4},
        )
    )
    assert [len(page["Events"]) for page in pages] == [4, 4, 1]
    ids = {event["EventId"] for page in pages for event in page["Events"]}
    assert len(ids) == 9


def test_time_range(trail, story):
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    by = ("ResourceName", story[0])
    assert len(look(trail, *by, StartTime=now - hour, EndTime=now + hour)) == 9
    assert look(trail, *by, StartTime=now - 2 * hour, EndTime=now - hour) == []
    assert look(trail, *by, StartTime=now + hour) == []


def test_another_region_has_its_own(server, story):
    elsewhere = server.client("cloudtrail", region="eu-central-1")
    assert look(elsewhere, "EventName", "Encrypt") == []


def test_insights_are_none(trail, story):
    assert look(trail, EventCategory="insight") == []


def test_refusals(trail, story):
    attribute = {"AttributeKey": "EventName", "AttributeValue": "Encrypt"}
    with refused("InvalidLookupAttributesException"):
        trail.lookup_events(LookupAttributes=[attribute, attribute])
    with refused("InvalidLookupAttributesException"):
        look(trail, "ReadOnly", "perhaps")
    now = dt.datetime.now(dt.UTC)
    with refused("InvalidTimeRangeException"):
        look(trail, StartTime=now, EndTime=now - dt.timedelta(hours=1))
    for token in ("x", "eA==", "WzEsMiwzXQ=="):
        with refused("InvalidNextTokenException"):
            look(trail, NextToken=token)
    other = trail.lookup_events(LookupAttributes=[attribute], MaxResults=1)["NextToken"]
    with refused("InvalidNextTokenException"):
        look(trail, "EventName", "CreateKey", NextToken=other)
    with refused("UnsupportedOperationException"):
        trail.describe_trails()


def test_a_missing_index_is_made_anew(server, trail, story):
    done = serving.run("audit", "reindex", "--data", server.data)
    assert (done.returncode, "new one" in done.stdout) == (0, True), done.stderr
    serving.eventually(lambda: len(look(trail, "ResourceName", story[0])) == 9)


def test_fast_enough_to_be_pleasant(trail, story):
    began = time.perf_counter()
    for _ in range(20):
        look(trail, "ResourceName", story[0])
    assert (time.perf_counter() - began) / 20 < 0.25


def test_public_keys(trail, server):
    """The key that digests are signed with, in PKCS #1 (reference, 14.5)."""
    pem = serving.run("audit", "public-key", "--data", server.data, check=True).stdout.encode()
    key = serialization.load_pem_public_key(pem)
    serving.eventually(lambda: trail.list_public_keys()["PublicKeyList"])
    (listed,) = trail.list_public_keys()["PublicKeyList"]
    der, form = serialization.Encoding.DER, serialization.PublicFormat
    assert listed["Value"] == key.public_bytes(der, form.PKCS1)
    spki = key.public_bytes(der, form.SubjectPublicKeyInfo)
    assert listed["Fingerprint"] == hashlib.sha256(spki).hexdigest()
    now = dt.datetime.now(dt.UTC)
    assert listed["ValidityStartTime"] <= now < listed["ValidityEndTime"]
    long_ago = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
    assert trail.list_public_keys(StartTime=long_ago, EndTime=long_ago)["PublicKeyList"] == []
    with refused("InvalidTimeRangeException"):
        trail.list_public_keys(StartTime=now, EndTime=now - dt.timedelta(1))
    with refused("InvalidTokenException"):
        trail.list_public_keys(NextToken="x")


def test_what_happens_in_two_regions_is_found_in_both(server, trail):
    kms = server.client()
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]
    kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-central-1")
    kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion="eu-central-1")
    kms.close()
    arn = key["Arn"].replace("us-east-1", "eu-central-1")
    there = server.client("cloudtrail", region="eu-central-1")
    serving.eventually(lambda: len(look(there, "ResourceName", arn)) == 2)
    moved, created = look(there, "ResourceName", arn)
    assert (moved["EventName"], created["EventName"]) == ("UpdatePrimaryRegion", "CreateKey")
    assert json.loads(created["CloudTrailEvent"])["awsRegion"] == "eu-central-1"
    for event in (moved, created):
        assert [one["EventId"] for one in look(there, "EventId", event["EventId"])] == [
            event["EventId"]
        ]
    assert created["EventId"] in [one["EventId"] for one in look(there, "EventName", "CreateKey")]
    assert look(there, "EventName", "ReplicateKey") == []
    here = [one["EventName"] for one in look(trail, "ResourceName", key["Arn"])]
    assert here == ["UpdatePrimaryRegion", "ReplicateKey", "CreateKey"]
    assert all(one["EventId"] != created["EventId"] for one in look(trail))
    there.close()
