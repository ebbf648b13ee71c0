"""The module's states and roles: who may ask what, and when."""

import msgspec
import pytest

from kagimori_boundary import messages
from kagimori_boundary.messages import Failed, Failure, HsmState
from kagimori_hsm.module import Module

OPERATORS = {"Unseal", "CreateDomains", "CreateAuditKey", "SignDigest"}
BOTH = {"Hello", "CreateSecret", "SealClaims"}
DEV = {"StoreMaterial"}

NOTHING = {int: 0, float: 0.0, bool: False, str: "", bytes: b""}
MALFORMED, NOT_OPERATIONAL = Failed(Failure.MALFORMED), Failed(Failure.NOT_OPERATIONAL)


def made_up(kind):
    """A command of this kind, of values that are none."""
    fields = msgspec.structs.fields(kind)
    empty = [{} if "dict" in str(field.type) else [] for field in fields]
    return kind(*(NOTHING.get(f.type, other) for f, other in zip(fields, empty, strict=True)))


COMMANDS = {kind.__name__: made_up(kind) for kind in messages.Command.__args__}


@pytest.fixture
def sealed():
    module = Module(bytes(32), memory_locked=False)
    module.self_test()
    assert module.state is HsmState.SEALED
    return module


@pytest.fixture
def operational(sealed):
    sealed.perform_for_operator(messages.CreateDomains(["identity", "us-east-1"]))
    return sealed


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"Hello"}))
def test_a_sealed_module_does_nothing_for_a_worker(sealed, name):
    assert sealed.perform_for_worker(COMMANDS[name]) == NOT_OPERATIONAL


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - OPERATORS - BOTH))
def test_no_operator_uses_a_key(operational, name):
    assert operational.perform_for_operator(COMMANDS[name]) == MALFORMED


@pytest.mark.parametrize("name", sorted(OPERATORS | DEV))
def test_no_worker_has_an_operators_command(operational, name):
    assert operational.perform_for_worker(COMMANDS[name]) == MALFORMED


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - OPERATORS - BOTH - DEV))
def test_every_other_command_is_a_workers(operational, name):
    assert operational.perform_for_worker(COMMANDS[name]) not in (MALFORMED, NOT_OPERATIONAL)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_after_a_failed_self_test_nothing_is_done_for_anybody(sealed, name):
    sealed.state = HsmState.ERROR
    assert isinstance(sealed.perform_for_operator(COMMANDS[name]), Failed)
    if name != "Hello":
        assert sealed.perform_for_worker(COMMANDS[name]) == NOT_OPERATIONAL


def test_a_worker_may_ask_for_the_state_in_any_state(sealed):
    for state in HsmState:
        sealed.state = state
        assert sealed.perform_for_worker(COMMANDS["Hello"]).state is state


def test_a_refused_unsealing_leaves_it_sealed(sealed):
    assert sealed.perform_for_operator(messages.Unseal(b"x" * 100)) == Failed(Failure.SEAL_REFUSED)
    assert sealed.state is HsmState.SEALED


def test_a_fault_says_its_kind_alone(operational, capfd, monkeypatch):
    """Promise: no-secret-in-sight."""

    def fails(command):
        raise RuntimeError("planted secret")

    monkeypatch.setitem(operational._for_worker, messages.GenerateRandom, fails)
    command = messages.GenerateRandom(1)
    assert operational.perform_for_worker(command) == Failed(Failure.INTERNAL)
    said = capfd.readouterr()
    assert "RuntimeError" in said.err
    assert "planted secret" not in said.err + said.out


def test_no_repr_shows_a_key(operational):
    domain = operational._domains["us-east-1"]
    keys = domain.plain()[1].values()
    for shown in (repr(operational), repr(domain), str(vars(operational))):
        assert not [key for key in keys if repr(key)[2:-1] in shown or key.hex() in shown]
