"""Opened keys are kept for a bounded number, memory and time, whatever is asked and however often."""

import os
import threading

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import BoundToken, Role
from kagimori_boundary.key_specs import SPECS
from kagimori_boundary.replies import Bytes, Failed, Failure
from kagimori_hsm.algorithms import dispatch
from kagimori_hsm.engines import opened
from kagimori_hsm.engines.opened import OpenedKeys, kib_of
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.module import Module
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import TokenRefused

ACCOUNT, REGION = "111122223333", "us-east-1"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rings():
    made = Rings()
    made.create(["identity", REGION])
    return made


def token(keys, number, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT", material=None):
    material = material or os.urandom(32)
    bound = BoundToken(
        ACCOUNT, REGION, f"key-{number}", spec, usage, "AWS_KMS", os.urandom(32), b""
    )
    bound = msgspec.structs.replace(bound, key_token=keys.wrap(bound, material))
    return msgspec.msgpack.encode(bound)


def test_a_hundred_thousand_keys_in_turn_are_not_all_kept(rings):
    keys = BackingKeys(rings)
    given = token(keys, 0)
    bound = keys.bound(given)
    for number in range(100_000):  # the same material, so that the test is quick
        other = msgspec.structs.replace(bound, key_id=f"key-{number}")
        keys._opened.keep(msgspec.msgpack.encode(other), keys.open(given))
    assert len(keys._opened) <= opened.KEYS_OPENED_MAX
    assert keys._opened.kib <= opened.KEYS_OPENED_KIB_MAX


def test_dear_keys_are_fewer(rings):
    """An ML-DSA key takes twenty times the memory of a symmetric one, and is counted so."""
    room = OpenedKeys(kib_max=100)
    keys = BackingKeys(rings, room)
    material = dispatch.generate("ML_DSA_44")
    for number in range(10):
        keys.open(token(keys, number, "ML_DSA_44", "SIGN_VERIFY", material))
    assert len(room) == 100 // kib_of(SPECS["ML_DSA_44"]) == 2
    for number in range(300):
        keys.open(token(keys, 100 + number))
        assert room.kib <= 100
    assert len(room) == 50


def test_every_spec_has_its_weight():
    assert all(kib_of(spec) >= 1 for spec in SPECS.values())


def test_the_longest_opened_goes_first(rings):
    room = OpenedKeys(count_max=2)
    keys = BackingKeys(rings, room)
    tokens = [token(keys, number) for number in range(3)]
    for one in tokens:
        keys.open(one)
    assert [one for one in tokens if room.get(one)] == tokens[1:]


def test_a_key_is_opened_anew_once_its_time_is_over(rings, clock):
    room = OpenedKeys(seconds_max=300, monotonic=clock)
    keys = BackingKeys(rings, room)
    first, second = token(keys, 1), token(keys, 2)
    before = keys.open(first)
    clock.now += 200
    keys.open(second)
    assert keys.open(first) is before  # its use does not make it stay longer
    clock.now += 101
    keys.drop_expired()
    assert room.get(first) is None
    assert room.get(second) is not None
    assert room.kib == 2
    assert keys.open(first) is not before
    clock.now += 1000
    keys.drop_expired()
    assert len(room) == room.kib == 0


def test_the_module_drops_them_and_the_audit_key():
    module = Module(bytes(32), memory_locked=False, self_tests=list)
    module.self_test()
    module.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    audit = module.perform(Role.OPERATOR, commands.CreateAuditKey())
    digest = commands.SignDigest(audit.key_token, "t", "b", "o", b"", b"")
    assert isinstance(module.perform(Role.OPERATOR, digest), Bytes)
    assert module._audit._key is not None
    module.drop_expired()
    assert module._audit._key is None
    assert isinstance(module.perform(Role.OPERATOR, digest), Bytes)


def test_what_is_destroyed_while_it_is_opened_is_not_kept(rings, monkeypatch):
    """Slow work opens keys on threads, while the loop has one forgotten."""
    keys = BackingKeys(rings)
    given = token(keys, 1)
    bound = keys.bound(given)
    unwrap = type(rings.of(REGION)).unwrap

    def meanwhile(ring, *what):
        material = unwrap(ring, *what)
        keys.forget([bound.material_id], [bound.key_token])
        return material

    monkeypatch.setattr(type(rings.of(REGION)), "unwrap", meanwhile)
    with pytest.raises(TokenRefused):
        keys.open(given)
    assert len(keys._opened) == 0


def test_nothing_is_kept_once_it_is_closed(rings):
    keys = BackingKeys(rings)
    given = token(keys, 1)
    keys.close()
    keys.open(given)
    assert len(keys._opened) == 0


def test_threads_that_open_and_drop_leave_it_whole(rings):
    room = OpenedKeys(count_max=5)
    keys = BackingKeys(rings, room)
    tokens = [token(keys, number) for number in range(20)]
    failed = []

    def work(start):
        try:
            for number in range(400):
                keys.open(tokens[(start + number) % len(tokens)])
                if number % 50 == 0:
                    keys.drop_under([b"none"])
        except Exception as problem:
            failed.append(problem)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 7, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert (len(room), room.kib) == (5, 10)


def test_a_token_that_was_forgotten_stays_refused():
    module = Module(bytes(32), memory_locked=False, self_tests=list)
    module.self_test()
    module.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    made = module.perform(
        Role.WORKER,
        commands.GenerateKey(
            ACCOUNT, REGION, "k", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS"
        ),
    )
    bound = BoundToken(
        ACCOUNT, REGION, "k", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS",
        made.material_id, made.key_token,
    )  # fmt: skip
    encrypt = commands.Encrypt(msgspec.msgpack.encode(bound), "SYMMETRIC_DEFAULT", b"x", {})
    assert isinstance(module.perform(Role.WORKER, encrypt), Bytes)
    forget = commands.ForgetMaterial([made.material_id], [made.key_token])
    module.perform(Role.WORKER, forget)
    module.drop_expired()
    assert module.perform(Role.WORKER, encrypt) == Failed(Failure.TOKEN_REFUSED)
