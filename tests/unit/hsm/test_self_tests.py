"""Each self-test is made to fail: the error state, no key used any more, and the reason."""

import base64
import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.bindings.openssl.binding import Binding

from kagimori_boundary import commands
from kagimori_boundary.commands import Role
from kagimori_boundary.replies import Failed, Failure, HsmState, ModuleReport, NewKey
from kagimori_hsm.module import Module
from kagimori_hsm.self_tests import battery, random_source
from kagimori_hsm.self_tests.failed import Passed, SelfTestFailed
from kagimori_hsm.self_tests.integrity import LIBRARIES, OURS, Distribution, check_integrity
from kagimori_hsm.self_tests.known_answers import ANSWERS, check_answers
from kagimori_hsm.self_tests.pair_answers import Hpke
from kagimori_hsm.self_tests.random_source import SOURCES, check_random_sources, check_sample

ACCOUNT, REGION = "111122223333", "us-east-1"
NOT_OPERATIONAL = Failed(Failure.NOT_OPERATIONAL)
# The values that a computation is held against; the others go into it.
HELD = (
    "digest",
    "mac",
    "output",
    "ciphertext",
    "code",
    "signature",
    "plaintext",
    "secret",
    "nonce",
)


class ToldBattery:
    """A battery whose next run fails if it is told why."""

    def __init__(self):
        self.why, self.runs = None, 0

    def __call__(self):
        self.runs += 1
        if self.why is not None:
            raise self.why
        return [Passed("SHA-256", "a file")]


@pytest.fixture
def tests():
    return ToldBattery()


@pytest.fixture
def module(tests):
    made = Module(bytes(32), memory_locked=False, self_tests=tests)
    made.self_test()
    made.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION]))
    return made


def generate(module, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
    command = commands.GenerateKey(ACCOUNT, REGION, "k", spec, usage, "AWS_KMS")
    return module.perform(Role.WORKER, command)


def spoilt(answer):
    """Yield the answer with another published value, for each value that is held against."""
    for name in HELD:
        value = getattr(answer, name, None)
        if isinstance(answer, Hpke) and name == "plaintext":
            continue  # goes in, and comes out again
        if isinstance(value, bytes):
            yield msgspec.structs.replace(answer, **{name: bytes((value[0] ^ 1,)) + value[1:]})
        elif isinstance(value, str):
            yield msgspec.structs.replace(answer, **{name: value[::-1]})


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_each_known_answer_can_fail(answer):
    others = list(spoilt(answer))
    assert others
    for other in others:
        with pytest.raises(SelfTestFailed, match=answer.name):
            check_answers([other])


FAILURES = {
    "known answer": lambda: check_answers([next(spoilt(ANSWERS[0]))]),
    "random generator": lambda: check_random_sources({"a generator": lambda: bytes(64)}),
    "files": lambda: check_integrity((Distribution("none", (), Path("/site-packages")),)),
    "a fault": lambda: 1 / 0,
}


@pytest.mark.parametrize("battery", list(FAILURES.values()), ids=list(FAILURES))
def test_one_that_fails_at_the_start_is_the_end(battery, capfd):
    module = Module(bytes(32), memory_locked=False, self_tests=battery)
    module.self_test()
    assert module.state is HsmState.ERROR
    for command in (commands.CreateDomains([REGION]), commands.Unseal(b"x")):
        assert module.perform(Role.OPERATOR, command) == NOT_OPERATIONAL
    reason = module.perform(Role.WORKER, commands.DescribeModule()).reason
    assert reason
    assert f"HSM self-test failed: {reason}" in capfd.readouterr().err
    assert module.perform(Role.WORKER, commands.Hello(1)).reason == reason


def test_one_that_fails_on_demand_ends_all_use_of_keys(module, tests, capfd):
    assert isinstance(generate(module), NewKey)
    tests.why = SelfTestFailed("AES-256-GCM gives another answer than the published one")
    assert module.perform(Role.OPERATOR, commands.RunSelfTests()) == NOT_OPERATIONAL
    assert module.state is HsmState.ERROR
    assert generate(module) == NOT_OPERATIONAL
    assert module.perform(Role.WORKER, commands.GenerateRandom(1)) == NOT_OPERATIONAL
    assert "AES-256-GCM" in module.perform(Role.OPERATOR, commands.DescribeModule()).reason
    assert "AES-256-GCM" in capfd.readouterr().err
    tests.why = None  # and there is no way back but a new process
    assert module.perform(Role.OPERATOR, commands.RunSelfTests()) == NOT_OPERATIONAL
    assert module.state is HsmState.ERROR


def test_those_that_pass_on_demand_change_nothing(module, tests):
    before = tests.runs
    report = module.perform(Role.OPERATOR, commands.RunSelfTests())
    assert isinstance(report, ModuleReport)
    assert (report.state, report.reason) == (HsmState.OPERATIONAL, "")
    assert [(one.name, one.source) for one in report.tests] == [("SHA-256", "a file")]
    assert report.tested_at
    assert tests.runs == before + 1
    assert isinstance(generate(module), NewKey)
    assert module.perform(Role.WORKER, commands.DescribeModule()) == report


def test_keys_are_used_while_the_tests_run(module, tests):
    """The fast lane goes on: what a test computes with is not what commands compute with."""
    used = []

    def using():
        used.append(generate(module))
        return tests()

    module._health._battery = using
    assert isinstance(module.perform(Role.OPERATOR, commands.RunSelfTests()), ModuleReport)
    assert isinstance(used[0], NewKey)


@pytest.mark.parametrize("end", ["a failed test", "zeroized"])
def test_what_is_done_too_late_does_not_leave(module, tests, end, monkeypatch):
    """Slow work is on its way when the module fails, or is zeroized: its result stays inside."""
    generated = generate(module)

    def meanwhile(command):
        if end == "zeroized":
            module.perform(Role.OPERATOR, commands.Zeroize())
        else:
            tests.why = SelfTestFailed("SHA-256 fails")
            module.perform(Role.OPERATOR, commands.RunSelfTests())
        return generated

    monkeypatch.setitem(module._functions, commands.GenerateKey, meanwhile)
    module._open_for_state()
    assert generate(module) == NOT_OPERATIONAL


def test_a_zeroized_module_that_fails_stays_zeroized(module, tests, monkeypatch):
    def zeroized_meanwhile():
        module.perform(Role.OPERATOR, commands.Zeroize())
        raise SelfTestFailed("SHA-256 fails")

    module._health._battery = zeroized_meanwhile
    assert module.perform(Role.OPERATOR, commands.RunSelfTests()) == NOT_OPERATIONAL
    assert module.state is HsmState.ZEROIZED
    assert module.perform(Role.OPERATOR, commands.Zeroize()) != NOT_OPERATIONAL


# --- random generators ---------------------------------------------------------------------------


def test_sound_generators_pass():
    assert [one.name for one in check_random_sources()] == list(SOURCES)


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (lambda: b"", "same twice"),
        (lambda: bytes(range(256)), "same twice"),
        (iter([bytes(range(200)) + bytes(9), bytes(range(64))]).__next__, "repeats itself"),
        (iter([bytes(range(256)), b"ab" * 200]).__next__, "prefers one value"),
    ],
)
def test_a_generator_that_repeats_itself_fails(sample, why):
    with pytest.raises(SelfTestFailed, match=why):
        check_random_sources({"a generator": sample})


