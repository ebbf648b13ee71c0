"""What must hold between keys: nothing of one opens under another.

Promises: token-binding, plain-keys-stay-inside, old-ciphertext-lives.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.replies import Bytes, Failed, Failure, HsmState, NewKey
from kagimori_hsm.encryption_context import canonical
from kagimori_hsm.module import Module
from kagimori_hsm.self_tests.failed import SelfTestFailed
from kagimori_hsm.world import World

SEAL_KEY = bytes(range(32))
ACCOUNT, REGIONS = "111122223333", ["us-east-1", "eu-west-1"]
SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")


@pytest.fixture(scope="module")
def module():
    made = Module(SEAL_KEY, memory_locked=False)
    made.self_test()
    made.perform(Role.OPERATOR, commands.CreateDomains(["identity", *REGIONS]))
    assert made.state is HsmState.OPERATIONAL
    return made


def new_key(module, key_id="k1", region="us-east-1", account=ACCOUNT, kind=SYMMETRIC):
    made = module.perform(Role.WORKER, commands.GenerateKey(account, region, key_id, *kind))
    assert isinstance(made, NewKey)
    return BoundToken(account, region, key_id, *kind, made.material_id, made.key_token)


def encoded(bound):
    return msgspec.msgpack.encode(bound)


def encrypt(module, bound, plaintext=b"secret", context=None):
    command = commands.Encrypt(encoded(bound), "SYMMETRIC_DEFAULT", plaintext, context or {})
    return module.perform(Role.WORKER, command).value


def decrypt(module, bound, blob, context=None):
    command = commands.Decrypt(encoded(bound), "SYMMETRIC_DEFAULT", blob, context or {})
    return module.perform(Role.WORKER, command)


FOREIGN = {
    "account_id": "444455556666",
    "region": "eu-west-1",
    "key_id": "k2",
    "key_spec": "HMAC_256",
    "key_usage": "GENERATE_VERIFY_MAC",
    "origin": "EXTERNAL",
    "material_id": bytes(32),
}


@pytest.mark.parametrize("field", FOREIGN)
def test_a_token_works_only_for_what_it_was_made_for(module, field):
    # INVARIANT(token-binding)
    bound = new_key(module)
    moved = msgspec.structs.replace(bound, **{field: FOREIGN[field]})
    blob = encrypt(module, bound)
    assert decrypt(module, moved, blob) == Failed(Failure.TOKEN_REFUSED)
    assert decrypt(module, bound, blob) == Bytes(b"secret")


def test_a_token_moved_between_rows_is_refused(module):
    one, other = new_key(module, "k1"), new_key(module, "k2")
    swapped = msgspec.structs.replace(one, key_token=other.key_token)
    assert decrypt(module, swapped, encrypt(module, one)) == Failed(Failure.TOKEN_REFUSED)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_altered_token_is_refused(module, at, bit):
    bound = new_key(module)
    token = bytearray(bound.key_token)
    token[at % len(token)] ^= 1 << bit
    altered = msgspec.structs.replace(bound, key_token=bytes(token))
    assert decrypt(module, altered, encrypt(module, bound)) == Failed(Failure.TOKEN_REFUSED)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_altered_ciphertext_does_not_open(module, at, bit):
    bound = new_key(module)
    blob = bytearray(encrypt(module, bound, context={"a": "b"}))
    blob[at % len(blob)] ^= 1 << bit
    found = decrypt(module, bound, bytes(blob), {"a": "b"})
    assert found == Failed(Failure.INVALID_CIPHERTEXT)


contexts = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4)


@given(one=contexts, other=contexts)
def test_no_two_contexts_share_a_canonical_form(one, other):
    assert (canonical(one) == canonical(other)) == (one == other)


@given(context=contexts)
def test_the_order_of_a_context_does_not_matter(context):
    assert canonical(context) == canonical(dict(reversed(context.items())))


@given(one=contexts, other=contexts, plaintext=st.binary(min_size=1, max_size=64))
def test_a_ciphertext_opens_under_its_own_context_alone(module, one, other, plaintext):
    bound = new_key(module)
    blob = encrypt(module, bound, plaintext, one)
    expected = Bytes(plaintext) if one == other else Failed(Failure.INVALID_CIPHERTEXT)
    assert decrypt(module, bound, blob, other) == expected


def test_destroyed_material_opens_no_more_whoever_still_asks(module):
    """A command decided before the loss may arrive after it; what it names is not opened again."""
    bound, other = new_key(module, "k1"), new_key(module, "k2")
    blob, others_blob = encrypt(module, bound), encrypt(module, other)
    forget = commands.ForgetMaterial([bound.material_id], [bound.key_token])
    module.perform(Role.WORKER, forget)
    for _ in range(2):
        assert decrypt(module, bound, blob) == Failed(Failure.TOKEN_REFUSED)
    replicate = commands.ReplicateMaterial([encoded(bound)], "eu-west-1")
    assert module.perform(Role.WORKER, replicate) == Failed(Failure.TOKEN_REFUSED)
    assert decrypt(module, other, others_blob) == Bytes(b"secret")


def test_the_same_material_imported_again_opens_again():
    dev = Module(SEAL_KEY, memory_locked=False, world=World(dev=True))
    dev.self_test()
    dev.perform(Role.OPERATOR, commands.CreateDomains(["us-east-1"]))
    command = commands.StoreMaterial(ACCOUNT, "us-east-1", "k1", *SYMMETRIC, bytes(range(32)))
    made = [dev.perform(Role.WORKER, command) for _ in range(2)]
    first, second = (
        BoundToken(ACCOUNT, "us-east-1", "k1", *SYMMETRIC, new.material_id, new.key_token)
        for new in made
    )
    assert first.material_id == second.material_id
    blob = encrypt(dev, first)
    dev.perform(Role.WORKER, commands.ForgetMaterial([first.material_id], [first.key_token]))
    assert decrypt(dev, first, blob) == Failed(Failure.TOKEN_REFUSED)
    assert decrypt(dev, second, blob) == Bytes(b"secret")


def test_no_two_ciphertexts_and_no_two_keys_are_alike(module):
    bound = new_key(module)
    blobs = {encrypt(module, bound) for _ in range(50)}
    keys = {new_key(module).material_id for _ in range(50)}
    assert len(blobs) == len(keys) == 50


def test_a_ciphertext_opens_after_a_restart_and_in_the_replica(module):
    # INVARIANT(old-ciphertext-lives)
    bound = new_key(module, "mrk-1")
    tokens = module.perform(Role.WORKER, commands.ReplicateMaterial([encoded(bound)], "eu-west-1"))
    there = msgspec.structs.replace(bound, region="eu-west-1", key_token=tokens.key_tokens[0])
    blob = encrypt(module, bound)
    assert decrypt(module, there, blob) == Bytes(b"secret")
    sealed = module.perform(Role.OPERATOR, commands.CreateDomains([])).sealed_domains
    restarted = Module(SEAL_KEY, memory_locked=False)
    restarted.self_test()
    assert decrypt(restarted, bound, blob) == Failed(Failure.NOT_OPERATIONAL)
    restarted.perform(Role.OPERATOR, commands.Unseal(sealed))
    assert decrypt(restarted, bound, blob) == Bytes(b"secret")


@pytest.mark.parametrize("at", [0, 1, 20, -1])
def test_sealed_domains_open_under_their_seal_alone(module, at):
    sealed = module.perform(Role.OPERATOR, commands.CreateDomains([])).sealed_domains
    other = Module(bytes(32), memory_locked=False)
    other.self_test()
    assert other.perform(Role.OPERATOR, commands.Unseal(sealed)) == Failed(Failure.SEAL_REFUSED)
    altered = bytearray(sealed)
    altered[at] ^= 1
    same = Module(SEAL_KEY, memory_locked=False)
    same.self_test()
    assert same.perform(Role.OPERATOR, commands.Unseal(bytes(altered))) == Failed(
        Failure.SEAL_REFUSED
    )


def test_no_plain_key_is_in_anything_that_leaves(module):
    # INVARIANT(plain-keys-stay-inside)
    material = bytes(range(100, 132))
    dev = Module(SEAL_KEY, memory_locked=False, world=World(dev=True))
    dev.self_test()
    dev.perform(Role.OPERATOR, commands.CreateDomains(["identity", *REGIONS]))
    planted = dev.perform(
        Role.WORKER, commands.StoreMaterial(ACCOUNT, "us-east-1", "k1", *SYMMETRIC, material)
    )
    sealed = dev.perform(Role.OPERATOR, commands.CreateDomains([])).sealed_domains
    for left in (msgspec.msgpack.encode(planted), sealed):
        assert material not in left


def test_only_dev_takes_a_key_that_somebody_knows(module):
    command = commands.StoreMaterial(ACCOUNT, "us-east-1", "k1", *SYMMETRIC, bytes(32))
    for role in Role:
        assert module.perform(role, command) == Failed(Failure.MALFORMED)


def test_workers_do_not_command_the_domain(module):
    for command in (commands.Unseal(b""), commands.CreateDomains(["x"])):
        assert module.perform(Role.WORKER, command) == Failed(Failure.MALFORMED)


def test_operators_do_not_use_keys(module):
    bound = new_key(module)
    command = commands.Encrypt(encoded(bound), "SYMMETRIC_DEFAULT", b"x", {})
    assert module.perform(Role.OPERATOR, command) == Failed(Failure.MALFORMED)


def test_a_failed_self_test_is_the_end():
    def fails():
        raise SelfTestFailed("a known answer is another")

    broken = Module(SEAL_KEY, memory_locked=False, self_tests=fails)
    broken.self_test()
    assert broken.state is HsmState.ERROR
    assert broken.perform(Role.OPERATOR, commands.CreateDomains(["x"])) == Failed(
        Failure.NOT_OPERATIONAL
    )
