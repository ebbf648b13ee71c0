"""Numbers and times from outside: exactly what each protocol says, or refused in its words."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori.front import json11, query
from kagimori.front.models import ServiceModel
from kagimori.rules.numbers import basic_iso, finite, http_date, whole, whole_between
from kagimori.rules.policy.operators import IllTyped, instant, number
from kagimori.rules.refusal import (
    IncompleteSignatureException,
    InvalidSignatureException,
    Refusal,
)
from kagimori.rules.sigv4.presigned import read_presigned
from kagimori.rules.sigv4.verify import check_lifetime, check_time

ARABIC, FULL_WIDTH, SUPER = "٦٠", "６０", "6²"
# What Python reads as a number, or as a digit, and no protocol here means.
ODD = [
    "",
    " 60",
    "60 ",
    "6 0",
    "+60",
    "-60",
    "6_0",
    "6e1",
    "60.0",
    "0x3c",
    "NaN",
    "nan",
    "Infinity",
    "1e999",
    ARABIC,
    FULL_WIDTH,
    SUPER,
    "60\n",
    "\t60",
    "60\x00",
    "60\u00a0",
    "９",
    "9" * 400,
    "9" * 5000,
    "True",
    "null",
    "60,",
    "6'0",
]


@pytest.mark.parametrize("text", ODD)
def test_a_whole_number_is_ascii_digits_and_no_more_than_there_may_be(text):
    assert whole(text, digits_max=6) is None
    assert whole_between(text, 1, 604_800) is None


def test_whole_numbers():
    assert whole("0060", digits_max=4) == 60
    assert whole("00060", digits_max=4) is None
    assert whole_between("60", 1, 604_800) == 60
    for text in ("0", "060", "604801", "6048000"):
        assert whole_between(text, 1, 604_800) is None


@given(st.text(max_size=12))
def test_every_text_is_a_number_or_none(text):
    found = whole(text, digits_max=9)
    assert found is None or (text.isascii() and str(found) == (text.lstrip("0") or "0"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "1", None, [1]])
def test_what_is_no_finite_number(value):
    assert finite(value) is None


def test_finite_numbers():
    assert finite(1) == finite(1.0) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "202611 6T083000Z",
        "20261126t083000Z",
        "20261126T083000z",
        "20261126T083000",
        "20261126T08300 Z",
        "20260230T083000Z",
        "20261126T240000Z",
        "20261126T083060Z",
        "00001126T083000Z",
        "+0261126T083000Z",
        "2026_126T083000Z",
        "２０２６１１２６T083000Z",
        "2026-11-26T08:30:00Z",
        "",
    ],
)
def test_a_time_in_basic_form_is_that_form_alone(text):
    assert basic_iso(text) is None


@given(st.datetimes())
def test_every_time_in_basic_form_is_read(moment):
    text = f"{moment:%Y%m%dT%H%M%SZ}".rjust(16, "0")
    expected = moment.replace(microsecond=0, tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert basic_iso(text) == expected.total_seconds()


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_every_other_date_is_read_or_none(text):
    assert isinstance(http_date(text), float | None)


def test_dates_of_http():
    assert http_date("Thu, 26 Nov 2026 08:30:00 GMT") == basic_iso("20261126T083000Z")
    assert http_date("Thu, 26 Nov 2026 08:30:00 " + " " * 60 + "GMT") is None
    assert http_date("Thu, ٢٦ Nov 2026 08:30:00 GMT") is None


# --- presigned URLs -------------------------------------------------------------------------------

SCOPE = "AKIAIOSFODNN7EXAMPLE%2F20261126%2Fus-east-1%2Fsts%2Faws4_request"
NOW = basic_iso("20261126T083000Z")


def presigned(**changed):
    given = {
        "Algorithm": "AWS4-HMAC-SHA256",
        "Credential": SCOPE,
        "Date": "20261126T083000Z",
        "Expires": "60",
        "SignedHeaders": "host",
        "Signature": "0" * 64,
        **changed,
    }
    query = "&".join(f"X-Amz-{name}={value}" for name, value in given.items())
    return f"/?Action=GetCallerIdentity&{query}".encode()


@pytest.mark.parametrize("text", [*ODD, "0", "604801", "0060", "6048000000", "000000001"])
def test_a_lifetime_is_a_number_of_seconds_up_to_a_week(text):
    # An empty one is as if it were not there.
    expected = InvalidSignatureException if text else IncompleteSignatureException
    with pytest.raises(expected):
        read_presigned(presigned(Expires=text.replace("+", "%2B").replace("\n", "%0A")))


@pytest.mark.parametrize(
    "text", ["202611 6T083000Z", "20261126T083000Z ", "٢٠٢٦١١٢٦T083000Z", "9" * 5000, "1e9", "%00"]
)
def test_a_date_that_cannot_be_read_is_told_as_aws_tells_it(text):
    with pytest.raises(IncompleteSignatureException, match="Date must be in ISO-8601"):
        claim = read_presigned(presigned(Date=text.encode().decode("latin-1")))
        check_lifetime(claim.scope, claim.presigned, NOW)


@pytest.mark.parametrize(("after", "holds"), [(0, True), (604_800, True), (604_801, False)])
def test_a_url_holds_for_a_week_at_most(after, holds):
    claim = read_presigned(presigned(Expires="604800"))
    if holds:
        check_lifetime(claim.scope, claim.presigned, NOW + after)
    else:
        with pytest.raises(InvalidSignatureException, match="Signature expired"):
            check_lifetime(claim.scope, claim.presigned, NOW + after)


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_url_says_is_refused_or_read(date, expires):
    try:
        claim = read_presigned(presigned(Date=date, Expires=expires).replace(b" ", b"%20"))
        check_lifetime(claim.scope, claim.presigned, NOW)
    except Refusal:
        pass


@pytest.mark.parametrize("date", ["9999999999", "Thu, 26 Nov 99999999 08:30:00 GMT", "1" * 300])
def test_a_date_header_that_is_none_is_refused(date):
    claim = read_presigned(presigned())
    with pytest.raises(IncompleteSignatureException):
        check_time(claim.scope, {b"date": date.encode()}, NOW)


# --- the two protocols, and policies --------------------------------------------------------------

KMS, IAM = ServiceModel.load("kms"), ServiceModel.load("iam")


@pytest.mark.parametrize("text", [t for t in ODD if t != "60.0"])
def test_an_integer_of_a_form_is_one(text):
    if text == "-60":
        return  # an integer, though not a limit
    with pytest.raises(Refusal):
        query.decode(IAM, IAM.operation("ListUsers"), {"MaxItems": text})


@pytest.mark.parametrize("text", ["01", "1 ", "+1", "1_0", "１", "0", "-1", "1e1", "9" * 5000])
def test_the_index_of_a_list_is_a_number_from_one(text):
    fields = {"UserName": "alice", f"TagKeys.member.{text}": "a"}
    with pytest.raises(Refusal):
        query.decode(IAM, IAM.operation("UntagUser"), fields)


@pytest.mark.parametrize(
    "literal",
    [
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "1" * 400,
        "+1",
        "01",
        "1_0",
        '"1"',
        "true",
        "１",
        "1.5",
    ],
)
def test_a_number_of_json_is_an_integer_in_bounds(literal):
    with pytest.raises(Refusal):
        json11.decode(KMS, KMS.operation("ListKeys"), f'{{"Limit": {literal}}}'.encode())


@pytest.mark.parametrize("literal", ["1e999", "NaN", "Infinity", "1" * 400, '"1"', "true", "1e300"])
def test_a_timestamp_of_json_is_a_time(literal):
    with pytest.raises(Refusal):
        body = f'{{"KeyId": "a", "ImportToken": "YQ==", "ValidTo": {literal}}}'
        json11.decode(KMS, KMS.operation("ImportKeyMaterial"), body.encode())


@pytest.mark.parametrize("text", [t for t in ODD if t not in ("+60", "-60", "60.0", "9" * 400)])
def test_a_number_of_a_policy_is_decimal(text):
    with pytest.raises(IllTyped):
        number(text)
    with pytest.raises(IllTyped):
        instant(text)


@pytest.mark.parametrize("text", ["٢٠٢٦-11-26", "2026-11-26T08:30:60Z", "2026-11-26 ", "26-11-26"])
def test_a_date_of_a_policy_is_iso_8601(text):
    with pytest.raises(IllTyped):
        instant(text)
