"""What a process has given up, tried in processes of their own."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kagimori.server import confinement
from kagimori.server.confinement import Confinement
from kagimori.server.worker_config import WorkerConfig
from kagimori_sandbox import landlock, seccomp

VERSION = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
needs_landlock = pytest.mark.skipif(VERSION < 1, reason="this kernel has no Landlock")

START = """
import json, os, socket, subprocess, sys
from pathlib import Path
from kagimori_sandbox import landlock, seccomp

def tried(one):
    try:
        one()
    except OSError as problem:
        return type(problem).__name__
    return "done"
"""


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", START + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    for name in ("open/inner/hidden", "open/beside", "written/inner", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    return tmp_path


@needs_landlock
def test_what_is_hidden_is_not_reached_from_what_is_readable(folder):
    found = run(
        """
top = Path(sys.argv[1])
held = landlock.confine(
    readable=[*landlock.runtime_paths(), top / "open"],
    writable=[top / "written"],
    listable=[top],
    hidden=[top / "open" / "inner" / "hidden", top / "missing"],
)
read = lambda name: tried((top / name / "file").read_text)
write = lambda name: tried(lambda: (top / name / "new").write_text("x"))
names = ("open/beside", "open/inner/hidden", "written/inner", "other")
print(json.dumps([
    held, [read(name) for name in names], [write(name) for name in names],
    tried(lambda: os.listdir(top)),
]))
""",
        folder,
    )
    no, yes = "PermissionError", "done"
    assert found == [True, [yes, no, yes, no], [no, no, yes, no], yes]


@needs_landlock
def test_it_holds_for_threads_and_children(folder):
    found = run(
        """
import threading
top = Path(sys.argv[1])
landlock.confine(readable=landlock.runtime_paths())
seen = []
thread = threading.Thread(target=lambda: seen.append(tried((top / "other" / "file").read_text)))
thread.start()
thread.join()
child = subprocess.run(["cat", str(top / "other" / "file")], capture_output=True, check=False)
print(json.dumps([seen, child.stdout.decode()]))
""",
        folder,
    )
    assert found == [["PermissionError"], ""]


def test_no_new_sockets_and_no_new_programs():
    found = run(
        """
import threading
old = socket.socketpair()
held = seccomp.refuse_sockets_and_programs()
tries = [
    lambda: socket.socket(),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: os.execv("/bin/true", ["true"]),
]
print(json.dumps([held, [tried(one) for one in tries]]))
old[0].send(b"x")
assert old[1].recv(1) == b"x"
threading.Thread(target=lambda: None).start()
"""
    )
    held, tries = found
    if os.uname().machine in ("x86_64", "aarch64"):
        assert held
    assert tries == ["PermissionError"] * 3 or not held


def test_where_the_kernel_cannot_the_caller_is_told(monkeypatch):
    monkeypatch.setattr(sys, "platform", "other")
    assert not landlock.confine(readable=[Path("/")])
    assert not seccomp.refuse_sockets_and_programs()


@pytest.mark.parametrize("hidden", [True, False])
def test_a_worker_says_whether_the_seal_is_hidden(tmp_path, monkeypatch, hidden):
    """What it says is tried, not assumed."""

    def confine(**_):
        if hidden:
            (tmp_path / "seal.key").unlink()

    (tmp_path / "seal.key").write_text("00")
    monkeypatch.setattr(confinement.landlock, "confine", confine)
    monkeypatch.setattr(
        confinement, "HeldOpen", lambda _: type("Held", (), {"files": [], "readable": []})()
    )
    config = WorkerConfig(
        data=str(tmp_path),
        stream="w0",
        streams=("w0",),
        hsm_socket="",
        listen_fd=-1,
        control_fd=-1,
        regions=("us-east-1",),
    )
    assert Confinement(config).keeps_the_seal_hidden is hidden
