"""Signatures over the wire: what is refused, with AWS's code, status and words. Reference: 5.5, 19.2.

Every request is signed by botocore's own signer, then spoilt in one way. JSON is asked of KMS, the
form of STS.
"""

import datetime as dt
import json
from xml.etree import ElementTree as ET

import pytest

from serving import Signed

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
UNKNOWN_TOKEN = "The security token included in the request is invalid."
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
# What a JSON service calls it; what a Query service calls it, and with which status.
IN_QUERY = {
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
}
MISSING, INCOMPLETE, INVALID, UNRECOGNIZED = IN_QUERY


class Asker:
    """Signs requests in one protocol, and reads its refusals."""

    def __init__(self, server, protocol):
        self.server, self.protocol = server, protocol
        self.service = "kms" if protocol == "json" else "sts"
        self.other_service = "sts" if protocol == "json" else "kms"

    def signed(self, **how):
        operation = "ListKeys" if self.protocol == "json" else "GetCallerIdentity"
        how = {"service": self.service, "protocol": self.protocol, **how}
        return Signed(self.server, operation, {}, **how)

    def accepted(self, request):
        answer = self.server.send(request)
        assert answer.status == 200, answer.body
        return answer

    def refusal(self, request, code):
        """Return the message of a refusal with this code (JSON's name of it)."""
        answer = self.server.send(request)
        if self.protocol == "json":
            assert (answer.status, answer.json["__type"]) == (400, code), answer.body
            assert set(answer.json) == {"__type", "message"}
            assert answer.headers["content-type"] == "application/x-amz-json-1.1"
            return answer.json["message"]
        error = ET.fromstring(answer.body).find(f"{STS}Error")
        found = (error.findtext(f"{STS}Code"), answer.status)
        assert found == IN_QUERY[code], answer.body
        assert error.findtext(f"{STS}Type") == "Sender"
        assert answer.headers["content-type"] == "text/xml"
        return error.findtext(f"{STS}Message")


@pytest.fixture(params=["json", "query"])
def asker(request, server):
    return Asker(server, request.param)


def test_a_good_signature(asker):
    asker.accepted(asker.signed())


# --- the Authorization header ---------------------------------------------------------------------


def test_no_authorization(asker):
    request = asker.signed().replace("Authorization", None)
    assert asker.refusal(request, MISSING) == "Missing Authentication Token"


@pytest.mark.parametrize("value", ["nonsense", "Bearer abc", "AWS4-HMAC-SHA256", "AWS a:b"])
def test_an_authorization_of_another_kind(asker, value):
    request = asker.signed().replace("Authorization", value)
    assert asker.refusal(request, INCOMPLETE) == (
        "Authorization header requires 'Credential' parameter. Authorization header requires "
        "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
        f"Authorization={value}"
    )


@pytest.mark.parametrize("part", ["Credential", "Signature", "SignedHeaders"])
def test_a_part_is_missing(asker, part):
    request = asker.signed()
    parts = request.header("Authorization").removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    rest = ", ".join(text for text in parts if not text.startswith(f"{part}="))
    value = f"AWS4-HMAC-SHA256 {rest}"
    request.replace("Authorization", value)
    assert asker.refusal(request, INCOMPLETE) == (
        f"Authorization header requires '{part}' parameter. Authorization={value}"
    )


def test_a_part_without_an_equal_sign(asker):
    request = asker.signed().change("Authorization", "Signature=", "Signature")
    value = request.header("Authorization")
    part = value.rpartition(", ")[2]
    assert asker.refusal(request, INCOMPLETE) == (
        f"'{part}' not a valid key=value pair (missing equal-sign) in Authorization header: "
        f"'{value}'."
    )


def test_a_part_twice(asker):
    request = asker.signed()
    value = request.header("Authorization")
    request.replace("Authorization", value + ", Signature=" + "0" * 64)
    asker.refusal(request, INCOMPLETE)


def test_a_credential_of_four_elements(asker):
    request = asker.signed().change("Authorization", "/aws4_request", "")
    assert asker.refusal(request, INCOMPLETE).startswith(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '"
    )


