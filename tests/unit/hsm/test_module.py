"""The module's states and roles: every cell of who may ask what, and when."""

import typing

import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import Command, Lane, Role
from kagimori_boundary.replies import Failed, Failure, Greeting, HsmState, ModuleReport
from kagimori_hsm import module as module_file
from kagimori_hsm.module import Module
from kagimori_hsm.self_tests.failed import SelfTestFailed
from kagimori_hsm.states import ALLOWED, NEXT, ForbiddenStep, check_step
from kagimori_hsm.world import World

NOTHING = {int: 0, float: 0.0, bool: False, str: "", bytes: b""}
MALFORMED, NOT_OPERATIONAL = Failed(Failure.MALFORMED), Failed(Failure.NOT_OPERATIONAL)

# Written down a second time, so that a command does not get another role by accident.
OPERATORS = {
    "OpenBackupKey",
    "CreateSecret",
    "Unseal",
    "CreateDomains",
    "AdoptDomains",
    "CreateAuditKey",
    "AdmitFollower",
    "AdmitCustodians",
    "MakeFirstSeal",
    "Zeroize",
    "RunSelfTests",
}
OPERATORS_AND_WORKERS = {
    "SealClaims",
    "StoreMaterial",
    "DescribeDomains",
    "DescribeModule",
    "CreateBackupKey",
    "DeriveIntegrityKey",
}
OPERATORS_AND_CUSTODIANS = {"OpenSeal", "TestSeal", "AddSeal", "RemoveSeal"}
OPERATORS_AND_FOLLOWERS = {"SignDigest"}
EVERYBODYS = {"Hello", "BecomeCustodian", "DescribeSeals"}
DEV = {"StoreMaterial"}
# And in which states: what is not here needs the operational one.
STATES = {
    "Hello": set(HsmState) - {HsmState.POWER_ON},
    "Unseal": {HsmState.SEALED},
    "MakeFirstSeal": {HsmState.SEALED},
    "CreateDomains": {HsmState.SEALED, HsmState.OPERATIONAL},
    "DescribeModule": set(HsmState) - {HsmState.POWER_ON},
    "RunSelfTests": {HsmState.SEALED, HsmState.OPERATIONAL},
    "Zeroize": {HsmState.SEALED, HsmState.OPERATIONAL, HsmState.ERROR, HsmState.ZEROIZED},
    **{
        name: {HsmState.SEALED, HsmState.OPERATIONAL}
        for name in (
            "AdmitCustodians",
            "BecomeCustodian",
            "DescribeSeals",
            "OpenSeal",
            "TakeSealEvents",
        )
    },
}


def made_up(kind):
    """A command of this kind, of values that are none."""
    types = typing.get_type_hints(kind)  # without the bounds of numbers
    types = [types[name] for name in kind.__struct_fields__]
    return kind(*(NOTHING.get(one, {} if "dict" in str(one) else []) for one in types))


COMMANDS = {kind.__name__: made_up(kind) for kind in Command.__args__}


def roles_of(name):
    if name in OPERATORS:
        return {Role.OPERATOR}
    if name in OPERATORS_AND_WORKERS:
        return {Role.OPERATOR, Role.WORKER}
    if name in OPERATORS_AND_FOLLOWERS:
        return {Role.OPERATOR, Role.FOLLOWER}
    if name in OPERATORS_AND_CUSTODIANS:
        return {Role.OPERATOR, Role.CUSTODIAN}
    return set(Role) if name in EVERYBODYS else {Role.WORKER}


def fails():
    raise SelfTestFailed("AES-256-GCM gives another answer")


def module_in(state, *, dev=False):
    tests = fails if state is HsmState.ERROR else list
    made = Module(bytes(32), memory_locked=False, world=World(dev=dev), self_tests=tests)
    if state is HsmState.POWER_ON:
        return made
    if state is HsmState.SELF_TEST:
        made.go_to(state)
        return made
    made.self_test()
    if state in (HsmState.OPERATIONAL, HsmState.ZEROIZED):
        made.perform(Role.OPERATOR, commands.CreateDomains(["identity", "us-east-1"]))
    if state is HsmState.ZEROIZED:
        made.perform(Role.OPERATOR, commands.Zeroize())
    assert made.state is state
    return made


