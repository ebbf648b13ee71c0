"""GetCallerIdentity as a presigned URL, handed on as proof of identity. Reference: 23.1."""

import datetime as dt
import re
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import botocore.auth
import pytest


def sent(url, method="GET"):
    """Return status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


@pytest.fixture
def url(server):
    sts = server.client("sts")
    made = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    sts.close()
    return made


def with_parameters(url, **changed):
    parts = urlsplit(url)
    given = {**dict(parse_qsl(parts.query)), **changed}
    kept = {name: value for name, value in given.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


def code_of(answer):
    status, body = answer
    return status, re.search("<Code>(.*)</Code>", body)[1]


def test_it_says_who_signed_it(server, url):
    status, body = sent(url)
    assert status == 200
    assert f"<Arn>arn:aws:iam::{server.account}:root</Arn>" in body


def test_of_a_session(server):
    sts = server.client("sts")
    made = sts.get_session_token()["Credentials"]
    session = server.client("sts", access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    session._request_signer._credentials.token = made["SessionToken"]
    url = session.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert "X-Amz-Security-Token" in url
    assert sent(url)[0] == 200
    assert code_of(sent(with_parameters(url, **{"X-Amz-Security-Token": None})))[0] == 403


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Action": "GetSessionToken"}, (403, "SignatureDoesNotMatch")),
        ({"Extra": "1"}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Expires": "604800"}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Expires": "604801"}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Expires": "soon"}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Expires": None}, (400, "IncompleteSignature")),
        ({"X-Amz-Date": "yesterday"}, (400, "IncompleteSignature")),
        ({"X-Amz-Date": None}, (400, "IncompleteSignature")),
        ({"X-Amz-Algorithm": "AWS4-HMAC-MD5"}, (400, "IncompleteSignature")),
        ({"X-Amz-Signature": "0" * 64}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Signature": "x"}, (403, "SignatureDoesNotMatch")),
        ({"X-Amz-Credential": "nobody"}, (400, "IncompleteSignature")),
    ],
)
def test_what_was_changed_is_refused(url, changed, expected):
    assert code_of(sent(with_parameters(url, **changed))) == expected


def test_another_method_is_another_request(url):
    assert code_of(sent(url, "POST")) == (403, "SignatureDoesNotMatch")


def test_its_time_ends(server, monkeypatch):
    class Earlier(dt.datetime):
        @classmethod
        def utcnow(cls):
            return dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(minutes=2)

        @classmethod
        def now(cls, zone=None):
            return dt.datetime.now(zone) - dt.timedelta(minutes=2)

    def earlier(*_, **__):
        return Earlier.utcnow()

    sts = server.client("sts")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", earlier)
    asked = {"HttpMethod": "GET"}
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, **asked)
    longer = sts.generate_presigned_url("get_caller_identity", ExpiresIn=600, **asked)
    status, body = sent(url)
    assert status == 403
    assert "Signature expired" in body
    assert sent(longer)[0] == 200