@pytest.mark.parametrize("signature", ["0" * 64, "0" * 63, "g" * 64, "é"])
def test_a_made_up_signature(asker, signature):
    request = asker.signed()
    signed = request.header("Authorization").rpartition("=")[2]
    request.change("Authorization", signed, signature)
    assert asker.refusal(request, INVALID) == MISMATCH


def test_a_signature_in_upper_case(asker):
    request = asker.signed()
    signed = request.header("Authorization").rpartition("=")[2]
    request.change("Authorization", signed, signed.upper())
    asker.refusal(request, INVALID)


def test_white_space_between_the_parts_does_not_matter(asker):
    asker.accepted(asker.signed().change("Authorization", ", ", ","))


# --- who, where, what for -------------------------------------------------------------------------


def test_a_wrong_secret(asker):
    assert asker.refusal(asker.signed(secret="x" * 40), INVALID) == MISMATCH


@pytest.mark.parametrize("access_key", ["AKIAIOSFODNN7EXAMPLE", "x", "ASIAIOSFODNN7EXAMPLE"])
def test_an_unknown_access_key(asker, access_key):
    assert asker.refusal(asker.signed(access_key=access_key), UNRECOGNIZED) == UNKNOWN_TOKEN


def test_a_token_with_a_long_term_key(asker):
    assert asker.refusal(asker.signed(token="dG9rZW4="), UNRECOGNIZED) == UNKNOWN_TOKEN


def test_a_region_that_is_not_served(asker):
    message = asker.refusal(asker.signed(region="ap-south-1"), INVALID)
    assert message.rstrip() == "Credential should be scoped to a valid region."


def test_another_service(server):
    asker = Asker(server, "json")
    message = asker.refusal(asker.signed(service="s3"), INVALID)
    assert message.rstrip() == "Credential should be scoped to correct service: 'kms'."
    message = asker.refusal(asker.signed(service="sts"), INVALID)
    assert message.rstrip() == "Credential should be scoped to correct service: 'kms'."


def test_another_terminator(asker):
    message = asker.refusal(asker.signed(terminator="aws5_request"), INVALID)
    assert message.startswith("Credential should be scoped with a valid terminator: 'aws4_request'")


def test_a_scope_in_a_region_it_was_not_signed_for(asker):
    request = asker.signed().change("Authorization", "/us-east-1/", "/eu-central-1/")
    assert asker.refusal(request, INVALID) == MISMATCH


# --- when -----------------------------------------------------------------------------------------


def _stamp(moment):
    return moment.strftime("%Y%m%dT%H%M%SZ")


WINDOW = {"json": 5, "query": 15}


@pytest.mark.parametrize("sign", [-1, 1])
def test_within_the_window(asker, sign):
    asker.accepted(asker.signed(skew_seconds=sign * (WINDOW[asker.protocol] * 60 - 20)))


def test_too_old(asker):
    minutes = WINDOW[asker.protocol]
    request = asker.signed(skew_seconds=-minutes * 60 - 20)
    message = asker.refusal(request, INVALID)
    assert message.startswith(
        f"Signature expired: {request.header('X-Amz-Date')} is now earlier than "
    )
    assert message.endswith(f" - {minutes} min.)")
    edge, now = message.partition("earlier than ")[2].split(" (")
    assert _moment(now[:16]) - _moment(edge) == dt.timedelta(minutes=minutes)


def test_too_new(asker):
    minutes = WINDOW[asker.protocol]
    request = asker.signed(skew_seconds=minutes * 60 + 20)
    message = asker.refusal(request, INVALID)
    assert message.startswith(
        f"Signature not yet current: {request.header('X-Amz-Date')} is still later than "
    )
    assert message.endswith(f" + {minutes} min.)")


def _moment(text):
    return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


def test_the_scope_is_of_another_day(asker):
    request = asker.signed()
    today = request.header("X-Amz-Date")[:8]
    request.change("Authorization", f"/{today}/", "/20200101/")
    message = asker.refusal(request, INVALID)
    assert message.startswith(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
    )


