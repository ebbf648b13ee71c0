"""Walk one warm request through a worker, call by call: `python bench/walk.py [OPERATION] [JSON]`.

    python bench/walk.py                       a warm Encrypt: the figures, and its way
    python bench/walk.py Decrypt --figures     the figures alone, memory among them
    python bench/walk.py ListUsers --service iam
    python bench/walk.py EnableKey '{"KeyId": "KEY"}'

The parts are the worker's own, in one process: connection, path, store, journal, HSM client; behind
the client answers the module itself, which is not counted, since it is a process of its own. A
profile hook tells each call of ours in its order, and counts the calls of C functions from ours. A
move is a call in another room (the folders of `src/kagimori`) than the call before. The memory of a
request is what it adds to the process at most while it is answered, the HSM's part included.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from signing import Signer

from kagimori.entities.identity_tables import USERS
from kagimori.entities.tables import ACCESS_KEYS, ACCOUNTS, TABLES
from kagimori.front.wire import Wire
from kagimori.gate.asked import Settings
from kagimori.gate.quota import quotas_of
from kagimori.gate.who import Who
from kagimori.hsm.client import HsmClient
from kagimori.hsm.holders import Holders
from kagimori.http.front import Front
from kagimori.machinery.chance import uuids
from kagimori.machinery.clock import Clock
from kagimori.machinery.quota_counts import QuotaCounts, make_counts
from kagimori.machinery.store.change_signal import ChangeSignal
from kagimori.machinery.store.worker_store import WorkerStore
from kagimori.machinery.telemetry import Telemetry
from kagimori.operations.registry import OPERATIONS
from kagimori.path import Path as RequestPath
from kagimori.ports import Put
from kagimori.rules.authorization.denial import Denials
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.identity.user import User
from kagimori.rules.keys.usage_record import Usages
from kagimori.rules.quotas.profile import OPEN
from kagimori.server.doors import Doors
from kagimori.settings import FrontLimits
from kagimori.trail.archive import AuditArchive
from kagimori.trail.journal import Journal
from kagimori_boundary.commands import IDENTITY_DOMAIN, CreateDomains, CreateSecret, Role
from kagimori_boundary.frames import FrameCutter, decode_command, frame_of
from kagimori_boundary.replies import NewSecret
from kagimori_hsm.module import Module

SOURCES = Path(__file__).resolve().parents[1] / "src"
ACCOUNT, REGION, KEY_ID = "111122223333", "us-east-1", "AKIAIOSFODNN7EXAMPLE"
USER_ID = "AIDACKCEVSQ6C2EXAMPLE"
SERVICES = ("kms", "iam", "sts", "cloudtrail")
ROUNDS_BEFORE, ROUNDS = 3, 3
ALLOWING = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'


class Step(NamedTuple):
    """One call of ours."""

    room: str
    file: str
    function: str


class Walk:
    """The calls of one request, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.c_calls = 0
        self.peak_bytes = 0
        self._known: dict[str, tuple[str, str] | None] = {}

    @contextmanager
    def taken(self) -> Iterator[None]:
        sys.setprofile(self._hook)
        try:
            yield
        finally:
            sys.setprofile(None)

    @contextmanager
    def weighed(self) -> Iterator[None]:
        """Note the most memory that was added meanwhile, in place of the calls."""
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        try:
            yield
        finally:
            self.peak_bytes = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()

    def _hook(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "c_call"):
            return
        code = frame.f_code
        if code.co_filename not in self._known:
            self._known[code.co_filename] = _place(code.co_filename)
        place = self._known[code.co_filename]
        if place is None:
            return
        if event == "call":
            self.steps.append(Step(*place, code.co_qualname))
        else:
            self.c_calls += 1

    @property
    def calls(self) -> int:
        return len(self.steps)

    @property
    def files(self) -> int:
        return len({step.file for step in self.steps})

    @property
    def moves(self) -> int:
        return sum(
            one.room != next_.room for one, next_ in zip(self.steps, self.steps[1:], strict=False)
        )

    def way(self) -> Iterator[str]:
        """Yield a line for each call; an empty one where the walk enters another room."""
        room = ""
        for step in self.steps:
            if step.room != room:
                room = step.room
                yield f"\n{room}"
            yield f"    {step.file:48} {step.function}"


