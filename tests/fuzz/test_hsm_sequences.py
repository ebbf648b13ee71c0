"""No sequence of messages makes the HSM give out a key, crash, or leave its state table.

Commands of every kind, well-formed, nearly so and not at all, in all three roles and all states.
Every secret in the HSM is planted, and looked for in all that leaves it. Promises:
plain-keys-stay-inside, refuse-or-accept.
"""

import os
import time
import types
import typing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import planted_hsm
from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, Command, Role
from kagimori_boundary.frames import FRAME_BYTES_MAX
from kagimori_boundary.key_specs import SPECS
from kagimori_boundary.replies import Failed, Failure, HsmState
from kagimori_hsm.self_tests.failed import SelfTestFailed
from kagimori_hsm.states import ALLOWED, NEXT

EXAMPLES = int(os.environ.get("KAGIMORI_HSM_SEQUENCES", "60"))
KINDS = sorted(Command.__args__, key=lambda kind: kind.__name__)
# So that most sequences go on: these end one, or take long.
RARE = {commands.Zeroize, commands.CreateAuditKey, commands.HashPassword, commands.GenerateKey}
RARE |= {commands.CreateImportParameters, commands.GenerateDataKeyPair}
PLANTED = planted_hsm.Planted()
SPEC_NAMES = [name for name in SPECS if name not in ("RSA_3072", "RSA_4096")]
USAGES = sorted({usage for spec in SPECS.values() for usage in spec.usages})
ALGORITHMS = sorted(
    {name for spec in SPECS.values() for names in spec.algorithms.values() for name in names}
)
TEXTS = st.sampled_from(
    [
        *(planted_hsm.ACCOUNT, planted_hsm.REGION, planted_hsm.OTHER_REGION, planted_hsm.KEY_ID),
        *(planted_hsm.ACCESS_KEY_ID, planted_hsm.SESSION_KEY_ID, planted_hsm.SERIAL),
        *(planted_hsm.USER_ID, IDENTITY_DOMAIN, "root", "role", "user", "federated", "service/s3"),
        *("RAW", "DIGEST", "EXTERNAL_MU", "AWS_KMS", "EXTERNAL", "claims", "kms", "correct", ""),
        *("authorization message", "RSAES_OAEP_SHA_256", "RSA_2048", "000000", "x" * 5000),
        time.strftime("%Y%m%d", time.gmtime()),
    ]
) | st.text(max_size=8)
BY_NAME = {
    "key_spec": st.sampled_from(SPEC_NAMES),
    "key_pair_spec": st.sampled_from(SPEC_NAMES),
    "wrapping_key_spec": st.sampled_from(["RSA_2048", "ECC_NIST_P256", "none"]),
    "key_usage": st.sampled_from(USAGES),
    "algorithm": st.sampled_from(ALGORITHMS),
    "account_id": st.sampled_from([planted_hsm.ACCOUNT, "999988887777", ""]),
    "region": st.sampled_from([planted_hsm.REGION, planted_hsm.OTHER_REGION, IDENTITY_DOMAIN]),
    "key_id": st.just(planted_hsm.KEY_ID),
    "recipient": st.just(b"") | st.sampled_from(PLANTED.public_keys),
    "public_key": st.sampled_from(PLANTED.public_keys),
    "number_of_bytes": st.integers(0, 1024),
}
NUMBERS = st.sampled_from([0, 1, -1, 16, 32, int(time.time()), int(time.time()) + 3600, 2**63 - 1])
NUMBERS |= st.integers(-(2**63), 2**64 - 1)
TIMES = st.sampled_from([0.0, -1.0, time.time(), 1e300, float("nan"), float("inf")])


class Pool:
    """Bytes that a sequence can use: what is planted, and what the HSM has answered so far."""

    def __init__(self):
        self.tokens = list(PLANTED.tokens)
        self.bound = list(PLANTED.bound_tokens)
        self.sealed = [*PLANTED.sealed, PLANTED.foreign]
        self.others = [*PLANTED.ciphertexts, *PLANTED.public_keys, b"", bytes(32), bytes(200)]

    def take(self, reply):
        """Keep the bytes of a reply, tokens among them, for later messages."""
        for name in getattr(reply, "__struct_fields__", ()):
            value = getattr(reply, name)
            if isinstance(value, bytes) and len(value) < 100_000:
                (self.sealed if name == "sealed_domains" else self.tokens).append(value)

    def by_field(self, name):
        if name in ("bound_token", "source", "destination", "bound_tokens"):
            return st.sampled_from(self.bound)
        if name == "sealed_domains":
            return st.sampled_from(self.sealed)
        everything = [*self.tokens, *self.bound, *self.sealed, *self.others]
        return st.sampled_from(everything) | st.binary(max_size=40)


def flipped(draw, data):
    """Return bytes with one of them changed, now and then."""
    if not data or draw(st.integers(0, 9)):
        return data
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]


