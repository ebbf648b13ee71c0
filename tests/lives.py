"""Lives of a worker's inner half, each ended by SIGKILL at a write point: `python lives.py`.

The path, the store and the journal are the real ones; the HSM answers what it is told to, and who
asks is believed. A process forks for each life, so that one costs milliseconds. Its conversation
is lines of JSON: a life in, what was seen of it out.

    {"data": DIR, "batches": [[CALL, ...], ...], "kill_at": N or null, "cut": 0.0 ... 1.0 or null,
     "disk": {NUMBER OF A BATCH: ERRNO, or 0 for a disk that does not answer}}

Write points are before, in and after each write, sync, cut and opening of a file, before each SQL
statement, after each transaction, and around the moment when an answer leaves. `cut`: of what the
journal had written but not synced, this part survives, as after a power cut; null: all of it does.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path

from kagimori.dev.unverified import UnverifiedDevCallers
from kagimori.entities.tables import TABLES
from kagimori.front.wire import Wire
from kagimori.gate.asked import Settings
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.registry import OPERATIONS
from kagimori.path import Path as RequestPath
from kagimori.pending import Pending
from kagimori.rules.authorization.denial import Denials
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.request import RawRequest
from kagimori.trail import journal as journal_module
from kagimori.trail.archive import AuditArchive
from kagimori.trail.journal import Journal
from kagimori.trail.outbox import recover_others, recover_own
from kagimori_boundary.commands import GenerateKey
from kagimori_boundary.replies import Bytes, NewKey

ACCOUNT, REGION = "111122223333", "us-east-1"
BYTES_PER_FILE = 6_000  # so that journals go on to further files
AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/kms/aws4_request, "
    f"SignedHeaders=host, Signature={'0' * 64}"
).encode()


class Quiet:
    def error(self, *_, **__):
        pass


class WritePoints:
    """Counts them, and ends the process at one of them; tells on a pipe what was synced."""

    def __init__(self, kill_at, pipe):
        self.kill_at, self.count = kill_at, 0
        self._pipe, self._write = pipe, os.write
        self._fdatasync, self._fsync, self._ftruncate = os.fdatasync, os.fsync, os.ftruncate
        self._open = os.open
        os.write, os.fdatasync, os.fsync = self.write, self.fdatasync, self.fsync
        os.ftruncate, os.open = self.ftruncate, self.open
        self.refuses = None  # what the disk says to every write and sync; 0: nothing at all
        self.answers_again = threading.Event()

    def tell(self, **said):
        self._write(self._pipe, json.dumps(said).encode() + b"\n")

    def reach(self):
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def disk(self):
        if self.refuses:
            raise OSError(self.refuses, os.strerror(self.refuses))
        if self.refuses == 0:
            self.answers_again.wait(20)

    def write(self, file, content):
        self.reach()
        self.disk()
        if self.count + 1 == self.kill_at:
            self._write(file, content[: len(content) // 2])
        self.reach()
        written = self._write(file, content)
        self.reach()
        return written

    def _synced(self, sync, file):
        self.reach()
        self.disk()
        sync(file)
        self.tell(synced=str(Path(f"/proc/self/fd/{file}").readlink()), size=os.fstat(file).st_size)
        self.reach()

    def fdatasync(self, file):
        self._synced(self._fdatasync, file)

    def fsync(self, file):
        self._synced(self._fsync, file)

    def ftruncate(self, file, length):
        self.reach()
        self._ftruncate(file, length)
        self.reach()

    def open(self, path, flags, *more, **others):
        self.reach()
        return self._open(path, flags, *more, **others)


class Hsm:
    """A key holder that answers at once, and new material each time."""

    def perform(self, ask):
        command = ask.command
        reply = Bytes(os.urandom(40))
        if isinstance(command, GenerateKey):
            reply = NewKey(os.urandom(32), b"token", b"")
        pending = Pending()
        pending.settle(reply)
        return pending


def request_of(call):
    """Return a request: its operation, and its members with the id it is known by."""
    operation, members = call
    headers = (
        (b"host", b"localhost"),
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"x-amz-target", f"TrentService.{operation}".encode()),
        (b"authorization", AUTHORIZATION),
    )
    body = json.dumps(members).encode()
    return RawRequest(str(uuid.uuid4()), b"POST", b"/", headers, body, "127.0.0.1")


async def live(data, batches, points, disk):
    store = WorkerStore(
        data / "kagimori.db",
        ChangeSignal(data / "changes"),
        stream="w0",
        tables=tuple(TABLES.values()),
    )
    store._writer._connection.set_trace_callback(lambda _: points.reach())
    commit_all = store._writer.commit_all

    def committed(*arguments, **others):
        commit_all(*arguments, **others)
        points.reach()

    store._writer.commit_all = committed
    journal = Journal(data / "audit" / "w0")
    store.journal_sequence = lambda: journal.end.sequence
    rows = store.outbox()
    await recover_own(rows, "w0", journal, store)
    await recover_others(rows, ("w0",), data / "audit", store, lambda why: None)
    path = RequestPath(
        wire=Wire(("kms",)),
        who=UnverifiedDevCallers(store.view, Hsm(), frozenset((REGION,)), is_first=lambda *_: True),
        operations=OPERATIONS,
        view=store.view,
        store=store,
        key_holder=Hsm(),
        archive=AuditArchive(journal, store),
        now=lambda: 1_767_225_600.0,
        draw=lambda: str(uuid.uuid4()),
        telemetry=Telemetry(Quiet()),
        settings=Settings(regions=frozenset((REGION,)), unknown_principals=True),
        usages=Usages(),
        denials=Denials("w0"),
        on_due=lambda now: None,
    )
    keeping = asyncio.get_running_loop().create_task(housekeeping(journal))
    for number, batch in enumerate(batches):
        points.refuses = disk.get(str(number))
        await answered(path, batch, points)
        if points.refuses is not None:
            points.refuses = None
            points.answers_again.set()
            while not journal.healthy:
                await asyncio.sleep(0.005)
    keeping.cancel()
    await journal.close()
    store.close()


async def housekeeping(journal):
    """As a worker's, only more often."""
    while True:
        await asyncio.sleep(0.01)
        journal.give_up_waiting()
        if not journal.healthy:
            journal.probe()


