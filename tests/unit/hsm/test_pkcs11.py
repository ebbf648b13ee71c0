"""Keys in a PKCS#11 token: made there, used there, and never out of it. With SoftHSM."""

import msgspec
import pytest
from pkcs11 import Attribute, exceptions

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.commands.token import (
    TOKEN_MARK,
    ConnectToken,
    DestroyTokenKey,
    TokenCommand,
    UnwrapSecret,
    WrapSecret,
)
from kagimori_boundary.replies import Bytes, Failed, Failure, NewDataKey, TokenConnection
from kagimori_hsm.engines.pkcs11 import Ivs
from kagimori_hsm.engines.token_connection import TokenConnection as Connection
from kagimori_hsm.engines.token_errors import connection_error
from kagimori_hsm.pkcs11.module import TokenModule
from kit.softhsm import PIN, load_anew, needs_softhsm, soft_tokens

pytestmark = needs_softhsm

ACCOUNT, OTHER = "111122223333", "444455556666"
SYMMETRIC = "SYMMETRIC_DEFAULT"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def soft(tmp_path, monkeypatch):
    made = soft_tokens(tmp_path / "softhsm", "one")
    monkeypatch.setenv("SOFTHSM2_CONF", made.environment["SOFTHSM2_CONF"])
    return made


class World:
    """A module over a token, and a clock that stands still."""

    def __init__(self, soft, label="one"):
        self.clock = Clock()
        self.connection = Connection(soft.options(label), load=load_anew, monotonic=self.clock)
        self.module = TokenModule(self.connection)

    def ask(self, command, role=Role.WORKER):
        return self.module.perform(role, command)

    def make(self, key_id=KEY, account_id=ACCOUNT):
        reply = self.ask(
            commands.GenerateKey(
                account_id, "us-east-1", key_id, SYMMETRIC, "ENCRYPT_DECRYPT", "AWS_CLOUDHSM"
            )
        )
        return bound(reply.material_id, key_id, account_id, token=reply.key_token)

    def encrypt(self, token, plaintext=b"meet me at noon", context=None):
        return self.ask(commands.Encrypt(token, SYMMETRIC, plaintext, context or {}))

    def decrypt(self, token, blob, context=None):
        return self.ask(commands.Decrypt(token, SYMMETRIC, blob, context or {}))


def bound(material_id, key_id=KEY, account_id=ACCOUNT, token=TOKEN_MARK, **changed):
    fields = {
        "account_id": account_id,
        "region": "us-east-1",
        "key_id": key_id,
        "key_spec": SYMMETRIC,
        "key_usage": "ENCRYPT_DECRYPT",
        "origin": "AWS_CLOUDHSM",
        "material_id": material_id,
        "key_token": token,
    }
    return msgspec.msgpack.encode(BoundToken(**{**fields, **changed}))


def material_of(token):
    return msgspec.msgpack.decode(token, type=BoundToken).material_id


@pytest.fixture
def world(soft):
    return World(soft)


@pytest.mark.parametrize("plaintext", [b"x", b"y" * 4096])
def test_what_a_key_encrypts_it_decrypts(world, plaintext):
    token = world.make()
    blob = world.encrypt(token, plaintext, {"a": "1", "b": "2"}).value
    assert blob[:1] == b"\x03"
    assert blob[1:33] == material_of(token)
    assert len(blob) == len(plaintext) + 61
    assert world.decrypt(token, blob, {"b": "2", "a": "1"}) == Bytes(plaintext)


def test_the_same_plaintext_is_never_encrypted_alike(world):
    token = world.make()
    assert len({world.encrypt(token).value for _ in range(50)}) == 50


