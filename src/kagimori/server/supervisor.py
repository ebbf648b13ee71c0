"""The supervisor: starts the HSM and the workers, keeps them running, and stops them in order.

It serves no request of the API and holds no key: the seal key goes to the HSM as an open file.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kagimori.deployment.audit_key import audit_key
from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable, write_private
from kagimori.deployment.opened import read_facts
from kagimori.deployment.sealed_operators import with_sealed_operators
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.hsm.watch import until_it_hangs
from kagimori.machinery.logs import Log
from kagimori.server.admin import AdminPages
from kagimori.server.adoption import Adoption
from kagimori.server.heartbeat import until_silent
from kagimori.server.trail_child import TrailChild, TrailReport
from kagimori.server.worker_child import ANSWER_SECONDS_MAX, WorkerChild, snapshots_of
from kagimori.server.worker_config import WebIdentityKeys, WorkerConfig
from kagimori.settings import Settings
from kagimori.trail.options import TrailConfig, signs
from kagimori.trail.streams import Registered
from kagimori_boundary.commands import AdmitFollower, Command
from kagimori_boundary.replies import Reply

STOP_SECONDS: Final = 10.0  # for a worker to end once it has drained
RESTART_SECONDS_MAX: Final = 5.0
ADOPT_SECONDS: Final = 0.5  # between looks whether domain keys were rotated


class ServeOptions(Struct, frozen=True):
    """Options of a server whose sockets are bound already.

    `worker_module` is what a worker is started as; `dev_hsm` makes the HSM one for tests.
    """

    url: str
    registered: Registered
    settings: Settings
    certificate: str | None = None
    private_key: str | None = None
    trust_roots: tuple[str, ...] = ()
    web_identity: WebIdentityKeys = WebIdentityKeys()
    worker_module: str = "kagimori"
    dev_hsm: bool = False


class Supervisor:
    """Runs one server."""

    def __init__(
        self,
        layout: Layout,
        facts: Facts,
        options: ServeOptions,
        *,
        listener: socket.socket,
        admin: socket.socket,
        lock: int,
        hsm_socket: Path,
        on_ready: Callable[[], None],
    ) -> None:
        self._layout, self._facts, self._options = layout, facts, options
        self._listener, self._admin, self._lock = listener, admin, lock
        self._hsm_socket = hsm_socket
        self._on_ready = on_ready
        self._workers: dict[str, WorkerChild] = {}
        self._names = tuple(options.registered.workers)
        self._restarts = {"hsm": 0, "trail": 0, "worker": 0}
        self._stopping = asyncio.Event()
        self._failure: str | None = None
        self._hsm_asked = threading.Lock()

    async def run(self) -> str | None:
        """Serve until a signal to stop; return the reason if serving failed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            self._hsm = await asyncio.to_thread(self._start_hsm)
        except (HsmRefused, Unusable) as refused:
            return str(refused)
        await self._spawn_trail()
        if not all(await asyncio.gather(*(self._start_worker(name) for name in self._names))):
            self._trail.close()
            self._end_hsm()
            reasons = [worker.refused for worker in self._workers.values() if worker.refused]
            reasons.append("a worker did not start; its reason stands above")
            return reasons[0]
        watches = [loop.create_task(self._keep_hsm())]
        watches.append(loop.create_task(self._keep_domains_adopted()))
        watches += [loop.create_task(self._keep_worker(name)) for name in self._names]
        pages = AdminPages(
            endpoint_url=self._options.url,
            regions=self._facts.regions,
            workers=self._workers,
            restarts=self._restarts,
            trail_report=self._trail_report,
            hsm_sandbox=self._hsm_sandbox,
        )
        front = await pages.serve(self._admin)
        self._write_running()
        await self._trail.begin()
        watches.append(loop.create_task(self._keep_trail()))
        self._on_ready()
        await self._log_missing_sandboxes()
        await self._stopping.wait()
        await self._stop(watches)
        await front.drain(1.0)
        self._layout.running.unlink(missing_ok=True)
        return self._failure

    async def _log_missing_sandboxes(self) -> None:
        """Say once in the log what this platform does not keep from a process taken over."""
        if not self._hsm.sandbox:
            Log().error("trouble", part="sandbox", why="the HSM may open files and sockets here")
        if not all(snapshot["confined"] for snapshot in await snapshots_of(self._workers.values())):
            Log().error("trouble", part="sandbox", why="workers can read the seal key here")

    # --- the HSM ------------------------------------------------------------------------------

    def _start_hsm(self) -> HsmProcess:
        hsm = HsmProcess(
            self._hsm_socket,
            self._layout.seal_key,
            journal_file=self._layout.hsm_journal,
            dev=self._options.dev_hsm,
        )
        try:
            facts = read_facts(self._layout)  # the newest: domain keys rotate
            hsm.unseal(facts.sealed_domains)
            self._facts = with_sealed_operators(self._layout, facts, hsm)
        except (HsmRefused, Unusable) as problem:
            hsm.end()
            raise HsmRefused(str(problem)) from None
        return hsm

    async def _keep_domains_adopted(self) -> None:
        """Have the HSM use the domain keys that are kept, soon after each rotation."""
        adoption = Adoption(self._layout, self._ask_hsm)
        while not self._stopping.is_set():
            await asyncio.to_thread(adoption.adopt, self._hsm.process.pid)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_SECONDS):
                    await self._stopping.wait()
        adoption.close()

    async def _keep_hsm(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._hsm_to_end()
            if self._stopping.is_set():
                return
            self._restarts["hsm"] += 1
            pause = _next_pause(pause, time.monotonic() - began)
            await asyncio.sleep(pause)
            self._hsm.end()
            with contextlib.suppress(HsmRefused, Unusable, OSError):
                self._hsm = await asyncio.to_thread(self._start_hsm)
                await asyncio.to_thread(self._admit_trail)
            self._write_running()

    async def _hsm_to_end(self) -> None:
        """Return once the HSM's process has ended; end it if it hangs."""
        hanging = asyncio.create_task(
            until_it_hangs(
                self._hsm_socket, answer_seconds_max=self._options.settings.hsm.silent_seconds
            )
        )
        ended = asyncio.create_task(asyncio.to_thread(self._hsm.process.wait))
        await asyncio.wait((hanging, ended), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            Log().error("trouble", part="hsm", why="it does not answer, and is ended")
            self._hsm.process.kill()
        hanging.cancel()
        await ended

    def _end_hsm(self) -> None:
        self._hsm.end()
        self._hsm_socket.unlink(missing_ok=True)

    # --- workers ------------------------------------------------------------------------------

    async def _start_worker(self, name: str) -> bool:
        options, registered = self._options, self._options.registered
        config = WorkerConfig(
            data=str(self._layout.data),
            stream=registered.workers[name],
            streams=tuple(registered.workers.values()),
            hsm_socket=str(self._hsm_socket),
            listen_fd=-1,
            control_fd=-1,
            regions=self._facts.regions,
            settings=options.settings,
            certificate=options.certificate,
            private_key=options.private_key,
            trust_roots=options.trust_roots,
            web_identity=options.web_identity,
            timer=name == self._names[0],  # one worker of a node does what time asks for
            created_at=self._facts.created_at,
            closed_streams=tuple(name for name, closed in registered.known.items() if closed),
            operator_account_id=self._facts.operator_account_id,
        )
        worker = self._workers[name] = WorkerChild(
            options.worker_module, config, self._listener, self._lock
        )
        return await worker.wait_ready()

    async def _keep_worker(self, name: str) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            worker = self._workers[name]
            watch = asyncio.create_task(self._end_if_silent(name, worker))
            await asyncio.to_thread(worker.process.wait)
            watch.cancel()
            if self._stopping.is_set():
                return
            self._restarts["worker"] += 1
            pause = _next_pause(pause, time.monotonic() - began)
            await asyncio.sleep(pause)
            if self._stopping.is_set():
                return
            with contextlib.suppress(OSError):
                await self._start_worker(name)
            self._write_running()

    async def _end_if_silent(self, name: str, worker: WorkerChild) -> None:
        """End a worker whose loop stands still; while it drains, it need not answer."""
        silent_seconds = self._options.settings.serve.silent_seconds
        await until_silent(worker.is_alive, silent_seconds, answer_seconds=ANSWER_SECONDS_MAX)
        if not self._stopping.is_set():
            Log().error("trouble", part="worker", worker=name, why="it stands still, and is ended")
            worker.process.kill()

    async def _stop(self, watches: list[asyncio.Task[None]]) -> None:
        """Drain the workers, then end the HSM they use."""
        for worker in self._workers.values():
            worker.drain()
        processes = [worker.process for worker in self._workers.values()]
        seconds = self._options.settings.serve.drain_seconds + STOP_SECONDS
        ends = [asyncio.to_thread(process.wait, seconds) for process in processes]
        for process, end in zip(
            processes, await asyncio.gather(*ends, return_exceptions=True), strict=True
        ):
            if isinstance(end, BaseException):
                process.kill()
                self._failure = "a worker did not stop in time"
        # What the workers recorded to the last is signed by the HSM before it ends.
        await self._trail.finish()
        await asyncio.to_thread(self._end_hsm)
        await asyncio.gather(*watches, return_exceptions=True)

    # --- the audit trail ----------------------------------------------------------------------

    async def _spawn_trail(self) -> None:
        """Start the followers' process, and admit it to the HSM."""
        audit = self._options.settings.audit
        self._layout.audit.mkdir(mode=0o700, exist_ok=True)
        if signs(audit):
            try:
                await asyncio.to_thread(audit_key, self._layout, self._ask_hsm)
            except (HsmRefused, Unusable, OSError) as problem:
                Log().error("trouble", part="audit", why=str(problem))
        config = TrailConfig(
            data=str(self._layout.data),
            hsm_socket=str(self._hsm_socket),
            control_fd=-1,
            streams=self._options.registered.known,
            options=audit,
        )
        self._trail = TrailChild(config, self._lock)
        await asyncio.to_thread(self._admit_trail)

    def _admit_trail(self) -> None:
        """Admit the followers' process to the HSM: it may have digests signed."""
        with contextlib.suppress(HsmRefused, OSError):  # a new HSM is asked again
            self._ask_hsm(AdmitFollower(self._trail.process.pid))

    async def _keep_trail(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            await asyncio.to_thread(self._trail.process.wait)
            if self._stopping.is_set():
                return
            Log().error("trouble", part="trail", why="the followers' process has ended")
            self._restarts["trail"] += 1
            pause = _next_pause(pause, time.monotonic() - began)
            await asyncio.sleep(pause)
            if self._stopping.is_set():
                return
            self._trail.close()
            await self._spawn_trail()
            await self._trail.begin()
            self._write_running()

    def _hsm_sandbox(self) -> tuple[str, ...]:
        return tuple(self._hsm.sandbox)  # of the HSM that runs now

    def _trail_report(self) -> TrailReport:
        return self._trail.report()  # of the process that follows now

    def _ask_hsm(self, command: Command) -> Reply:
        with self._hsm_asked:  # a conversation of one question at a time
            return self._hsm.ask(command)

    def _write_running(self) -> None:
        host, port = self._admin.getsockname()[:2]
        running: dict[str, Any] = {
            "endpoint_url": self._options.url,
            "admin_url": f"http://{host}:{port}",
            "node": self._options.registered.node,
            "pid": os.getpid(),
            "processes": {
                "hsm": self._hsm.process.pid,
                "trail": self._trail.process.pid,
                **{name: worker.process.pid for name, worker in self._workers.items()},
            },
        }
        write_private(self._layout.running, json.dumps(running).encode())


def _next_pause(pause: float, lived_seconds: float) -> float:
    """Seconds to wait before starting again: none after a good life, more after each bad one."""
    if lived_seconds > RESTART_SECONDS_MAX:
        return 0.0
    return min(RESTART_SECONDS_MAX, max(0.05, pause * 2))