@pytest.fixture
def operational():
    return module_in(HsmState.OPERATIONAL)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", HsmState)
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_cell_of_commands_roles_and_states(name, state, role):
    module = module_in(state)
    reply = module.perform(role, COMMANDS[name])
    if role not in roles_of(name) or name in DEV:
        assert reply == MALFORMED
    elif state not in STATES.get(name, {HsmState.OPERATIONAL}):
        assert reply == NOT_OPERATIONAL
    else:
        assert reply not in (MALFORMED, NOT_OPERATIONAL)
    if name not in STATES or role is not Role.OPERATOR:
        assert module.state is state


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.WORKER])
def test_dev_alone_takes_keys_in_plain(role):
    module = module_in(HsmState.OPERATIONAL, dev=True)
    for name in DEV:
        assert module.perform(role, COMMANDS[name]) != MALFORMED


@pytest.mark.parametrize("after", HsmState)
@pytest.mark.parametrize("before", HsmState)
def test_no_step_but_those_of_the_table(before, after):
    if after is before or after in NEXT[before]:
        check_step(before, after)
    else:
        with pytest.raises(ForbiddenStep):
            check_step(before, after)


def test_error_and_zeroized_are_never_left_for_service():
    reached = {HsmState.ERROR}
    while new := set().union(*(NEXT[state] for state in reached)) - reached:
        reached |= new
    assert reached == {HsmState.ERROR, HsmState.ZEROIZED}
    assert set(ALLOWED) == set(NEXT) == set(HsmState)


def test_no_tag_is_used_twice_or_again():
    for kinds in (Command.__args__, module_file.Reply.__args__):
        tags = [kind.__struct_config__.tag for kind in kinds]
        assert len(tags) == len(set(tags))
    assert not commands.RETIRED_TAGS & {kind.__struct_config__.tag for kind in Command.__args__}


def test_the_state_is_told_in_any_state():
    for state in set(HsmState) - {HsmState.POWER_ON}:
        module = module_in(state)
        for command, kind in (("Hello", Greeting), ("DescribeModule", ModuleReport)):
            reply = module.perform(Role.WORKER, COMMANDS[command])
            assert isinstance(reply, kind)
            assert reply.state is state
            assert bool(reply.reason) is (state is HsmState.ERROR)


def test_a_refused_unsealing_leaves_it_sealed():
    sealed = module_in(HsmState.SEALED)
    command = commands.Unseal(b"x" * 100)
    assert sealed.perform(Role.OPERATOR, command) == Failed(Failure.SEAL_REFUSED)
    assert sealed.state is HsmState.SEALED


def test_a_zeroized_module_has_no_key_left(operational):
    kept = operational._rings.of("us-east-1").plain()[1].values()
    operational.perform(Role.OPERATOR, commands.Zeroize())
    shown = str(vars(operational)) + str(vars(operational._rings)) + str(vars(operational._keys))
    assert not operational._rings.all()
    assert not [key for key in kept if repr(key)[2:-1] in shown]


def test_only_the_process_that_was_admitted_is_a_follower(operational):
    assert operational.role_of(4711) is Role.WORKER
    operational.perform(Role.OPERATOR, commands.AdmitFollower(4711))
    assert operational.role_of(4711) is Role.FOLLOWER
    operational.perform(Role.OPERATOR, commands.AdmitFollower(4712))
    assert operational.role_of(4711) is Role.WORKER


@pytest.mark.parametrize(
    ("spec", "lane"),
    [("RSA_2048", Lane.SLOW), ("ECC_NIST_P256", Lane.FAST), ("NO_SUCH", Lane.FAST)],
)
def test_only_rsa_keys_are_slow_to_make(spec, lane):
    made = commands.GenerateKey("1" * 12, "r", "k", spec, "ENCRYPT_DECRYPT", "AWS_KMS")
    assert made.lane is lane
    assert commands.GenerateDataKeyPair(b"", spec, {}, with_plaintext=True).lane is lane


def test_a_fault_says_its_kind_alone(operational, capfd, monkeypatch):
    """Promise: no-secret-in-sight."""

    def fails(command):
        raise RuntimeError("planted secret")

    monkeypatch.setitem(operational._functions, commands.GenerateRandom, fails)
    operational._open_for_state()
    command = commands.GenerateRandom(1)
    assert operational.perform(Role.WORKER, command) == Failed(Failure.INTERNAL)
    said = capfd.readouterr()
    assert "RuntimeError" in said.err
    assert "planted secret" not in said.err + said.out


def test_no_repr_shows_a_key(operational):
    ring = operational._rings.of("us-east-1")
    keys = ring.plain()[1].values()
    for shown in (repr(operational), repr(ring), str(vars(operational))):
        assert not [key for key in keys if repr(key)[2:-1] in shown or key.hex() in shown]