def test_no_date(asker):
    assert asker.refusal(asker.signed().replace("X-Amz-Date", None), INCOMPLETE) == (
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    )


@pytest.mark.parametrize("value", ["yesterday", "20240101T000000", "2024-01-01T00:00:00Z", "1"])
def test_a_date_that_is_none(asker, value):
    message = asker.refusal(asker.signed().replace("X-Amz-Date", value), INCOMPLETE)
    assert value in message


def test_another_time_than_was_signed(asker):
    earlier = _stamp(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2))
    request = asker.signed(when=dt.datetime.now(dt.UTC))
    if earlier[:8] == request.header("X-Amz-Date")[:8]:
        assert asker.refusal(request.replace("X-Amz-Date", earlier), INVALID) == MISMATCH


def test_the_date_header_serves_as_well(asker):
    asker.accepted(asker.signed(headers={"Date": "to be set"}))


# --- what was signed ------------------------------------------------------------------------------


def test_a_changed_body(asker):
    request = asker.signed()
    request.body = request.body + b" " if asker.protocol == "json" else request.body + b"&a=b"
    assert asker.refusal(request, INVALID) == MISMATCH


def test_a_changed_method(asker):
    request = asker.signed()
    request.method = "PUT"
    assert asker.server.send(request).status in (404, 405)


