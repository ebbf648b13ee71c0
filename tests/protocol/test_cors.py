"""What a browser needs: preflights, and answers that pages of other origins may read."""

import http.client
import urllib.parse

import pytest

import serving

PAGE = "https://app.example.org"
EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
# What the SDK for JavaScript sends from a browser.
SENT = (
    "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,x-amz-content-sha256,"
    "x-amz-date,x-amz-security-token,x-amz-target,x-amz-user-agent"
)
TRAIL = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"


def asked(server, method, path="/", **headers):
    parts = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        return serving.Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/?Action=GetCallerIdentity&Version=2011-06-15"])
def test_a_preflight(server, path):
    answer = asked(
        server,
        "OPTIONS",
        path,
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers=SENT,
    )
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == SENT
    assert answer.headers["access-control-max-age"] == "172800"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"), [("OPTIONS", "/healthz"), ("OPTIONS", "/x"), ("GET", "/healthz")]
)
def test_nothing_but_the_api_is_open_to_pages(server, method, path):
    answer = asked(server, method, path, Origin=PAGE, Access_Control_Request_Method="GET")
    assert "access-control-allow-origin" not in answer.headers


def test_dev_which_asks_for_no_signature_is_not_open_to_pages(dev):
    answer = asked(dev, "OPTIONS", Origin=PAGE, Access_Control_Request_Method="POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    answer = dev.send(serving.Signed(dev, "ListKeys", {}, headers={"Origin": PAGE}))
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_options_without_a_question(server):
    assert asked(server, "OPTIONS").status == 404


@pytest.mark.parametrize(
    ("service", "operation", "settings", "status"),
    [
        ("kms", "ListKeys", {}, 200),
        ("kms", "ListKeys", {"secret": "x" * 40}, 400),
        ("cloudtrail", "LookupEvents", {}, 200),
        ("sts", "GetCallerIdentity", {"protocol": "query"}, 200),
        ("iam", "GetUserX", {"protocol": "query"}, 400),
    ],
)
def test_answers_and_refusals_can_be_read(server, service, operation, settings, status):
    headers = {"Origin": PAGE}
    if service == "cloudtrail":
        headers["X-Amz-Target"] = TRAIL
    request = serving.Signed(
        server,
        operation,
        {},
        service=service,
        headers=headers,
        region="us-east-1" if service == "iam" else None,
        **settings,
    )
    answer = server.send(request)
    assert answer.status == status, answer.body
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == EXPOSED
    assert answer.headers["x-amzn-requestid"]


def test_without_an_origin_there_are_no_such_headers(server):
    answer = server.send(serving.Signed(server, "ListKeys", {}))
    assert not [name for name in answer.headers if name.startswith("access-control")]
