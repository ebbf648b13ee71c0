"""The small parsers of outside bytes: they accept, or refuse in AWS's words.

Promise: refuse-or-accept.
"""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kagimori.operations.pages import start_of
from kagimori.rules.chain.chain import BrokenLine, read_line
from kagimori.rules.keys.stored_grant import GrantRef, grant_token, read_grant_token
from kagimori.rules.keys.symmetric_ciphertext import material_id_of
from kagimori.rules.names import parse_key_ref
from kagimori.rules.refusal import Refusal
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.canonical import canonical_request, header_values
from kagimori.rules.sigv4.claim import read_claim
from kagimori.rules.sigv4.verify import check_time
from kagimori_hsm.ring import Ring
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.unattended import Unattended
from kagimori_hsm.tokens import TokenRefused

SCOPE = "AKIAIOSFODNN7EXAMPLE/20261124/us-east-1/kms/aws4_request"
VALID = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature={'0' * 64}"


@given(
    st.text()
    | st.sampled_from(["arn:aws:kms:us-east-1:111122223333:key/"]).flatmap(
        lambda start: st.text(max_size=40).map(lambda rest: start + rest)
    )
)
def test_key_references(text):
    try:
        ref = parse_key_ref(text, account_id="111122223333", region="us-east-1")
    except Refusal:
        return
    assert (ref.key_id is None) != (ref.alias_name is None)


@given(st.binary(max_size=300))
@example(VALID.encode())
@example(b"AWS4-HMAC-SHA256 " + b"," * 100)
def test_authorization_headers(header):
    try:
        claim = read_claim(header)
    except Refusal:
        return
    assert len(claim.signature) == 64


@given(date=st.binary(max_size=40))
def test_dates(date):
    claim = read_claim(VALID.encode())
    try:
        check_time(claim.scope, {b"x-amz-date": date}, 1795550000.0)
    except Refusal:
        pass


@given(
    target=st.binary(max_size=60).map(lambda rest: b"/" + rest),
    signed=st.text(alphabet="abchost;-", max_size=30),
    headers=st.lists(st.tuples(st.sampled_from([b"host", b"a", b"x-amz-b"]), st.binary())),
)
def test_canonical_requests(target, signed, headers):
    raw = RawRequest("id", b"POST", target, tuple(headers), b"", "127.0.0.1")
    try:
        canonical_request(raw, header_values(raw.headers), signed, "0" * 64)
    except Refusal:
        pass


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()))
def test_markers(marker):
    try:
        start_of(marker, "ListKeys")
    except Refusal:
        pass


def test_a_marker_of_another_listing_is_refused():
    text = json.dumps([["ListAliases"], ["x"]]).encode()
    marker = base64.b64encode(text, altchars=b"-_").decode()
    with pytest.raises(Refusal):
        start_of(marker, "ListKeys")
    assert start_of(marker, "ListAliases") == ("x",)


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()))
def test_grant_tokens(token):
    try:
        read_grant_token(token)
    except Refusal:
        pass


def test_a_grant_token_comes_back():
    ref = GrantRef("111122223333", "us-east-1", "k", "g", "n")
    assert read_grant_token(grant_token(ref)) == ref


@given(st.binary(max_size=200))
def test_ciphertext_headers(blob):
    found = material_id_of(blob)
    assert found is None or len(found) == 64


def roots():
    return RootKeys(Unattended((bytes(32),)), lambda: 1.0)


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda version, length, rest: version + length.to_bytes(4, "big") + rest,
        st.sampled_from([b"\x01", b"\x02", b"\x03", b"\x04"]),
        st.integers(0, 300) | st.just(2**32 - 1),
        st.binary(max_size=300),
    )
)
def test_sealed_domains_and_tokens(blob):
    with pytest.raises(SealRefused):
        roots().unseal(blob)
    with pytest.raises(TokenRefused):
        Ring.create().unwrap(blob, b"binding")


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_altered_seal_is_refused(at, bit):
    made = roots()
    made.create()
    sealed = bytearray(made.sealed(Contents(rings={"us-east-1": Ring.create()})))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(SealRefused):
        roots().unseal(bytes(sealed))


@given(st.binary(max_size=300))
def test_journal_lines(line):
    try:
        read_line(line)
    except BrokenLine:
        pass