def test_a_key_cannot_be_taken_out_of_the_token(world):
    token = world.make()
    session = world.connection.session()
    (key,) = session.get_objects({Attribute.ID: material_of(token)})
    with pytest.raises(exceptions.AttributeSensitive):
        key[Attribute.VALUE]
    with pytest.raises(exceptions.PKCS11Error):
        key[Attribute.EXTRACTABLE] = True
    with pytest.raises(exceptions.PKCS11Error):
        key.copy({Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True})
    wrapper = session.generate_key(key.key_type, 256, store=False)
    with pytest.raises(exceptions.PKCS11Error):
        wrapper.wrap_key(key)
    assert key[Attribute.NEVER_EXTRACTABLE]
    assert key[Attribute.ALWAYS_SENSITIVE]
    assert key[Attribute.LABEL] == f"kagimori kms {ACCOUNT} {KEY}"


def test_a_token_that_makes_extractable_keys_is_not_used(world, monkeypatch):
    monkeypatch.setattr(
        "kagimori_hsm.engines.pkcs11._TEMPLATE",
        {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True},
    )
    reply = world.ask(
        commands.GenerateKey(ACCOUNT, "r", KEY, SYMMETRIC, "ENCRYPT_DECRYPT", "AWS_CLOUDHSM")
    )
    assert reply == Failed(Failure.FORBIDDEN)
    assert not list(world.connection.session().get_objects({Attribute.TOKEN: True}))


def test_another_context_key_or_account_opens_nothing(world):
    token, other = world.make(), world.make("5678abcd-12ab-34cd-56ef-1234567890ab")
    blob = world.encrypt(token, context={"purpose": "test"}).value
    invalid = Failed(Failure.INVALID_CIPHERTEXT)
    for context in (
        {},
        {"purpose": "other"},
        {"purpose": "test", "more": "1"},
        {"purposetest": ""},
    ):
        assert world.decrypt(token, blob, context) == invalid
    assert world.decrypt(other, blob, {"purpose": "test"}) == invalid
    # Its material id put in place of the right one, so that the other key is really tried.
    moved = blob[:1] + material_of(other) + blob[33:]
    assert world.decrypt(other, moved, {"purpose": "test"}) == invalid


def test_an_object_is_used_for_the_key_of_its_label_alone(world):
    token = world.make()
    material_id = material_of(token)
    for stolen in (bound(material_id, account_id=OTHER), bound(material_id, key_id="another")):
        assert world.encrypt(stolen) == Failed(Failure.KEY_NOT_IN_TOKEN)


@pytest.mark.parametrize("at", [0, 1, 33, 45, -17, -1])
def test_an_altered_ciphertext_is_refused(world, at):
    token = world.make()
    blob = bytearray(world.encrypt(token).value)
    blob[at] ^= 1
    assert world.decrypt(token, bytes(blob)) == Failed(Failure.INVALID_CIPHERTEXT)
    assert world.encrypt(token).value  # and the connection was not given up for it
    assert world.connection.generation == 1


@pytest.mark.parametrize("length", [0, 1, 32, 60])
def test_a_short_ciphertext_is_refused(world, length):
    token = world.make()
    blob = world.encrypt(token).value[:length]
    assert world.decrypt(token, blob) == Failed(Failure.INVALID_CIPHERTEXT)


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "AWS_KMS"},
        {"key_token": b"\x01 a token of the HSM"},
        {"key_spec": "RSA_2048"},
        {"key_usage": "SIGN_VERIFY"},
        {"material_id": b"short"},
    ],
)
def test_what_is_no_key_of_a_token_is_refused(world, changed):
    fields = {"material_id": material_of(world.make()), **changed}
    assert world.encrypt(bound(**fields)) == Failed(Failure.FORBIDDEN)
    assert world.encrypt(b"\xff\x00") == Failed(Failure.FORBIDDEN)


@pytest.mark.parametrize(
    "changed",
    [
        {"key_spec": "RSA_2048"},
        {"key_usage": "GENERATE_VERIFY_MAC"},
        {"origin": "AWS_KMS"},
        {"replica_regions": ("eu-west-1",)},
    ],
)
def test_only_symmetric_keys_are_made(world, changed):
    fields = {
        "account_id": ACCOUNT,
        "region": "us-east-1",
        "key_id": KEY,
        "key_spec": SYMMETRIC,
        "key_usage": "ENCRYPT_DECRYPT",
        "origin": "AWS_CLOUDHSM",
    }
    reply = world.ask(commands.GenerateKey(**{**fields, **changed}))
    assert reply == Failed(Failure.UNSUPPORTED)