def a_value(draw, pool, name, kind):
    """Return a value of a field's type, which may or may not make sense there."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return a_value(draw, pool, name, draw(st.sampled_from(inside)))
    if kind in (None, type(None)):
        return None
    if name in BY_NAME and kind in (str, bytes, int) and draw(st.integers(0, 9)):
        return draw(BY_NAME[name])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return a_struct(draw, pool, kind)
    if origin in (list, tuple):
        count = draw(st.integers(0, 3))
        made = [a_value(draw, pool, name, inside[0]) for _ in range(count)]
        return origin(made)
    if origin is dict:
        return draw(st.dictionaries(TEXTS, TEXTS, max_size=2))
    if kind is bytes:
        return flipped(draw, draw(pool.by_field(name)))
    return draw({str: TEXTS, int: NUMBERS, float: TIMES, bool: st.booleans()}[kind])


def a_struct(draw, pool, kind):
    hints = typing.get_type_hints(kind)
    names = kind.__struct_fields__
    return kind(*(a_value(draw, pool, name, hints[name]) for name in names))


def a_message(draw, pool):
    """Return the kind of a message (None if it has none any more) and its bytes."""
    kind = draw(st.sampled_from(KINDS))
    if kind in RARE and draw(st.integers(0, 4)):
        kind = commands.Hello
    body = msgspec.msgpack.encode(a_struct(draw, pool, kind))
    return body if draw(st.integers(0, 9)) else flipped(draw, body)


def fails():
    raise SelfTestFailed("as the test has it")


def in_state(name, *, dev):
    hsm = planted_hsm.Hsm(dev=dev, self_tests=fails if name == "error" else list)
    if name in ("operational", "zeroized"):
        unseal = commands.Unseal(PLANTED.sealed[2])
        _, reply = hsm.ask(Role.OPERATOR, msgspec.msgpack.encode(unseal))
        assert reply.state is HsmState.OPERATIONAL
    if name == "zeroized":
        hsm.ask(Role.OPERATOR, msgspec.msgpack.encode(commands.Zeroize()))
    return hsm


def is_for(role, body, state):
    """Return whether the table has this message for this role in this state; None: no message."""
    try:
        command = msgspec.msgpack.decode(body, type=Command)
    except (ValueError, RecursionError):
        return None
    return role in command.roles and type(command) in ALLOWED[state]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("dev", [False, True], ids=["", "dev"])
def test_any_sequence_of_messages(dev, data):
    starts = ["operational"] * 5 + ["sealed", "error", "zeroized"]
    hsm, pool = in_state(data.draw(st.sampled_from(starts)), dev=dev), Pool()
    for _ in range(data.draw(st.integers(1, 14))):
        role = data.draw(st.sampled_from([Role.WORKER, *Role]))
        body = a_message(data.draw, pool)
        before, allowed = hsm.state, is_for(role, body, hsm.state)
        sent, reply = hsm.ask(role, body)
        assert PLANTED.found_in(sent) == [], body
        assert len(sent) < FRAME_BYTES_MAX, "the client would hang up"
        assert reply != Failed(Failure.INTERNAL), (body, hsm.errors.getvalue())
        if not allowed:
            assert isinstance(reply, Failed), body
            assert reply.failure in (Failure.MALFORMED, Failure.NOT_OPERATIONAL)
            assert hsm.state is before
        assert hsm.state is before or hsm.state in NEXT[before]
        pool.take(reply)
    assert PLANTED.found_in(hsm.errors.getvalue().encode()) == []


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_between_messages(data):
    """However the bytes are cut, and whatever is among them: nothing leaves that is planted."""
    hsm, pool = in_state("operational", dev=False), Pool()
    frames = b""
    for _ in range(data.draw(st.integers(1, 6))):
        body = a_message(data.draw, pool)
        length = data.draw(st.just(len(body) + 4) | st.integers(0, FRAME_BYTES_MAX))
        frames += length.to_bytes(4, "big") + data.draw(st.binary(min_size=4, max_size=4)) + body
    role, cut = data.draw(st.sampled_from(Role)), data.draw(st.integers(1, 400))
    for at in range(0, len(frames), cut):
        before = hsm.state
        assert PLANTED.found_in(hsm.send(role, frames[at : at + cut])) == []
        assert hsm.state is before or hsm.state in NEXT[before]
    assert PLANTED.found_in(hsm.errors.getvalue().encode()) == []
    assert "Failed(Failure.INTERNAL)" not in hsm.errors.getvalue()
    assert "HSM command failed" not in hsm.errors.getvalue()


def test_the_search_can_find():
    """What is planted is found when it is there: in the plain, in hex, in base64, and inside."""
    for secret in PLANTED.secrets:
        for form in (secret, secret.hex().encode(), planted_hsm.base64.b64encode(secret)):
            assert PLANTED.found_in(b"x" + form + b"x")
    assert PLANTED.found_in(b"".join(PLANTED.sealed) + b"".join(PLANTED.tokens)) == []
    hsm = in_state("operational", dev=False)
    decrypt = commands.Decrypt(
        PLANTED.bound_tokens[0], "SYMMETRIC_DEFAULT", PLANTED.ciphertexts[0], {"a": "b"}
    )
    sent, reply = hsm.ask(Role.WORKER, msgspec.msgpack.encode(decrypt))
    assert (reply.value, b"plain" in sent) == (b"plain", True), "the keys are the HSM's"


def test_every_kind_is_drawn():
    """Each command has a strategy that reaches it, and some get through."""
    assert set(KINDS) == set(Command.__args__)
    for kind in KINDS:
        hints = typing.get_type_hints(kind)
        assert set(kind.__struct_fields__) <= set(hints)