def test_so_does_openssl_without_a_seed(monkeypatch):
    class Unseeded:
        class lib:
            @staticmethod
            def RAND_status():
                return 0

    monkeypatch.setattr(random_source, "Binding", Unseeded)
    assert Binding().lib.RAND_status() == 1
    with pytest.raises(SelfTestFailed, match="not seeded"):
        check_random_sources()


def test_what_a_sound_generator_may_do_passes():
    check_sample("it", bytes(8) + bytes(range(1, 256)) * 8)


# --- the program's own files ---------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path):
    """A small distribution as an installer leaves it."""
    root = tmp_path / "site-packages"
    (root / "small_hsm" / "inner").mkdir(parents=True)
    (root / "small-1.0.dist-info").mkdir()
    files = {"small_hsm/__init__.py": b"", "small_hsm/inner/keys.py": b"x = 1\n"}
    lines = []
    for name, content in files.items():
        (root / name).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(content)}")
    lines += ["small_hsm/inner/__pycache__/keys.cpython-311.pyc,,", "small-1.0.dist-info/RECORD,,"]
    (root / "small-1.0.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
    return Distribution("small", ("small_hsm",), root)


def test_what_was_installed_passes(installed):
    (installed.root / "small_hsm" / "inner" / "__pycache__").mkdir()
    (installed.root / "small_hsm" / "inner" / "__pycache__" / "keys.cpython-311.pyc").touch()
    assert [one.name for one in check_integrity((installed,))] == ["files of small: 2"]


def change(root):
    (root / "small_hsm/inner/keys.py").write_text("x = 2\n")


def remove(root):
    (root / "small_hsm/inner/keys.py").unlink()


def plant(root):
    (root / "small_hsm/inner/keys.cpython-311-x86_64-linux-gnu.so").write_bytes(b"x")


def plant_package(root):
    (root / "small_hsm/inner/keys").mkdir()
    (root / "small_hsm/inner/keys/__init__.py").write_text("x = 3\n")


def remove_record(root):
    (root / "small-1.0.dist-info/RECORD").unlink()


def remove_all_of_it(root):
    shutil.rmtree(root / "small-1.0.dist-info")


def empty_record(root):
    (root / "small-1.0.dist-info/RECORD").write_text("")


def spoil_record(root):
    (root / "small-1.0.dist-info/RECORD").write_bytes(b"\xff\xfe,,\n")


def second_record(root):
    shutil.copytree(root / "small-1.0.dist-info", root / "small-0.9.dist-info")


@pytest.mark.parametrize(
    "meddle",
    [change, remove, plant, plant_package, remove_record, remove_all_of_it, empty_record,
     spoil_record, second_record],
)  # fmt: skip
def test_what_was_changed_fails(installed, meddle):
    meddle(installed.root)
    with pytest.raises(SelfTestFailed):
        check_integrity((installed,))


def test_a_source_tree_is_said_to_be_one(tmp_path):
    (passed,) = check_integrity((Distribution("small", ("small_hsm",), tmp_path / "src"),))
    assert passed.name == "files of small: not checked"
    assert "source tree" in passed.source


def test_the_libraries_and_we_are_among_those_checked():
    names = [one.name.partition(":")[0] for one in check_integrity((OURS, *LIBRARIES))]
    assert names == ["files of kagimori", "files of cryptography", "files of PyNaCl"]
    for one in (OURS, *LIBRARIES):
        assert all((one.root / package).is_dir() for package in one.packages)


def test_all_are_run():
    """A process runs every kind; `battery.check_all` is light in the tests alone."""
    names = {one.name for one in battery.check_algorithms()}
    assert {answer.name for answer in ANSWERS} | set(SOURCES) == names
