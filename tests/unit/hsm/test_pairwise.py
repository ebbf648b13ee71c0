"""Each new key pair is tried before it is used; one that fails is the end of the module's service."""

import re
from pathlib import Path

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import Role
from kagimori_boundary.key_specs import SPECS, Family
from kagimori_boundary.replies import Failed, Failure, HsmState
from kagimori_hsm.algorithms import edwards, elliptic, ml_dsa, ml_kem, pairwise, rsa
from kagimori_hsm.module import Module
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.roots import seals
from kagimori_hsm.roots.contents import SealRefused

ACCOUNT, REGION = "111122223333", "us-east-1"
NOT_OPERATIONAL = Failed(Failure.NOT_OPERATIONAL)
SIGNING = {
    "RSA_2048": rsa,
    "ECC_NIST_P256": elliptic,
    "ECC_SECG_P256K1": elliptic,
    "ECC_NIST_EDWARDS25519": edwards,
    "ML_DSA_44": ml_dsa,
}
PAIRED = [*SIGNING, "ML_KEM_768"]


@pytest.fixture
def module():
    made = Module(bytes(32), memory_locked=False)
    made.self_test()
    made.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    return made


def spoil(monkeypatch, spec):
    """Have the public half of every new pair be another's."""

    def refuse(*_):
        raise Refused(Reason.INVALID_SIGNATURE)

    if spec in SIGNING:
        monkeypatch.setattr(SIGNING[spec], "verify", refuse)
    else:
        monkeypatch.setattr(ml_kem, "decapsulate", lambda *_: bytes(32))


def generate(module, spec):
    usage = SPECS[spec].usages[-1]
    command = commands.GenerateKey(ACCOUNT, REGION, "k", spec, usage, "AWS_KMS")
    return module.perform(Role.WORKER, command)


@pytest.mark.parametrize("spec", PAIRED)
def test_a_pair_that_is_not_consistent_ends_all_use_of_keys(module, spec, monkeypatch, capfd):
    with monkeypatch.context() as spoilt:
        spoil(spoilt, spec)
        assert generate(module, spec) == NOT_OPERATIONAL
    assert module.state is HsmState.ERROR
    assert f"a new pair of {spec} is not consistent" in capfd.readouterr().err
    assert generate(module, "SYMMETRIC_DEFAULT") == NOT_OPERATIONAL
    assert module.perform(Role.WORKER, commands.GenerateRandom(1)) == NOT_OPERATIONAL


def test_so_does_a_pair_that_is_not_kept(module, monkeypatch):
    symmetric = generate(module, "SYMMETRIC_DEFAULT")
    bound = commands.BoundToken(
        ACCOUNT, REGION, "k", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS",
        symmetric.material_id, symmetric.key_token,
    )  # fmt: skip
    token = msgspec.msgpack.encode(bound)
    spoil(monkeypatch, "ECC_NIST_P256")
    command = commands.GenerateDataKeyPair(token, "ECC_NIST_P256", {}, with_plaintext=True)
    assert module.perform(Role.WORKER, command) == NOT_OPERATIONAL
    assert module.state is HsmState.ERROR


@pytest.mark.parametrize(
    "spec", [name for name, spec in SPECS.items() if spec.family is not Family.RSA]
)
def test_every_spec_passes(spec):
    assert pairwise.generate(spec)


@pytest.mark.parametrize("given_back", [SealRefused(), seals.RootKey(b"another", bytes(32))])
def test_so_does_the_pair_of_a_seal(given_back, monkeypatch):
    """It gives back the root key that was encrypted to it, before anything depends on it."""

    def opened(*_):
        if isinstance(given_back, Exception):
            raise given_back
        return given_back

    monkeypatch.setattr(seals, "root_key_in", opened)
    made = Module(bytes(32), memory_locked=False, self_tests=list)
    made.self_test()
    command = commands.CreateDomains(["identity", REGION])
    assert made.perform(Role.OPERATOR, command) == NOT_OPERATIONAL
    assert made.state is HsmState.ERROR
    report = made.perform(Role.OPERATOR, commands.DescribeModule())
    assert report.reason == "a new pair of X25519 is not consistent"


def test_no_pair_is_made_but_where_it_is_tried():
    """The families make pairs for `pairwise.generate` alone; a seal tries its own."""
    sources = Path(pairwise.__file__).parents[1]
    makers = {
        file.relative_to(sources).as_posix()
        for file in sources.rglob("*.py")
        if file.parent.name != "self_tests"
        and re.search(
            r"PrivateKey\.generate\(|generate_private_key\(|_kind\(spec\)\.generate\(",
            file.read_text(),
        )
    }
    families = {"edwards", "elliptic", "ml_dsa", "ml_kem", "rsa"}
    assert makers == {"roots/seals.py", *(f"algorithms/{name}.py" for name in families)}
    users = {
        file.relative_to(sources).as_posix()
        for file in sources.rglob("*.py")
        if "dispatch.generate(" in file.read_text()
    }
    assert users == {"algorithms/pairwise.py"}
