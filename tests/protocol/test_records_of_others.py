"""Records of other services' operations, and of what the service does by itself (14.2, 14.4)."""

import datetime as dt
import json
import os

import pytest

import outside
import serving
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.service_event import service_event
from protocol.test_records import ALWAYS, ELEMENT_DATE, MATERIAL

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC).timestamp()
KEY = KmsKey(account_id="1" * 12, region="us-east-1", key_id="k1", created_at=NOW, key_policy="")


@pytest.fixture(scope="module")
def story():
    """The answers to some calls by label, and all records."""
    with serving.served() as server:
        kms, sts, trail = (server.client(name) for name in ("kms", "sts", "cloudtrail"))
        day_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        attribute = {"AttributeKey": "EventName", "AttributeValue": "Encrypt"}
        calls = {
            "GetCallerIdentity": sts.get_caller_identity(),
            "LookupEvents": trail.lookup_events(
                LookupAttributes=[attribute], StartTime=day_ago, MaxResults=3
            ),
            "ListPublicKeys": trail.list_public_keys(StartTime=day_ago),
        }
        rotated = kms.create_key()["KeyMetadata"]
        kms.rotate_key_on_demand(KeyId=rotated["KeyId"])
        expiring = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
        bring(kms, expiring["Arn"])
        found = {}

        def told():
            done = serving.run("audit", "search", "--data", server.data, "--output", "json")
            for event in map(json.loads, done.stdout.splitlines()):
                found[event.get("requestID") or event["eventName"]] = event
            return "RotateKey" in found and "DeleteExpiredKeyMaterial" in found

        serving.eventually(told, 20)
        for client in (kms, sts, trail):
            client.close()
        labels = {
            label: found[answer["ResponseMetadata"]["RequestId"]] for label, answer in calls.items()
        }
        services = {name: found[name] for name in ("RotateKey", "DeleteExpiredKeyMaterial")}
        yield server, {**labels, **services}, {"rotated": rotated, "expiring": expiring}


def bring(kms, key):
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=outside.wrapped(
            given["PublicKey"], "RSAES_OAEP_SHA_256", os.urandom(32)
        ),
        ExpirationModel="KEY_MATERIAL_EXPIRES",
        ValidTo=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2),
    )


@pytest.mark.parametrize(
    ("label", "source", "parameters"),
    [
        ("GetCallerIdentity", "sts.amazonaws.com", None),
        (
            "LookupEvents",
            "cloudtrail.amazonaws.com",
            {
                "lookupAttributes": [{"attributeKey": "EventName", "attributeValue": "Encrypt"}],
                "startTime": ELEMENT_DATE,
                "maxResults": 3,
            },
        ),
        ("ListPublicKeys", "cloudtrail.amazonaws.com", {"startTime": ELEMENT_DATE}),
    ],
)
def test_the_record_of(story, label, source, parameters):
    record = story[1][label]
    assert set(record) == ALWAYS
    assert (record["eventName"], record["eventSource"]) == (label, source)
    assert record["readOnly"] is True
    assert (record["resources"], record["responseElements"]) == ([], None)
    found = record["requestParameters"]
    if parameters is None:
        assert found is None
        return
    times = [name for name, value in parameters.items() if value is ELEMENT_DATE]
    assert all(ELEMENT_DATE.fullmatch(found[name]) for name in times)
    assert {**found, **dict.fromkeys(times, ELEMENT_DATE)} == parameters


def golden(account, region, arn, name, details):
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"accountId": account, "invokedBy": "AWS Internal"},
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": None,
        "responseElements": None if name == "DeleteExpiredKeyMaterial" else {"keyId": arn},
        "readOnly": False,
        "resources": [{"accountId": account, "type": "AWS::KMS::Key", "ARN": arn}],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return record if details is None else {**record, "serviceEventDetails": details}


@pytest.mark.parametrize(
    ("name", "which", "details"),
    [
        (
            "RotateKey",
            "rotated",
            {
                "rotationType": "ON_DEMAND",
                "keyOrigin": "AWS_KMS",
                "previousKeyMaterialId": MATERIAL,
                "currentKeyMaterialId": MATERIAL,
            },
        ),
        ("DeleteExpiredKeyMaterial", "expiring", {"keyMaterialId": MATERIAL}),
    ],
)
def test_the_record_of_the_service(story, name, which, details):
    server, records, keys = story
    record, key = dict(records[name]), keys[which]
    assert record.pop("eventID")
    assert record.pop("eventTime")
    found = record["serviceEventDetails"]
    materials = [member for member, value in details.items() if value is MATERIAL]
    assert all(MATERIAL.fullmatch(found[member]) for member in materials)
    shown = {**details, **{member: found[member] for member in materials}}
    shown["keyId"] = key["KeyId"]
    assert record == golden(server.account, server.region, key["Arn"], name, shown)


def test_the_record_of_a_deletion():
    written = service_event(event_id="e1", now=NOW, kms_key=KEY, name="DeleteKey", details=None)
    expected = golden("1" * 12, "us-east-1", KEY.arn, "DeleteKey", None)
    times = {"eventID": "e1", "eventTime": "2026-01-31T12:00:00Z"}
    assert json.loads(written) == {**expected, **times}