@pytest.mark.parametrize(
    "value", ["0" * 64, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
)
def test_a_payload_hash_that_is_not_the_bodys(asker, value):
    request = asker.signed(headers={"X-Amz-Content-SHA256": value})
    assert asker.refusal(request, INVALID) == MISMATCH


def test_the_payload_hash_may_be_sent(asker):
    import hashlib

    body = asker.signed().body
    digest = hashlib.sha256(body).hexdigest()
    asker.accepted(asker.signed(headers={"X-Amz-Content-SHA256": digest}))


def test_an_unsigned_host(asker):
    assert asker.refusal(asker.signed(unsigned=["Host"]), INVALID) == (
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    )


def test_an_unsigned_target(server):
    asker = Asker(server, "json")
    assert asker.refusal(asker.signed(unsigned=["X-Amz-Target"]), INVALID) == (
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    )


@pytest.mark.parametrize("name", ["X-Amz-Date", "X-Amz-Extra"])
def test_an_unsigned_amz_header(asker, name):
    request = asker.signed(headers={"X-Amz-Extra": "x"}, unsigned=[name])
    assert asker.refusal(request, INVALID) == (
        f"'{name.lower()}' must be a 'SignedHeader' in the AWS Authorization."
    )


def test_an_amz_header_added_on_the_way(asker):
    request = asker.signed()
    request.headers.append(("X-Amz-Extra", "x"))
    asker.refusal(request, INVALID)


def test_an_added_header_of_no_meaning_is_no_matter(asker):
    request = asker.signed()
    request.headers.append(("X-Forwarded-For", "192.0.2.1"))
    asker.accepted(request)


def test_a_signed_header_that_is_not_sent(asker):
    request = asker.signed(headers={"X-Signed": "x"}).replace("X-Signed", None)
    asker.refusal(request, INVALID)


def test_a_changed_signed_header(asker):
    request = asker.signed(headers={"X-Signed": "x"}).replace("X-Signed", "y")
    assert asker.refusal(request, INVALID) == MISMATCH


def test_another_target_than_was_signed(server):
    asker = Asker(server, "json")
    request = asker.signed().replace("X-Amz-Target", "TrentService.ListAliases")
    assert asker.refusal(request, INVALID) == MISMATCH


def test_another_host_than_was_signed(asker):
    request = asker.signed()
    request.headers.append(("Host", "kms.us-east-1.amazonaws.com"))
    assert asker.refusal(request, INVALID) == MISMATCH


@pytest.mark.parametrize("order", ["upper", "unsorted", "twice", "empty"])
def test_a_list_of_signed_headers_that_is_not_canonical(asker, order):
    request = asker.signed()
    names = request.header("Authorization").partition("SignedHeaders=")[2].partition(",")[0]
    lists = {
        "upper": names.title(),
        "unsorted": ";".join(reversed(names.split(";"))),
        "twice": names + ";" + names.rpartition(";")[2],
        "empty": names + ";",
    }
    request.change("Authorization", f"SignedHeaders={names}", f"SignedHeaders={lists[order]}")
    asker.refusal(request, INVALID)


def test_white_space_in_a_value_is_trimmed(asker):
    request = asker.signed(headers={"X-Signed": "a  b   c"})
    asker.accepted(request)
    asker.accepted(asker.signed(headers={"X-Signed": "a b"}).replace("X-Signed", "  a    b "))


# --- headers that come twice ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Amz-Date", "Authorization", "Host"])
def test_a_header_twice_is_never_accepted(asker, name):
    request = asker.signed()
    if name == "Host":
        request.headers.append(("Host", asker.server.url.removeprefix("http://")))
    value = request.header(name)
    request.headers.append((name, value))
    answer = asker.server.send(request)
    assert 400 <= answer.status < 500


def test_a_second_target_is_never_accepted(server):
    request = Asker(server, "json").signed()
    request.headers.append(("X-Amz-Target", "TrentService.ListAliases"))
    answer = server.send(request)
    assert answer.status == 400
    assert json.loads(answer.body)["__type"] in (INVALID, "UnknownOperationException")


def test_signed_headers_may_repeat(asker):
    request = asker.signed(headers={"X-Signed": "a,b"}).replace("X-Signed", "a")
    request.headers.append(("X-Signed", "b"))
    asker.accepted(request)


# --- the query string -----------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["?a=b", "?b=2&a=1", "?a=%20%2F", "?a", "?"])
def test_a_signed_query_string(server, query):
    asker = Asker(server, "json")
    asker.accepted(asker.signed(target="/" + query))


@pytest.mark.parametrize("sent", ["/", "/?a=c", "/?a=b&c=d", "/?A=b"])
def test_another_query_string_than_was_signed(server, sent):
    asker = Asker(server, "json")
    request = asker.signed(target="/?a=b")
    request.target = sent
    assert asker.refusal(request, INVALID) == MISMATCH


def test_a_query_string_that_was_not_signed(server):
    asker = Asker(server, "json")
    request = asker.signed()
    request.target = "/?Action=Encrypt"
    assert asker.refusal(request, INVALID) == MISMATCH


# --- and nothing is done --------------------------------------------------------------------------


def test_a_refused_request_changes_nothing(server, kms, key):
    request = Signed(server, "DisableKey", {"KeyId": key}, secret="x" * 40)
    assert server.send(request).json["__type"] == INVALID
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_a_signature_may_be_used_while_it_is_fresh(asker):
    """AWS has no memory of signatures either: the window bounds what a listener may repeat."""
    request = asker.signed()
    asker.accepted(request)
    asker.accepted(request)


def test_the_order_of_refusals(server):
    """Time and scope are judged before the access key, and all of them before the members."""
    old = Signed(server, "Encrypt", b"{", access_key="AKIAIOSFODNN7EXAMPLE", skew_seconds=-3600)
    assert server.send(old).json["message"].startswith("Signature expired")
    unknown = Signed(server, "Encrypt", b"{", access_key="AKIAIOSFODNN7EXAMPLE")
    assert server.send(unknown).json["__type"] == UNRECOGNIZED
    wrong = Signed(server, "Encrypt", b"{", secret="x" * 40)
    assert server.send(wrong).json["__type"] == INVALID
    good = Signed(server, "Encrypt", b"{")
    assert server.send(good).json["__type"] == "SerializationException"


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_to_upgrade_is_ignored_signed_or_not(server, offer):
    """As a client of HTTP/2 sends with its first request over plain HTTP."""
    upgrade = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": offer,
        "HTTP2-Settings": "AAMAAABkAAQAAP__",
    }
    for unsigned in ((), tuple(upgrade)):
        request = Signed(server, "ListKeys", {}, headers=upgrade, unsigned=unsigned)
        answer = server.send(request)
        assert answer.status == 200, answer.body
        assert "Keys" in answer.json
