"""What the HSM's process keeps others from, and itself: looked at from outside, and tried."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import serving
from kagimori.hsm.process import HsmProcess
from kagimori_boundary import commands
from kagimori_boundary.commands import DescribeModule, Hello, Role
from kagimori_boundary.frames import frame_of
from kagimori_boundary.replies import Bytes
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalWriter
from kagimori_hsm.lanes import SlowLane

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
NOBODY = 65534


@pytest.fixture(scope="module")
def hsm():
    with serving.temporary_folder() as folder:
        (folder / "seal.key").write_text(os.urandom(32).hex())
        journal = folder / "hsm" / "journal.jsonl"
        started = HsmProcess(folder / "hsm.sock", folder / "seal.key", journal_file=journal)
        started.ask(commands.CreateDomains(["identity", "us-east-1"]))
        started.folder = folder
        try:
            yield started
        finally:
            started.end()


@pytest.fixture
def status(hsm):
    text = Path(f"/proc/{hsm.process.pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


def descriptors(hsm):
    """What the process has open but its log: a path, or the kind of what has none."""
    folder = Path(f"/proc/{hsm.process.pid}/fd")
    try:
        return [str(one.readlink()) for one in folder.iterdir() if one.name != "2"]
    except PermissionError:
        pytest.skip("only root looks into a process that is not dumpable")


def test_it_takes_no_core_dumps(hsm):
    limits = Path(f"/proc/{hsm.process.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_its_memory_is_locked_if_it_says_so(hsm, status):
    if not hsm.ask(DescribeModule()).memory_locked:
        pytest.skip("the system does not allow memory to be locked without a limit")
    assert int(status["VmLck"].split()[0]) > 10_000


def test_it_makes_no_sockets_and_starts_no_programs(hsm, status):
    sandbox = hsm.ask(DescribeModule()).sandbox
    if "seccomp" not in sandbox:
        pytest.skip("no filter of system calls on this architecture")
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")


def test_it_has_sockets_of_this_machine_and_its_journal_open_and_no_file(hsm):
    opened = descriptors(hsm)
    files = {one for one in opened if one.startswith("/") and one != "/dev/null"}
    assert files == {str(hsm.folder / "hsm" / "journal.jsonl")}
    sockets = {one[8:-1] for one in opened if one.startswith("socket:")}
    local = Path(f"/proc/{hsm.process.pid}/net/unix").read_text()
    assert sockets
    assert all(f" {inode}" in local for inode in sockets)
    kinds = {one.partition(":")[0] for one in opened if not one.startswith("/")}
    assert kinds <= {"socket", "anon_inode", "pipe"}


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


TRIED = """
import json, os, socket, sys
from pathlib import Path
from kagimori_hsm.process import _confine

def tried(one):
    try:
        one()
    except OSError as problem:
        return type(problem).__name__
    return "done"

listening = socket.socket()
listening.bind(("127.0.0.1", 0))
folder = Path(sys.argv[1])
held = _confine()
print(json.dumps([list(held), {
    "read a file": tried((folder / "file").read_text),
    "write a file": tried(lambda: (folder / "new").write_text("x")),
    "read users": tried(Path("/etc/passwd").read_text),
    "read its own memory": tried(lambda: Path("/proc/self/mem").open("rb")),
    "make a socket": tried(socket.socket),
    "make a local socket": tried(lambda: socket.socket(socket.AF_UNIX)),
    "run a program": tried(lambda: os.execv("/bin/true", ["true"])),
    "load its own code": tried((Path(os.__file__)).read_text),
}]))
"""


def test_what_it_gives_up_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    held, found = run(TRIED, tmp_path)
    if not {"landlock", "seccomp"} <= set(held):
        pytest.skip("this kernel or architecture has no Landlock or no filter of ours")
    assert found.pop("load its own code") == "done"
    assert set(found.values()) == {"PermissionError"}


TRACED = """
import ctypes, encodings.ascii, json, os, sys
from kagimori_hsm.memory import protect
protects = sys.argv[1] == "protect"
ready, go = os.pipe(), os.pipe()
child = os.fork()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(4, 1, 0, 0, 0)  # dumpable again, which changing the user ended
if child == 0:
    if protects:
        protect()
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.close(ready[1])
assert os.read(ready[0], 1) == b"x"
found = {}
for name in ("mem", "environ", "maps"):
    try:
        with open(f"/proc/{child}/{name}", "rb") as file:
            if name != "mem":
                file.read(1)
        found[name] = "done"
    except OSError as problem:
        found[name] = type(problem).__name__
found["traced"] = libc.ptrace(0x4206, child, None, None) == 0  # PTRACE_SEIZE
os.write(go[1], b"x")
os.waitpid(child, 0)
print(json.dumps(found))
"""


@needs_root
def test_its_own_user_cannot_look_into_it_nor_trace_it():
    assert run(TRACED, "protect") == {
        "mem": "PermissionError", "environ": "PermissionError", "maps": "PermissionError",
        "traced": False,
    }  # fmt: skip
    open_to_its_user = run(TRACED, "do not")
    assert open_to_its_user["environ"] == "done"  # so that this test can fail


CONNECTS = """
import json, os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
end = socket.socket(socket.AF_UNIX)
end.settimeout(20)
end.connect(sys.argv[1])
try:
    end.sendall(bytes.fromhex(sys.argv[3]))
    print(json.dumps(len(end.recv(100))))
except (BrokenPipeError, ConnectionResetError):
    print(json.dumps(0))
"""


@needs_root
@pytest.mark.parametrize(("user", "is_answered"), [(0, True), (NOBODY, False)])
def test_a_peer_of_another_user_is_hung_up_on(user, is_answered):
    """The mode of the socket keeps others out already; here it does not."""

    async def test(path):
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(
            lambda: Connection(
                lambda role, command: Bytes(b"x"),
                SlowLane(),
                lambda _: Role.WORKER,
                JournalWriter(Journal()),
            ),
            path=str(path),
        )
        path.chmod(0o777)
        hello = frame_of(1, Hello(1)).hex()
        received = await asyncio.to_thread(run, CONNECTS, path, user, hello)
        server.close()
        return received

    with serving.temporary_folder() as folder:
        folder.chmod(0o755)
        assert bool(asyncio.run(test(folder / "s"))) is is_answered


@needs_root
def test_the_socket_is_its_owners_alone(hsm):
    assert (hsm.folder / "hsm.sock").stat().st_mode & 0o777 == 0o600
    hsm.folder.chmod(0o755)
    code = CONNECTS.replace("end.connect(sys.argv[1])", "print(end.connect_ex(sys.argv[1]));exit()")
    assert run(code, hsm.folder / "hsm.sock", NOBODY, "") == 13  # EACCES