def test_data_keys_and_re_encryption_stay_with_the_token(world):
    token, other = world.make(), world.make("5678abcd-12ab-34cd-56ef-1234567890ab")
    reply = world.ask(commands.GenerateDataKey(token, 32, {"a": "b"}, with_plaintext=True))
    assert isinstance(reply, NewDataKey)
    assert len(reply.plaintext) == 32
    assert world.decrypt(token, reply.ciphertext, {"a": "b"}) == Bytes(reply.plaintext)
    without = world.ask(commands.GenerateDataKey(token, 16, {}, with_plaintext=False))
    assert without.plaintext == b""
    moved = world.ask(
        commands.ReEncrypt(
            token, SYMMETRIC, reply.ciphertext, {"a": "b"}, other, SYMMETRIC, {"c": "d"}
        )
    )
    assert world.decrypt(other, moved.value, {"c": "d"}) == Bytes(reply.plaintext)
    one, two = (world.ask(commands.GenerateRandom(32)).value for _ in range(2))
    assert len(one) == 32
    assert one != two


def test_a_destroyed_key_is_gone_and_destroying_it_again_is_no_failure(world):
    token = world.make()
    blob = world.encrypt(token).value
    assert world.ask(DestroyTokenKey(token)) == Bytes(b"")
    assert world.decrypt(token, blob) == Failed(Failure.KEY_NOT_IN_TOKEN)
    assert world.ask(DestroyTokenKey(token)) == Bytes(b"")


def test_a_key_deleted_behind_our_back_is_missing_and_others_are_not(world):
    token, other = world.make(), world.make("5678abcd-12ab-34cd-56ef-1234567890ab")
    (key,) = world.connection.session().get_objects({Attribute.ID: material_of(token)})
    key.destroy()
    for _ in range(3):
        assert world.encrypt(token) == Failed(Failure.KEY_NOT_IN_TOKEN)
    assert isinstance(world.encrypt(other), Bytes)
    assert world.connection.generation == 2  # one look whether the token itself was gone


def test_a_token_that_goes_away_comes_back_by_itself(world, soft):
    token = world.make()
    blob = world.encrypt(token).value
    soft.take_away()
    for command in (
        commands.Encrypt(token, SYMMETRIC, b"x", {}),
        commands.GenerateKey(ACCOUNT, "r", "id", SYMMETRIC, "ENCRYPT_DECRYPT", "AWS_CLOUDHSM"),
        commands.GenerateRandom(32),
        DestroyTokenKey(token),
    ):
        assert world.ask(command) == Failed(Failure.TOKEN_AWAY)
    soft.bring_back()
    assert world.encrypt(token) == Failed(Failure.TOKEN_AWAY)  # a moment's pause between tries
    world.clock.now += 20
    assert world.decrypt(token, blob) == Bytes(b"meet me at noon")


def test_a_token_that_nobody_uses_is_looked_at(world, soft):
    world.make()
    soft.take_away()
    world.module.check()
    assert world.connection.error
    soft.bring_back()
    world.clock.now += 20
    world.module.check()
    assert world.connection.error == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # python-pkcs11's
def test_a_lost_session_is_made_again_within_the_request(world):
    token = world.make()
    load_anew(world.connection._options.module)  # every session and handle is void
    assert isinstance(world.encrypt(token), Bytes)


def test_a_wrong_pin_is_tried_once_and_then_not_until_it_changes(soft):
    soft.pin_file("one", "wrong pin")
    world = World(soft)
    tried = []
    log_in = world.connection._log_in
    world.connection._log_in = lambda: (tried.append(1), log_in())
    for _ in range(5):
        assert world.ask(commands.GenerateRandom(8)) == Failed(Failure.TOKEN_AWAY)
        world.clock.now += 60
    assert tried == [1]
    assert world.ask(ConnectToken()) == TokenConnection("INVALID_CREDENTIALS")  # asked for: tried
    assert tried == [1, 1]
    soft.pin_file("one", PIN)
    world.clock.now += 60
    assert len(world.ask(commands.GenerateRandom(8)).value) == 8


