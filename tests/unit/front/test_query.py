"""The Query protocol, against botocore's own serializer and parsers, and by hand."""

import xml.etree.ElementTree as ET
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import botocore.session
import pytest

from kagimori.front import query, xml
from kagimori.front.models import OperationModel, ServiceModel
from kagimori.front.shapes import Metadata, Ref, Shape
from kagimori.rules.identity.refusals import (
    MalformedInput,
    MalformedQueryString,
    NoSuchEntity,
    ServiceFailure,
    ValidationError,
)
from unit.front import wire_samples as samples

SERVICES = {name: ServiceModel.load(name) for name in ("iam", "sts")}
ACTIONS = [(name, action) for name, model in SERVICES.items() for action in model.operations]


@pytest.fixture(scope="module")
def theirs():
    session = botocore.session.get_session()
    return {name: session.get_service_model(name) for name in SERVICES}


def decode(service, action, form):
    model = SERVICES[service]
    return query.decode(model, model.operation(action), query.parse_form(b"", form))


@pytest.mark.parametrize(("service", "action"), ACTIONS)
def test_a_form_of_botocore_is_read_whole(theirs, service, action):
    model, operation = SERVICES[service], SERVICES[service].operation(action)
    serializer = botocore.serialize.create_serializer("query", include_validation=False)
    for round_ in range(8):
        rng = samples.source(action, round_)
        # A form cannot show a structure without members, except where it is the whole request.
        sent = samples.value(model.shapes, operation.input_shape, rng, empty=False)
        request = serializer.serialize_to_request(sent, theirs[service].operation_model(action))
        fields = query.parse_form(b"", urlencode(request["body"]).encode())
        assert fields["Action"] == action
        assert fields["Version"] == model.api_version
        assert samples.members(query.decode(model, operation, fields)) == samples.plain(sent)


@pytest.mark.parametrize(("service", "action"), ACTIONS)
def test_botocore_reads_our_answers_whole(theirs, service, action):
    model, operation = SERVICES[service], SERVICES[service].operation(action)
    shape = theirs[service].operation_model(action).output_shape
    answer = None
    if operation.output_shape is not None:
        answer = samples.value(model.shapes, operation.output_shape, samples.source(action))
    body = query.encode(model, operation, answer and samples.plain(answer), "the-id")
    parsed = botocore.parsers.create_parser("query").parse(
        {"body": body, "headers": {}, "status_code": 200}, shape
    )
    assert parsed.pop("ResponseMetadata")["RequestId"] == "the-id"
    assert samples.plain(parsed) == samples.plain(answer or {})