def _place(filename: str) -> tuple[str, str] | None:
    """Return the room and the file of a source of ours; None for everything else."""
    path = Path(filename)
    if not path.is_relative_to(SOURCES):
        return None
    package, *inner = path.relative_to(SOURCES).parts
    if package == "kagimori":
        room = inner[0].removesuffix(".py")
        return (room, "/".join(inner))
    return (package, f"{package}/{'/'.join(inner)}") if package == "kagimori_boundary" else None


class Behind(asyncio.Transport):
    """What the HSM client writes to: the module answers, unwatched, in a later turn of the loop."""

    def __init__(self, module: Module, client: HsmClient, walk: list[Walk]) -> None:
        super().__init__()
        self._module, self._client, self._cutter = module, client, FrameCutter()
        self._watching = walk

    def write(self, data: bytes | bytearray | memoryview) -> None:
        hook = sys.getprofile()
        sys.setprofile(None)
        answers = b"".join(
            frame_of(number, self._module.perform(Role.WORKER, decode_command(body)))
            for number, body in self._cutter.feed(bytes(data))
        )
        asyncio.get_running_loop().call_soon(self._client.data_received, answers)
        sys.setprofile(hook)


class Peer(asyncio.Transport):
    """What the connection writes its answers to."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 40_000) if name == "peername" else default

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.answered.set_result(bytes(data))


class World:
    """A worker's parts over an empty deployment, one user, and one KMS key."""

    def __init__(self, data: Path) -> None:
        module = Module(bytes(32), memory_locked=False)
        module.self_test()
        module.perform(Role.OPERATOR, CreateDomains([IDENTITY_DOMAIN, REGION]))
        secret = module.perform(Role.OPERATOR, CreateSecret(ACCOUNT, KEY_ID, USER_ID))
        if not isinstance(secret, NewSecret):
            raise TypeError(secret)
        self._secret = secret
        self.signer = Signer("http://localhost", KEY_ID, secret.secret_access_key, REGION)
        hsm = HsmClient("")
        hsm.connection_made(Behind(module, hsm, []))
        holders = Holders(hsm)
        self.store = WorkerStore(
            data / "kagimori.db",
            ChangeSignal(data / "changes"),
            stream="w0",
            tables=tuple(TABLES.values()),
        )
        telemetry = Telemetry(services=SERVICES)
        self.journal = Journal(data / "audit" / "w0", on_synced=telemetry.synced)
        self.store.journal_sequence = lambda: self.journal.end.sequence
        draw, clock = uuids(), Clock()
        make_counts(data / "quotas", 1)
        path = RequestPath(
            wire=Wire(SERVICES),
            who=Who(self.store.view, holders, frozenset((REGION,)), is_first=lambda *_: True),
            operations=OPERATIONS,
            view=self.store.view,
            store=self.store,
            key_holder=holders,
            archive=AuditArchive(self.journal, self.store),
            now=clock.now,
            draw=draw,
            telemetry=telemetry,
            settings=Settings(regions=frozenset((REGION,)), home_region=REGION),
            usages=Usages(),
            denials=Denials("w0"),
            on_due=lambda _: None,
            quotas=quotas_of(OPEN, {}, self.store.view, QuotaCounts(data / "quotas", 0, 1)),
        )

        doors = Doors(path.handle, list)
        self._front = Front(
            doors.handle, FrontLimits(), new_request_id=draw, http_date=lambda: b"now"
        )

    async def populate(self) -> None:
        """Store the account, a user who may do everything, and the user's access key."""
        now = time.time()
        key = AccessKey(
            access_key_id=KEY_ID,
            account_id=ACCOUNT,
            sealed_secret=self._secret.sealed_secret,
            created_at=now,
            user_name="alice",
            holder=USER_ID,
        )
        user = User(
            account_id=ACCOUNT,
            name="alice",
            unique_id=USER_ID,
            created_at=now,
            inline_policies={"everything": ALLOWING},
        )
        account = Account(account_id=ACCOUNT, created_at=now)
        writes = (Put(ACCOUNTS, account), Put(USERS, user), Put(ACCESS_KEYS, key))
        await _settled(self.store.commit(writes, "event", b"{}"))

    async def answer(
        self, request: bytes, walk: Walk | None = None, *, weighs: bool = False
    ) -> bytes:
        """Return the answer to a request that arrives on a connection of its own.

        `walk` watches its calls, or weighs its memory.
        """
        peer = Peer()
        connection = self._front.connection(asyncio.get_running_loop())
        connection.connection_made(peer)
        if walk is None:
            connection.data_received(request)
            return await peer.answered
        with walk.weighed() if weighs else walk.taken():
            connection.data_received(request)
            return await peer.answered

    async def close(self) -> None:
        await self.journal.close()
        self.store.close()