async def answered(path, batch, points):
    """Make all calls of a batch at once; return when each is answered."""
    finished = asyncio.Event()
    left = len(batch)

    def respond(raw, answer):
        nonlocal left
        points.reach()
        body = json.loads(answer.body) if answer.body else {}
        points.tell(answered=raw.request_id, status=answer.status, body=body)
        points.reach()
        left -= 1
        if not left:
            finished.set()

    for call in batch:
        raw = request_of(call)
        path.handle(raw, lambda answer, raw=raw: respond(raw, answer))
    await finished.wait()


def child(life, pipe):
    points = WritePoints(life["kill_at"], pipe)
    journal_module.FILE_BYTES_MAX = BYTES_PER_FILE
    if life["disk"]:
        journal_module.WAIT_SECONDS_MAX = 0.2
    asyncio.run(live(Path(life["data"]), life["batches"], points, life["disk"]))
    points.tell(points=points.count)


def lose_unsynced(synced, audit, part):
    """Take from the journal what a power cut would, but for a part of it."""
    for file in sorted(audit.glob("w0/*.jsonl")):
        safe, size = synced.get(str(file), 0), file.stat().st_size
        if str(file) in synced or file == sorted(audit.glob("w0/*.jsonl"))[-1]:
            os.truncate(file, safe + int(part * max(0, size - safe)))


def observe(life):
    """Live a life; return what was seen from outside."""
    synced = {
        str(file): file.stat().st_size for file in Path(life["data"]).glob("audit/w0/*.jsonl")
    }
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ours)
        try:
            child(life, theirs)
        except BaseException as problem:
            import traceback

            traceback.print_exc()
            os.write(theirs, json.dumps({"failed": repr(problem)}).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as reading:
        said = [json.loads(line) for line in reading if line.endswith("\n")]
    _, status = os.waitpid(pid, 0)
    for one in said:
        if "synced" in one:
            synced[one["synced"]] = one["size"]
    if life["cut"] is not None and os.WIFSIGNALED(status):
        lose_unsynced(synced, Path(life["data"]) / "audit", life["cut"])
    return {
        "killed": os.WIFSIGNALED(status),
        "points": next((one["points"] for one in said if "points" in one), None),
        "failed": next((one["failed"] for one in said if "failed" in one), None),
        "answers": [one for one in said if "answered" in one],
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(observe(json.loads(line))), flush=True)
