"""The key that authenticates the store: one for a deployment, whatever becomes of its domains."""

import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, Role
from kagimori_boundary.replies import Bytes, Failed, Failure
from kagimori_hsm.module import Module
from kit.older_domains import version_2

REGION = "us-east-1"
DERIVE = commands.DeriveIntegrityKey()


def new_module(file_key=bytes(32)):
    made = Module(file_key, memory_locked=False)
    made.self_test()
    return made


@pytest.fixture
def module():
    return new_module()


@pytest.fixture
def sealed(module):
    made = module.perform(Role.OPERATOR, commands.CreateDomains([IDENTITY_DOMAIN, REGION]))
    return made.sealed_domains


def key_of(module):
    return module.perform(Role.WORKER, DERIVE).value


def test_the_key_is_of_the_deployment_for_good(module, sealed):
    key = key_of(module)
    assert len(key) == 32
    rotate = commands.RotateDomainKeys(sealed, [IDENTITY_DOMAIN, REGION], 0.0)
    rotated = module.perform(Role.WORKER, rotate).sealed_domains
    module.perform(Role.OPERATOR, commands.AdoptDomains(rotated))
    assert key_of(module) == key
    other = new_module()
    other.perform(Role.OPERATOR, commands.Unseal(rotated))
    assert key_of(other) == key
    again = other.perform(Role.OPERATOR, commands.CreateDomains(["eu-west-1"]))
    third = new_module()
    third.perform(Role.OPERATOR, commands.Unseal(again.sealed_domains))
    assert key_of(third) == key


def test_no_two_deployments_have_the_same_key(module, sealed):
    other = new_module()
    other.perform(Role.OPERATOR, commands.CreateDomains([IDENTITY_DOMAIN, REGION]))
    assert key_of(other) != key_of(module)


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CUSTODIAN])
def test_the_key_is_for_workers_and_operators_alone(module, sealed, role):
    assert module.perform(role, DERIVE) == Failed(Failure.MALFORMED)


def test_a_sealed_module_gives_no_key(module):
    assert module.perform(Role.WORKER, DERIVE) == Failed(Failure.NOT_OPERATIONAL)


def test_domains_of_an_earlier_version_get_a_secret_once(module, sealed):
    rings = module._rings.all()
    older = new_module()
    older.perform(Role.OPERATOR, commands.Unseal(version_2(rings, bytes(32), "111122223333")))
    assert older.perform(Role.WORKER, DERIVE) == Bytes(b"")
    older.perform(Role.OPERATOR, commands.CreateDomains([]))
    key = key_of(older)
    assert len(key) == 32
    older.perform(Role.OPERATOR, commands.CreateDomains([]))
    assert key_of(older) == key


def test_a_successor_without_the_secret_is_refused(module):
    create = commands.CreateDomains([IDENTITY_DOMAIN, REGION])
    module.perform(Role.OPERATOR, create)
    kept = module._rings.further
    module._rings.further = {}
    lacking = module.perform(Role.OPERATOR, create).sealed_domains
    module._rings.further = kept
    adopted = module.perform(Role.OPERATOR, commands.AdoptDomains(lacking))
    assert adopted == Failed(Failure.FORBIDDEN)