async def _settled(pending: Any) -> Any:
    """Return what a pending of ours comes to, within an asyncio task."""
    done = asyncio.get_running_loop().create_future()
    pending.then(lambda: done.set_result(None))
    await done
    return pending.result()


def body_of(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode(errors="replace"))
    return body


async def members_for(world: World, operation: str, given: str | None) -> dict[str, Any]:
    """Return the members of a request: what was given, or what the operation needs at least."""
    made = json.loads(body_of(await world.answer(world.signer.kms("CreateKey"))))
    key_id = made["KeyMetadata"]["KeyId"]
    if given is not None:
        members: dict[str, Any] = json.loads(given.replace("KEY", key_id))
        return members
    context = {"tenant": "acme"}
    encrypt = {"KeyId": key_id, "Plaintext": "c2VjcmV0", "EncryptionContext": context}
    if operation in ("Decrypt", "ReEncrypt"):
        done = json.loads(body_of(await world.answer(world.signer.kms("Encrypt", **encrypt))))
        member = {"CiphertextBlob": done["CiphertextBlob"]}
        if operation == "Decrypt":
            return {**member, "EncryptionContext": context}
        return {**member, "SourceEncryptionContext": context, "DestinationKeyId": key_id}
    return {
        "Encrypt": encrypt,
        "GenerateDataKey": {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": context},
        "GenerateRandom": {"NumberOfBytes": 32},
        "CreateKey": {},
        "ListKeys": {},
        "ListAliases": {},
    }.get(operation, {"KeyId": key_id})


async def walked(operation: str, service: str = "kms", given: str | None = None) -> Walk:
    """Return the walk of one request, after the same has been asked a few times.

    Of some, the shortest: the first of a second has dates to read that the others find.
    """
    walks = [Walk() for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        world = World(Path(folder))
        await world.populate()
        if service == "kms":
            members = await members_for(world, operation, given)

            def request() -> bytes:
                return world.signer.kms(operation, **members)
        else:
            fields = json.loads(given or "{}")

            def request() -> bytes:
                return world.signer.query(service, operation, **fields)

        for _ in range(ROUNDS_BEFORE):
            body_of(await world.answer(request()))
        for walk in walks:
            body_of(await world.answer(request(), walk))
            body_of(await world.answer(request(), walk, weighs=True))
        await world.close()
    return min(walks, key=lambda walk: (walk.calls, walk.c_calls, walk.peak_bytes))


def main() -> None:
    parser = argparse.ArgumentParser(description="Walk one warm request, call by call.")
    parser.add_argument("operation", nargs="?", default="Encrypt")
    parser.add_argument("members", nargs="?", help="as JSON; KEY stands for a key that is made")
    parser.add_argument("--service", default="kms", choices=("kms", "iam", "sts"))
    parser.add_argument("--figures", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    walk = asyncio.run(walked(options.operation, options.service, options.members))
    print(
        f"{options.operation}: {walk.calls} calls, {walk.files} files, {walk.moves} moves; "
        f"{walk.c_calls} calls of C functions, {walk.peak_bytes} bytes"
    )
    if not options.figures:
        print("\n".join(walk.way()))


if __name__ == "__main__":
    main()
