"""Every operation of the four services, against botocore's own serializer and parsers."""

import re
import unicodedata

import botocore.parsers
import botocore.serialize
import botocore.session
import msgspec
import pytest

from kagimori.front import json11
from kagimori.front.models import ServiceModel
from kagimori.front.patterns import SEPARATORS, python_pattern
from kagimori.front.structs import StructMaker
from kagimori.rules.identity.refusals import InvalidAction
from kagimori.rules.refusal import KMSInvalidMacException, Refusal, UnknownOperationException
from unit.front import wire_samples as samples

SERVICES = {name: ServiceModel.load(name) for name in ("kms", "cloudtrail", "iam", "sts")}
JSON_ACTIONS = [
    (name, action) for name in ("kms", "cloudtrail") for action in SERVICES[name].operations
]


@pytest.fixture(scope="module")
def theirs():
    session = botocore.session.get_session()
    return {name: session.get_service_model(name) for name in SERVICES}


@pytest.mark.parametrize(("service", "action"), JSON_ACTIONS)
def test_a_body_of_botocore_is_read_whole(theirs, service, action):
    model, operation = SERVICES[service], SERVICES[service].operation(action)
    serializer = botocore.serialize.create_serializer("json", include_validation=False)
    for round_ in range(8):
        sent = samples.value(model.shapes, operation.input_shape, samples.source(action, round_))
        request = serializer.serialize_to_request(sent, theirs[service].operation_model(action))
        assert request["headers"]["X-Amz-Target"] == f"{model.target_prefix}.{action}"
        read = json11.decode(model, operation, request["body"])
        assert samples.members(read) == samples.plain(sent)
        assert operation.decoder.decode(request["body"]) == read


@pytest.mark.parametrize(("service", "action"), JSON_ACTIONS)
def test_botocore_reads_our_answers_whole(theirs, service, action):
    model, operation = SERVICES[service], SERVICES[service].operation(action)
    shape = theirs[service].operation_model(action).output_shape
    if operation.output_shape is None:
        assert shape is None
        assert json11.encode(None) == b""
        return
    answer = samples.value(model.shapes, operation.output_shape, samples.source(action))
    body = json11.encode(samples.plain(answer) | {"Absent": None})
    parsed = botocore.parsers.create_parser("json").parse(
        {"body": body, "headers": {}, "status_code": 200}, shape
    )
    parsed.pop("ResponseMetadata")
    assert samples.plain(parsed) == samples.plain(answer)


@pytest.mark.parametrize("service", SERVICES)
def test_every_action_compiles_once(service):
    model = SERVICES[service]
    for action in model.operations:
        assert model.operation(action) is model.operation(action)
        assert issubclass(model.operation(action).input_type, msgspec.Struct)


def test_services_have_their_names():
    facts = {
        name: (m.api_version, m.protocol, m.target_prefix, m.xml_namespace)
        for name, m in SERVICES.items()
    }
    assert facts == {
        "kms": ("2014-11-01", "json", "TrentService", None),
        "cloudtrail": (
            "2013-11-01",
            "json",
            "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
            None,
        ),
        "iam": ("2010-05-08", "query", None, "https://iam.amazonaws.com/doc/2010-05-08/"),
        "sts": ("2011-06-15", "query", None, "https://sts.amazonaws.com/doc/2011-06-15/"),
    }


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("kms", "NotFoundException", 400),
        ("kms", "KMSInternalException", 500),
        ("kms", "KeyUnavailableException", 500),
        ("iam", "NoSuchEntity", 404),
        ("iam", "DeleteConflict", 409),
        ("iam", "ServiceFailure", 500),
        ("sts", "RegionDisabledException", 403),
        ("sts", "NeverHeardOfIt", 400),
    ],
)
def test_status_of(service, code, status):
    assert SERVICES[service].error_status(code) == status


@pytest.mark.parametrize(
    "refusal",
    [r for r in Refusal.__subclasses__() if r.__module__ == "kagimori.rules.identity.refusals"],
    ids=lambda refusal: refusal.code,
)
def test_the_models_and_the_refusals_agree_on_the_status_of(refusal):
    # The model of STS has ExpiredTokenException; ExpiredToken is another code.
    for service in ("iam", "sts"):
        if refusal.code in SERVICES[service]._statuses:
            assert SERVICES[service].error_status(refusal.code) == refusal.status


def test_errors_are_named_by_their_codes():
    assert "NoSuchEntity" in SERVICES["iam"].operation("GetUser").errors
    assert KMSInvalidMacException.code in SERVICES["kms"].operation("VerifyMac").errors


def test_an_unknown_action_is_refused_in_the_words_of_its_protocol():
    with pytest.raises(UnknownOperationException):
        SERVICES["kms"].operation("Encipher")
    with pytest.raises(
        InvalidAction, match="Could not find operation Nothing for version 2011-06-15"
    ):
        SERVICES["sts"].operation("Nothing")


def test_an_unknown_service_is_refused():
    with pytest.raises(LookupError):
        ServiceModel.load("nothing")


def test_required_members_are_required_of_a_struct():
    with pytest.raises(TypeError):
        SERVICES["kms"].operation("Encrypt").input_type()


def test_only_structures_become_structs():
    with pytest.raises(TypeError):
        StructMaker(SERVICES["kms"].shapes).struct("KeyIdType")


# --- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "pattern", "value", "matches"),
    [
        ("whole value only", "[a-z]+", "ab1", False),
        ("a final newline is part of the value", "^[a-z]+$", "ab\n", False),
        ("\\w is ASCII", r"[\w]+", "\u00e9", False),
        ("\\d is ASCII", r"\d{12}", "\u0661" * 12, False),
        ("a dot is no line end", ".+", "a\u2028b", False),
        ("(?s) lets a dot be anything", "(?s).*", "a\nb\u2028", True),
        ("an escaped dot stays one", r"a\.b", "axb", False),
        ("a dot in a class stays one", "[.]", "x", False),
        ("letters of Unicode", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", "\u00e9\u4e2d 1_\u2003\u00bd", True),
        ("no symbols of Unicode", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", "\u20ac", False),
        ("upper planes", r"[\u10000-\u10FFFF]+", "\U0001f511", True),
        ("upper planes hold no digit", r"[\u10000-\u10FFFF]+", "0", False),
        ("surrogate pairs", r"[\uD800\uDC00-\uDBFF\uDFFF]+", "\U0001f511", True),
        ("either side is anchored", "^a$|^b$", "ab", False),
    ],
)
def test_pattern(row, pattern, value, matches):
    assert bool(re.search(python_pattern(pattern), value)) is matches


def test_word_characters_and_separators_are_what_unicode_says():
    ours = re.compile(python_pattern(r"[\p{L}\p{Z}\p{N}_]"))
    for point in range(0x110000):
        character = chr(point)
        expected = character == "_" or unicodedata.category(character)[0] in "LNZ"
        assert bool(ours.match(character)) is expected, hex(point)
    assert SEPARATORS.startswith(" ")


def test_a_unicode_class_standing_elsewhere_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        python_pattern(r"\p{L}+")