@pytest.mark.parametrize(
    ("row", "service", "action", "form", "text"),
    [
        (
            "integer",
            "sts",
            "GetSessionToken",
            b"DurationSeconds=abc",
            "STRING_VALUE can not be converted to an Integer",
        ),
        ("no integer at all", "sts", "GetSessionToken", b"DurationSeconds=", "an Integer"),
        (
            "beyond 32 bits",
            "sts",
            "GetSessionToken",
            b"DurationSeconds=99999999999",
            "NUMBER_VALUE can not be converted to an Integer",
        ),
        (
            "other digits",
            "sts",
            "GetSessionToken",
            "DurationSeconds=\u0661\u0660\u0660\u0660".encode(),
            "an Integer",
        ),
        (
            "boolean",
            "iam",
            "UpdateAccountPasswordPolicy",
            b"RequireNumbers=True",
            "STRING_VALUE can not be converted to a Boolean",
        ),
        (
            "list for a scalar",
            "iam",
            "GetUser",
            b"UserName.member.1=a",
            "Start of list found where not expected",
        ),
        (
            "structure for a scalar",
            "iam",
            "GetUser",
            b"UserName.x=a",
            "Start of structure or map found where not expected.",
        ),
        ("scalar for a list", "iam", "TagUser", b"UserName=u&Tags=a", "Unexpected value"),
        (
            "scalar and list",
            "iam",
            "TagUser",
            b"Tags=a&Tags.member.1.Key=k",
            "Start of structure or map",
        ),
        (
            "list and scalar",
            "iam",
            "TagUser",
            b"Tags.member.1.Key=k&Tags=a",
            "Start of structure or map",
        ),
        (
            "structure for a list",
            "iam",
            "TagUser",
            b"UserName=u&Tags.x=a",
            "Start of structure or map",
        ),
        ("huge index", "iam", "TagUser", b"UserName=u&Tags.member.999999999.Key=k", "list index"),
        (
            "index past the bound",
            "iam",
            "TagUser",
            b"UserName=u&Tags.member.10001.Key=k",
            "list index",
        ),
        ("index zero", "iam", "TagUser", b"UserName=u&Tags.member.0.Key=k", "list index"),
        ("index with a sign", "iam", "TagUser", b"UserName=u&Tags.member.-1.Key=k", "list index"),
        ("too deep", "iam", "TagUser", b"Tags" + b".member" * 5000 + b"=k", "too many parts"),
    ],
)
def test_malformed_input(row, service, action, form, text):
    with pytest.raises(MalformedInput) as caught:
        decode(service, action, form)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("row", "service", "action", "form", "text"),
    [
        (
            "below a number",
            "sts",
            "GetSessionToken",
            b"DurationSeconds=5",
            "1 validation error detected: Value '5' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            "absent",
            "sts",
            "AssumeRole",
            b"RoleArn=" + b"a" * 20,
            "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "pattern",
            "iam",
            "GetRole",
            b"RoleName=a%2Fb",
            r"1 validation error detected: Value 'a/b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
        ),
        (
            "two",
            "iam",
            "GetRole",
            b"RoleName=",
            r"2 validation errors detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+",
        ),
        (
            "in a list",
            "iam",
            "TagUser",
            b"UserName=u&Tags.member.3.Key=k&Tags.member.7.Key=l&Tags.member.3.Value=v",
            "1 validation error detected: Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            "secret",
            "iam",
            "ChangePassword",
            b"NewPassword=x&OldPassword=" + b"s" * 129,
            "1 validation error detected: Value at 'oldPassword' failed to satisfy constraint: Member must have length less than or equal to 128",
        ),
    ],
)
def test_validation_error(row, service, action, form, text):
    with pytest.raises(ValidationError) as caught:
        decode(service, action, form)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ("no hexadecimal", b"a=%zz"),
        ("cut escape", b"a=%4"),
        ("not UTF-8", b"a=%ff"),
        ("a raw byte that is not UTF-8", b"\xff=1"),
        ("a name twice", b"a=1&a=2"),
        ("a name twice, once escaped", b"a=1&%61=2"),
        ("too many fields", b"&".join(b"f%d=1" % n for n in range(query.FIELDS_MAX + 1))),
        ("too many nothings", b"&" * query.FIELDS_MAX),
    ],
)
def test_malformed_query_string(row, form):
    with pytest.raises(MalformedQueryString):
        query.parse_form(b"", form)


def test_query_string_and_body_are_one_form():
    assert query.parse_form(b"Action=A&&x", b"b=%2B+%c3%a9") == {
        "Action": "A",
        "x": "",
        "b": "+ \u00e9",
    }
    with pytest.raises(MalformedQueryString):
        query.parse_form(b"Action=A", b"Action=B")


def test_elements_stand_in_the_order_of_their_numbers():
    form = b"UserName=u&Tags.member.10.Key=b&Tags.member.10.Value=&Tags.member.9.Key=a&Tags.member.9.Value="
    assert [tag.Key for tag in decode("iam", "TagUser", form).Tags] == ["a", "b"]


def test_unknown_names_are_ignored():
    assert decode("iam", "GetUser", b"UserName=u&Nothing.member.1=x&Other=y").UserName == "u"


# --- names the four services do not use, but the protocol has ------------------------------------

TEXT = Ref(shape="Text")
SHAPES = {
    "Text": Shape(type="string"),
    "When": Shape(type="timestamp"),
    "Part": Shape(type="double"),
    "Blob": Shape(type="blob"),
    "Flat": Shape(type="list", member=TEXT, flattened=True),
    "FlatNamed": Shape(type="list", member=Ref(shape="Text", location_name="item"), flattened=True),
    "Named": Shape(type="list", member=Ref(shape="Text", location_name="item")),
    "Map": Shape(type="map", key=TEXT, value=TEXT),
    "FlatMap": Shape(
        type="map", key=Ref(shape="Text", location_name="K"), value=TEXT, flattened=True
    ),
}
TOP = Shape(
    type="structure",
    members={
        "When": Ref(shape="When", location_name="at"),
        "Part": Ref(shape="Part"),
        "Blob": Ref(shape="Blob"),
        "Flat": Ref(shape="Flat"),
        "FlatNamed": Ref(shape="FlatNamed"),
        "Named": Ref(shape="Named"),
        "Map": Ref(shape="Map"),
        "FlatMap": Ref(shape="FlatMap"),
    },
)
FORM = (
    b"at=2026-11-24T20:00:00Z&Part=-1.5&Blob=QQ%3D%3D&Flat.1=a&Flat.2=b&item.1=c&Named.item.1=d"
    b"&Map.entry.1.key=k&Map.entry.1.value=v&FlatMap.1.K=x&FlatMap.1.value=y"
)