def test_no_pin_at_all_is_never_tried(soft):
    (soft.folder / "one.pin").unlink()
    world = World(soft)
    assert world.ask(ConnectToken()).error == "INVALID_CREDENTIALS"


def test_connecting_shows_the_token_or_the_error(world, soft):
    reply = world.ask(ConnectToken(PIN))
    assert reply.error == ""
    assert reply.label == "one"
    assert reply.serial
    assert world.ask(ConnectToken("another password")).error == "INVALID_CREDENTIALS"
    nobody = World(soft, "nobody")
    assert nobody.ask(ConnectToken()).error == "CLUSTER_NOT_FOUND"


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (exceptions.PinIncorrect, "INVALID_CREDENTIALS"),
        (exceptions.PinLocked, "USER_LOCKED_OUT"),
        (exceptions.UserPinNotInitialized, "USER_NOT_FOUND"),
        (exceptions.NoSuchToken, "CLUSTER_NOT_FOUND"),
        (exceptions.DeviceError, "NETWORK_ERRORS"),
        (exceptions.GeneralError, "INTERNAL_ERROR"),
    ],
)
def test_each_error_of_the_library_has_its_connection_error(soft, problem, error):
    def load(path):
        raise problem

    connection = Connection(soft.options("one"), load=load)
    assert TokenModule(connection).perform(Role.WORKER, ConnectToken()).error == error
    assert connection_error(problem()) == error


def test_secrets_are_wrapped_for_one_purpose_and_by_the_operator_alone(world):
    reply = world.ask(WrapSecret("seal 1", b"s" * 32), Role.OPERATOR)
    again = world.ask(WrapSecret("seal 1", b"s" * 32), Role.OPERATOR)
    assert reply.value[:32] == again.value[:32]  # the purpose's one key
    assert reply != again
    opened = world.ask(UnwrapSecret("seal 1", reply.value), Role.OPERATOR)
    assert opened == Bytes(b"s" * 32)
    for purpose, wrapped in (
        ("seal 2", reply.value),
        ("seal 1", reply.value[:-1] + bytes([reply.value[-1] ^ 1])),
        ("seal 1", b""),
    ):
        assert isinstance(world.ask(UnwrapSecret(purpose, wrapped), Role.OPERATOR), Failed)
    for command in (WrapSecret("seal 1", b"s"), UnwrapSecret("seal 1", reply.value)):
        assert world.ask(command) == Failed(Failure.MALFORMED)
    (key,) = world.connection.session().get_objects({Attribute.LABEL: "kagimori wrap seal 1"})
    with pytest.raises(exceptions.AttributeSensitive):
        key[Attribute.VALUE]


def test_what_a_token_does_not_perform_is_refused(world):
    token = world.make()
    for command in (
        commands.Sign(token, "RSASSA_PSS_SHA_256", "RAW", b"x"),
        commands.GenerateDataKeyPair(token, "RSA_2048", {}, with_plaintext=True),
        commands.Zeroize(),
    ):
        assert world.ask(command) == Failed(Failure.MALFORMED)
    asked = commands.Encrypt(token, "RSAES_OAEP_SHA_256", b"x", {})
    assert world.ask(asked) == Failed(Failure.FORBIDDEN)


def test_ivs_are_distinct_and_a_run_that_ends_draws_anew(monkeypatch):
    ivs = Ivs()
    first = ivs.next()
    assert first[8:] == bytes(4)
    assert ivs.next() == first[:8] + b"\x00\x00\x00\x01"
    ivs._count = (1 << 32) - 1
    assert ivs.next() == first[:8] + b"\xff\xff\xff\xff"
    assert ivs.next()[:8] != first[:8]


def test_tags_are_of_one_command():
    kinds = {*TokenCommand.__args__, *commands.Command.__args__}
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(tags) == len(set(tags))
    assert not commands.RETIRED_TAGS & set(tags)
