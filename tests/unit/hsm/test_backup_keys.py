"""The keys of backups: any HSM that opens the sealed domains gives them back, to an operator."""

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, BoundToken, Role
from kagimori_boundary.commands.backups import sample_context, sample_text
from kagimori_boundary.replies import Bytes, Failed, Failure
from kagimori_hsm.module import Module

ACCOUNT, REGION, NAME = "111122223333", "us-east-1", "00000000-0000-4000-8000-000000000001"


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


def bound_key(module, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
    kind = (spec, usage, "AWS_KMS")
    new = module.perform(Role.WORKER, commands.GenerateKey(ACCOUNT, REGION, "k", *kind))
    bound = BoundToken(ACCOUNT, REGION, "k", *kind, new.material_id, new.key_token)
    return msgspec.msgpack.encode(bound)


@pytest.mark.parametrize("role", [Role.WORKER, Role.OPERATOR])
def test_a_key_comes_back_from_an_hsm_with_the_same_domains(module, sealed, role):
    made = module.perform(role, commands.CreateBackupKey(NAME))
    assert len(made.backup_key) == 32
    assert made.sample == b""
    assert made.backup_key not in made.wrapped_key
    assert made.backup_key != module.perform(role, commands.CreateBackupKey(NAME)).backup_key
    assert repr(made) == "NewBackupKey()"
    other = new_module()
    other.perform(Role.OPERATOR, commands.Unseal(sealed))
    opened = other.perform(Role.OPERATOR, commands.OpenBackupKey(NAME, made.wrapped_key))
    assert opened == Bytes(made.backup_key)


def test_a_worker_gets_no_key_back(module, sealed):
    made = module.perform(Role.WORKER, commands.CreateBackupKey(NAME))
    for role in set(Role) - {Role.OPERATOR}:
        reply = module.perform(role, commands.OpenBackupKey(NAME, made.wrapped_key))
        assert reply == Failed(Failure.MALFORMED)


def test_a_key_is_of_one_backup_and_one_deployment(module, sealed):
    made = module.perform(Role.WORKER, commands.CreateBackupKey(NAME))
    refused = Failed(Failure.TOKEN_REFUSED)
    for name, wrapped in (
        (NAME[:-1] + "2", made.wrapped_key),
        ("", made.wrapped_key),
        (NAME, made.wrapped_key[:-1]),
        (NAME, b""),
    ):
        command = commands.OpenBackupKey(name, wrapped)
        assert module.perform(Role.OPERATOR, command) == refused
    stranger = new_module(b"\x01" * 32)
    stranger.perform(Role.OPERATOR, commands.CreateDomains([IDENTITY_DOMAIN, REGION]))
    command = commands.OpenBackupKey(NAME, made.wrapped_key)
    assert stranger.perform(Role.OPERATOR, command) == refused


def test_a_sample_is_a_ciphertext_of_the_key(module, sealed):
    key = bound_key(module)
    made = module.perform(Role.WORKER, commands.CreateBackupKey(NAME, key))
    plain = module.perform(
        Role.WORKER, commands.Decrypt(key, "SYMMETRIC_DEFAULT", made.sample, sample_context(NAME))
    )
    assert plain == Bytes(sample_text(NAME))


def test_no_sample_is_made_with_another_kind_of_key(module, sealed):
    mac = bound_key(module, "HMAC_256", "GENERATE_VERIFY_MAC")
    for token in (mac, b"no token"):
        reply = module.perform(Role.WORKER, commands.CreateBackupKey(NAME, token))
        assert isinstance(reply, Failed)
