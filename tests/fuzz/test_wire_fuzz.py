"""Arbitrary bytes, JSON and forms: the wire accepts or refuses; and fast and slow agree."""

import json
from base64 import b64encode
from urllib.parse import urlencode

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kagimori.front import json11, query
from kagimori.front.models import ServiceModel
from kagimori.front.validate import refuse_invalid
from kagimori.rules.refusal import Refusal, SerializationException, ValidationException

JSON = {name: ServiceModel.load(name) for name in ("kms", "cloudtrail")}
QUERY = {name: ServiceModel.load(name) for name in ("iam", "sts")}


def actions(services):
    return st.sampled_from([(m, m.operation(a)) for m in services.values() for a in m.operations])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
blobs = st.binary(max_size=20).map(lambda raw: b64encode(raw).decode())
words = st.text("aZ09-/:_.=+ \n\u00e9", max_size=12)


@st.composite
def near(draw, shapes, shape):
    """Draw a value that is nearly what the shape allows."""
    if draw(st.integers(0, 19)) == 0:
        return draw(anything)
    if shape.type == "structure":
        names = [n for n in shape.members if n in shape.required or draw(st.booleans())]
        return {n: draw(near(shapes, shapes[shape.members[n].shape])) for n in names}
    if shape.type == "list":
        return draw(st.lists(near(shapes, shapes[shape.member.shape]), max_size=2))
    if shape.type == "map":
        return draw(st.dictionaries(words, near(shapes, shapes[shape.value.shape]), max_size=2))
    return draw(near_scalar(shape))


def near_scalar(shape):
    if shape.enum:
        return st.sampled_from([*shape.enum, "OTHER"])
    kinds = {
        "string": words | st.just("a" * (shape.min or 1)),
        "blob": blobs,
        "boolean": st.booleans(),
        "timestamp": st.integers(0, 2**33) | st.floats(0, 1e10),
        "integer": st.integers(shape.min or 0, shape.max or 99) | st.integers(),
        "long": st.integers(),
    }
    return kinds.get(shape.type, st.floats(allow_nan=False, allow_infinity=False))


@given(actions(JSON), st.data())
@settings(max_examples=400, deadline=None)
def test_fast_and_slow_agree(action, data):
    model, operation = action
    value = data.draw(near(model.shapes, operation.input_shape))
    body = json.dumps(value, allow_nan=False).encode() if finite(value) else b"{}"
    try:
        generic = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return  # a number that no wire type holds: the slow path ends here, as malformed
    try:
        fast = operation.decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fast = None
    try:
        refuse_invalid(
            model.shapes,
            operation.input_shape,
            generic,
            wrong_type=SerializationException,
            invalid=ValidationException,
        )
        slow = msgspec.convert(generic, operation.input_type)
    except (SerializationException, ValidationException) as refusal:
        assert refusal.message
        slow = None
    assert fast == slow


def finite(value):
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(actions(JSON), st.binary() | anything.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=400, deadline=None)
def test_any_body_is_read_or_refused(action, body):
    model, operation = action
    try:
        read = json11.decode(model, operation, body)
    except Refusal as refusal:
        json.loads(json11.encode_refusal(refusal))
    else:
        assert isinstance(read, operation.input_type)


parts = st.sampled_from(["member", "entry", "key", "value", "1", "2", "0", "999999999", "x", ""])


@st.composite
def forms(draw, operation):
    tops = st.sampled_from([*operation.input_shape.members, "Action", "X"])
    names = st.builds(lambda top, rest: ".".join([top, *rest]), tops, st.lists(parts, max_size=5))
    return urlencode(draw(st.dictionaries(names, words | st.text(), max_size=8))).encode()


@given(actions(QUERY), st.data())
@settings(max_examples=600, deadline=None)
def test_any_form_is_read_or_refused(action, data):
    model, operation = action
    body = data.draw(st.binary() | forms(operation))
    try:
        read = query.decode(model, operation, query.parse_form(b"", body))
    except Refusal as refusal:
        query.encode_refusal(model, refusal, "id")
    else:
        assert isinstance(read, operation.input_type)
