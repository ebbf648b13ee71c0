"""The HSM's process as it is installed: its files are held against the record before it serves."""

import shutil
from pathlib import Path

import pytest

from kagimori.hsm.process import HsmProcess, HsmRefused, scrubbed_environment
from kagimori_boundary.commands import DescribeModule, Hello, RunSelfTests
from kagimori_boundary.replies import HsmState
from kit.installed import install


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with the HSM's packages as an installer leaves them, from which it is started."""
    root = tmp_path / "site-packages"
    count = install(root)
    monkeypatch.setenv("PYTHONPATH", str(root))
    return root, count


@pytest.fixture
def start(tmp_path):
    """Start the HSM; every one that was started is ended."""
    started = []
    (tmp_path / "seal.key").write_text(bytes(32).hex())

    def begin():
        started.append(HsmProcess(tmp_path / "hsm.sock", tmp_path / "seal.key"))
        return started[-1]

    yield begin
    for one in started:
        one.end()


def test_the_files_are_those_that_were_installed(site, start):
    hsm = start()
    assert hsm.ask(Hello(1)).state is HsmState.SEALED
    for command in (DescribeModule(), RunSelfTests()):
        names = [one.name for one in hsm.ask(command).tests]
        assert f"files of kagimori: {site[1]}" in names
        assert {"AES-256-GCM", "ML-DSA-87", "random generator of OpenSSL"} <= set(names)


def test_one_that_was_changed_is_the_error_state(site, start):
    with (site[0] / "kagimori_hsm" / "world.py").open("a") as file:
        file.write("# changed\n")
    hsm = start()
    greeting = hsm.ask(Hello(1))
    assert greeting.state is HsmState.ERROR
    assert greeting.reason == "kagimori_hsm/world.py is not what was installed"
    with pytest.raises(HsmRefused, match=r"kagimori_hsm/world\.py is not what was installed"):
        hsm.unseal(b"")


def test_one_that_is_changed_while_it_serves_is_found_on_demand(site, start):
    hsm = start()
    (site[0] / "kagimori_boundary" / "planted.py").write_text("")
    with pytest.raises(HsmRefused):
        hsm.ask(RunSelfTests())
    report = hsm.ask(DescribeModule())
    assert report.state is HsmState.ERROR
    assert report.reason == "kagimori_boundary/planted.py was not installed"


def test_a_known_answer_that_is_another_is_the_error_state(site, start, monkeypatch):
    file = site[0] / "kagimori_hsm" / "self_tests" / "known_answers.json"
    text = file.read_text()
    line = next(line for line in text.splitlines() if '"AES-256-GCM"' in line)
    file.write_text(text.replace(line, line.replace('"ciphertext": "', '"ciphertext": "AAAA')))
    shutil.rmtree(site[0] / "kagimori-0.1.0.dist-info")
    source = site[0].rename(site[0].with_name("source"))  # a tree whose files nobody recorded
    monkeypatch.setenv("PYTHONPATH", str(source))
    greeting = start().ask(Hello(1))
    assert greeting.state is HsmState.ERROR
    assert greeting.reason == "AES-256-GCM gives another answer than the published one"


def test_its_environment_is_scrubbed(start, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted secret")
    monkeypatch.setenv("OPENSSL_CONF", "/tmp/planted.cnf")
    hsm = start()
    hsm.ask(Hello(1))
    try:
        found = Path(f"/proc/{hsm.process.pid}/environ").read_bytes()
    except OSError:
        pytest.skip("the environment of another process can't be read here")
    names = {entry.partition(b"=")[0].decode() for entry in found.split(b"\0") if entry}
    assert names <= {"LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH"}
    assert scrubbed_environment({"PYTHONPATH": "x", "HOME": "y"}) == {"PYTHONPATH": "x"}


def test_no_module_is_taken_from_the_folder_it_is_started_in(start, tmp_path, monkeypatch):
    (tmp_path / "asyncio.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    assert start().ask(Hello(1)).state is HsmState.SEALED