@pytest.fixture
def made():
    description = query_description()
    model = ServiceModel("made", description)
    return model, model.operation("Do")


def query_description():
    from kagimori.front.shapes import Description, OperationDescription, OutputRef

    return Description(
        metadata=Metadata(api_version="1", protocol="query", xml_namespace="urn:made"),
        operations={
            "Do": OperationDescription(
                name="Do", input=Ref(shape="Top"), output=OutputRef(shape="Top")
            )
        },
        shapes=SHAPES | {"Top": TOP},
    )


MEMBERS = {
    "When": 1795550400.0,
    "Part": -1.5,
    "Blob": b"A",
    "Flat": ["a", "b"],
    "FlatNamed": ["c"],
    "Named": ["d"],
    "Map": {"k": "v"},
    "FlatMap": {"x": "y"},
}


def test_other_names_in(made):
    model, operation = made
    assert isinstance(operation, OperationModel)
    assert samples.members(query.decode(model, operation, query.parse_form(FORM, b""))) == MEMBERS


def test_other_names_out(made):
    assert query.encode(*made, MEMBERS, "id").decode() == (
        '<DoResponse xmlns="urn:made"><DoResult><at>2026-11-24T20:00:00Z</at><Part>-1.5</Part>'
        "<Blob>QQ==</Blob><Flat>a</Flat><Flat>b</Flat><item>c</item><Named><item>d</item></Named>"
        "<Map><entry><key>k</key><value>v</value></entry></Map><FlatMap><K>x</K><value>y</value></FlatMap>"
        "</DoResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>"
    )


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ("no time", b"at=now"),
        ("no day", b"at=2026-02-30T00:00:00Z"),
        ("before the calendar", b"at=0001-01-01T00:00:00%2B14:00"),
        ("no number", b"Part=NaN"),
        ("no base64", b"Blob=QQ"),
        ("a map without a key", b"Map.entry.1.value=v"),
        (
            "a map with a key twice",
            b"FlatMap.1.K=x&FlatMap.1.value=&FlatMap.2.K=x&FlatMap.2.value=",
        ),
    ],
)
def test_other_types_refused(made, row, form):
    with pytest.raises(MalformedInput):
        query.decode(*made, query.parse_form(b"", form))


# --- XML -----------------------------------------------------------------------------------------


def test_text_is_read_back():
    text = "a<b>&\"'\r\n\t\u00e9\U0001f511]]>"
    assert ET.fromstring(f"<a b='{xml.escape(text)[:0]}'>{xml.escape(text)}</a>").text == text


def test_what_xml_cannot_hold_is_replaced():
    assert xml.escape("\x00\x1b\ud800\ufffe") == "\ufffd" * 4


@pytest.mark.parametrize(
    ("refusal", "fault"), [(NoSuchEntity("no <user>"), "Sender"), (ServiceFailure(), "Receiver")]
)
def test_refusal(refusal, fault):
    body = query.encode_refusal(SERVICES["iam"], refusal, "id").decode()
    root = ET.fromstring(body)
    space = "{https://iam.amazonaws.com/doc/2010-05-08/}"
    assert root.findtext(f"{space}Error/{space}Type") == fault
    assert root.findtext(f"{space}Error/{space}Code") == refusal.code
    assert root.findtext(f"{space}Error/{space}Message") == (refusal.message or "")
    assert root.findtext(f"{space}RequestId") == "id"


def test_a_member_the_shape_lacks_is_a_fault_of_ours():
    model = SERVICES["iam"]
    with pytest.raises(LookupError):
        query.encode(model, model.operation("GetUser"), {"Usr": {}}, "id")
    with pytest.raises(LookupError):
        query.encode(model, model.operation("DeleteUser"), {"User": {}}, "id")
