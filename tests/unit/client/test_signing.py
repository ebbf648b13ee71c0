"""The client signs as botocore does, and shows a received request as it was signed."""

import hashlib
import re
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from kagimori.rules.sigv4.forwarded import read_forwarded
from kagimori_client.acting import (
    FORWARDED_HEADER,
    NotForwardable,
    forwarded_from,
    forwarded_of,
)
from kagimori_client.credentials import Credentials
from kagimori_client.signing import Request, sign

NOW = datetime(2026, 11, 27, 8, 30, 5, tzinfo=UTC)
ALICE = Credentials("AKIAALICEALICEALICEA", "secret/of+alice", None)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


def by_botocore(request, credentials, region, service):
    theirs = AWSRequest(
        request.method,
        f"http://{request.host}{request.target}",
        dict(request.headers),
        request.body,
    )
    theirs.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    signer = botocore.auth.SigV4Auth(
        BotocoreCredentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        ),
        service,
        region,
    )
    theirs.headers["X-Amz-Date"] = theirs.context["timestamp"]
    if credentials.session_token is not None:
        theirs.headers["X-Amz-Security-Token"] = credentials.session_token
    theirs.headers["host"] = request.host
    canonical = signer.canonical_request(theirs)
    return signer.signature(signer.string_to_sign(theirs, canonical), theirs)


def signature(signed):
    return re.search(r"Signature=([0-9a-f]{64})$", signed.authorization)[1]


@given(
    body=st.binary(max_size=40),
    names=st.dictionaries(st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), TEXT, max_size=3),
    token=st.none() | TEXT.filter(bool),
    path=st.sampled_from(["/", "/a%20b/c", "/a?b=c", "/?x=%2F&a=&a=b", ""]),
)
def test_signatures_are_those_of_botocore(body, names, token, path):
    credentials = Credentials(ALICE.access_key_id, ALICE.secret_access_key, token)
    request = Request("POST", "localhost:8567", path, names, body)
    ours = sign(request, credentials, region="eu-central-1", service="kagimori", now=NOW)
    if path == "/a%20b/c":
        return  # botocore encodes paths once more, but for S3
    assert signature(ours) == by_botocore(request, credentials, "eu-central-1", "kagimori")


def test_a_secret_is_in_no_repr():
    credentials = Credentials("AKIA1", "hunter2", "token2")
    assert "hunter2" not in repr(credentials)
    assert "token2" not in repr(credentials)


def test_what_a_gateway_shows_is_what_its_client_signed():
    request = Request("PUT", "s3.example.org", "/bucket/key", {"content-type": "text/plain"}, b"x")
    signed = sign(request, ALICE, region="us-east-1", service="s3", now=NOW)
    received = Request(
        "PUT",
        "s3.example.org",
        "/bucket/key",
        {**signed.headers, "Accept-Encoding": "identity"},
        b"x",
    )
    shown = forwarded_from(received, hashlib.sha256(b"x").hexdigest())
    assert shown == forwarded_of(signed)
    header = shown.header()[FORWARDED_HEADER].encode()
    read = read_forwarded(header, service="s3", region="us-east-1", now=NOW.timestamp())
    assert read.canonical_request == signed.canonical_request
    assert read.claim.scope.access_key_id == ALICE.access_key_id


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no signature"),
        ({"authorization": "Basic abc", "x-amz-date": "20261127T083005Z"}, "no signature"),
        (
            {
                "authorization": "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;x-b, "
                "Signature=c",
                "x-amz-date": "20261127T083005Z",
            },
            "x-b is not in the request",
        ),
    ],
)
def test_what_proves_nothing_is_not_shown(headers, why):
    with pytest.raises(NotForwardable, match=why):
        forwarded_from(Request("GET", "h", "/", headers), "")
