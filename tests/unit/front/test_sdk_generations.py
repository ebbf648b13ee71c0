"""How SDKs of each generation name actions, and how refusals are named for them.

Source: the clients published for JavaScript 3, Go 2, Rust and Kotlin; botocore's service models;
Smithy, "AWS JSON 1.1 protocol" and "AWS Query protocol".
"""

import json

import botocore.session
import pytest

from kagimori.front.wire import Wire
from kagimori.rules.refusal import UnknownOperationException, ValidationException
from kagimori.rules.request import RawRequest

SERVICES = ("kms", "iam", "sts", "cloudtrail")
WIRE = Wire(SERVICES)
LONG = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"
JSON_TARGETS = [
    ("TrentService.Encrypt", "kms", "Encrypt"),
    (f"{LONG}.LookupEvents", "cloudtrail", "LookupEvents"),  # botocore, Java 1, Go 1
    ("CloudTrail_20131101.LookupEvents", "cloudtrail", "LookupEvents"),  # JavaScript 3, Go 2, Rust
    ("CloudTrail_20131101.ListPublicKeys", "cloudtrail", "ListPublicKeys"),
]
CONTENT_TYPES = [
    "application/x-amz-json-1.1",
    "application/x-amz-json-1.1; charset=utf-8",
    "application/x-amz-json-1.0",
    "application/json",
    "APPLICATION/X-AMZ-JSON-1.1",
    None,
]


def received(body, service, **headers):
    """Return what is read of a request that is signed for a service."""
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}"
    )
    named = {
        name.replace("_", "-").encode(): value.encode()
        for name, value in headers.items()
        if value is not None
    }
    raw = RawRequest("id", b"POST", b"/", tuple(named.items()), body, "127.0.0.1", None)
    return WIRE.receive(raw)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(("target", "service", "action"), JSON_TARGETS)
def test_a_json_action_is_found_by_each_of_its_names(target, service, action, content_type):
    found = received(b"{}", service, x_amz_target=target, content_type=content_type).target
    assert (found.model.service, found.operation.name, found.fields) == (service, action, None)


@pytest.mark.parametrize(
    "target",
    [
        "Encrypt",
        ".Encrypt",
        "TrentService",
        "TrentService.",
        "trentservice.Encrypt",
        "TrentService.encrypt",
        "CloudTrail.LookupEvents",
        "CloudTrail_20131101.Encrypt",
        "com.amazonaws.kms.TrentService.Encrypt",
        "v20131101.CloudTrail_20131101.LookupEvents",
        f"{LONG}.",
        LONG,
        "",
    ],
)
def test_no_other_name_is_taken(target):
    found = received(b"{}", "kms", x_amz_target=target, content_type=CONTENT_TYPES[0])
    assert found.target is None
    assert isinstance(found.problem, UnknownOperationException)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",  # JavaScript 3, Go 2, Rust
        "application/x-www-form-urlencoded; charset=utf-8",  # botocore, Java
        "application/x-www-form-urlencoded;charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ],
)
@pytest.mark.parametrize(
    ("service", "action", "version"),
    [("sts", "GetCallerIdentity", "2011-06-15"), ("iam", "ListUsers", "2010-05-08")],
)
def test_a_query_action_is_found_whatever_the_charset(service, action, version, content_type):
    body = f"Action={action}&Version={version}".encode()
    found = received(body, service, content_type=content_type).target
    assert (found.model.service, found.operation.name) == (service, action)


@pytest.mark.parametrize(
    "extra", [{"x_amzn_query_mode": "true"}, {"smithy_protocol": "rpc-v2-cbor"}, {"accept": "a/b"}]
)
def test_headers_for_other_protocols_change_nothing(extra):
    found = received(
        b'{"Plaintext": 1}',
        "kms",
        x_amz_target="TrentService.Encrypt",
        content_type=CONTENT_TYPES[0],
        **extra,
    )
    assert found.target.operation.name == "Encrypt"
    answer = WIRE.refuse(found, ValidationException("no"))
    assert json.loads(answer.body) == {"__type": "ValidationException", "message": "no"}
    assert answer.content_type == b"application/x-amz-json-1.1"


def test_no_model_of_ours_declares_another_protocol():
    """When this fails, SDKs of the next generation may prefer the new one: see docs/look-up/wire.md."""
    import gzip
    from importlib import resources

    declared = {}
    for service in SERVICES:
        versions = resources.files("botocore") / "data" / service
        newest = max(entry.name for entry in versions.iterdir())
        packed = (versions / newest / "service-2.json.gz").read_bytes()
        metadata = json.loads(gzip.decompress(packed))["metadata"]
        declared[service] = metadata["protocols"]
        assert "awsQueryCompatible" not in metadata
    assert declared == {
        "kms": ["json"],
        "cloudtrail": ["json"],
        "iam": ["query"],
        "sts": ["query"],
    }


def test_the_actions_that_need_no_signature_are_those_of_the_models():
    loader = botocore.session.get_session()
    for service in SERVICES:
        model = loader.get_service_model(service)
        unsigned = {
            name
            for name in model.operation_names
            if model.operation_model(name).auth_type == "none"
        }
        for name in model.operation_names:
            form = f"Action={name}&Version={model.api_version}".encode()
            headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
            raw = RawRequest("id", b"POST", b"/", headers, form, "127.0.0.1", None)
            received = WIRE.receive(raw)
            assert (received.problem is None) == (name in unsigned), name
