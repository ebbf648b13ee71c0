"""The supervisor: starts the HSM and the workers, keeps them running, and stops them in order.

It serves no request of the API and holds no key: the seal key goes to the HSM as an open file.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable, write_private
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.logs import Log
from kagimori.server.admin import AdminPages
from kagimori.server.adoption import Adoption
from kagimori.server.followers import Followers
from kagimori.server.hsm_child import HsmChild
from kagimori.server.keeping import Restarts
from kagimori.server.membership import Membership
from kagimori.server.opening import opener_options
from kagimori.server.serve_options import ServeOptions
from kagimori.server.tokens import TokenProcesses
from kagimori.server.worker_child import snapshots_of
from kagimori.server.workers import Workers

THREADS_BESIDE_CHILDREN: Final = 16
HOUR_SECONDS: Final = 3600
ADOPT_SECONDS: Final = 0.5  # between looks whether domain keys were rotated


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
        self._layout, self._options = layout, options
        self._admin = admin
        self._on_ready = on_ready
        self._restarts = Restarts(on_started=self._write_running)
        self._hsm = HsmChild(
            layout,
            facts,
            hsm_socket,
            silent_seconds=options.settings.hsm.silent_seconds,
            refusal_seconds=round(options.settings.approvals.refusal_hours * HOUR_SECONDS),
            dev=options.dev_hsm,
            opener=opener_options(options.settings, hsm_socket),
            accepts_rollback=options.accepts_rollback,
        )
        self._followers = Followers(layout, options, self._restarts, self._hsm, lock=lock)
        self._tokens = TokenProcesses(options.token_children, self._restarts)
        self._workers = Workers(
            layout.data,
            options,
            self._restarts,
            self._hsm,
            listener=listener,
            lock=lock,
        )

    async def run(self) -> str | None:
        """Serve until a signal to stop; return the reason if serving failed."""
        loop = asyncio.get_running_loop()
        # Each child is waited for on a thread, twice while it is ended; none may keep the others
        # from theirs, however few processors there are.
        children = len(self._options.registered.workers) + len(self._options.token_children)
        threads = THREADS_BESIDE_CHILDREN + 2 * children
        loop.set_default_executor(ThreadPoolExecutor(threads))
        stopping = self._restarts.stopping
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        try:
            await asyncio.to_thread(self._hsm.start)
        except (HsmRefused, Unusable) as refused:
            return str(refused)
        self._tokens.start()
        await self._followers.start()
        failure = await self._workers.start()
        if failure is not None:
            self._followers.close()
            self._tokens.end()
            self._hsm.end()
            return failure
        keep_hsm = self._restarts.keep("hsm", self._hsm.ended, self._restart_hsm)
        watches = [loop.create_task(keep_hsm), loop.create_task(self._workers.keep())]
        watches.append(loop.create_task(self._keep_domains_adopted()))
        watches.append(loop.create_task(self._tokens.keep()))
        pages = AdminPages(
            endpoint_url=self._options.url,
            regions=self._hsm.facts.regions,
            workers=self._workers.children,
            restarts=self._restarts.counts,
            trail_report=self._followers.report,
            hsm_sandbox=lambda: self._hsm.sandbox,
            ask_hsm=self._hsm.ask,
        )
        front = await pages.serve(self._admin)
        self._write_running()
        await self._followers.begin()
        watches.append(loop.create_task(self._followers.keep()))
        self._on_ready()
        await self._log_missing_sandboxes()
        await stopping.wait()
        failure = await self._stop(watches)
        await front.drain(1.0)
        self._layout.running.unlink(missing_ok=True)
        return failure

    async def _restart_hsm(self) -> None:
        self._hsm.let_go()
        with contextlib.suppress(HsmRefused, Unusable, OSError):
            await asyncio.to_thread(self._hsm.start)
            await asyncio.to_thread(self._followers.admit)

    async def _keep_domains_adopted(self) -> None:
        """Have the HSM use the domain keys that are kept, soon after each rotation."""
        adoption = Adoption(self._layout, self._hsm.ask)
        membership = Membership(self._layout, self._options.registered.node)
        while not self._restarts.stopping.is_set():
            await asyncio.to_thread(self._hsm.keep_opener)
            if self._hsm.is_sealed:
                await self._look_whether_open()
            else:
                await asyncio.to_thread(adoption.adopt, self._hsm.pid)
            if await asyncio.to_thread(membership.is_removed):
                Log().error("trouble", part="node", why="this node was removed: it stops")
                self._restarts.stopping.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_SECONDS):
                    await self._restarts.stopping.wait()
        adoption.close()
        membership.close()

    async def _look_whether_open(self) -> None:
        """Go on once custodians have opened the domains.

        Workers of a sealed server believe the store as to who the operators are; those that were
        misled are started again.
        """
        believed = self._hsm.facts.operator_account_id
        with contextlib.suppress(HsmRefused, Unusable, OSError):
            if await asyncio.to_thread(self._hsm.look):
                await asyncio.to_thread(self._followers.admit)
                if self._hsm.facts.operator_account_id != believed:
                    self._workers.drain()

    async def _stop(self, watches: list[asyncio.Task[None]]) -> str | None:
        """Drain the workers, then end the HSM they use; return why not, if one did not stop."""
        failure = await self._workers.stop()
        # What the workers recorded to the last is signed by the HSM before it ends.
        await self._followers.finish()
        await asyncio.to_thread(self._tokens.end)
        await asyncio.to_thread(self._hsm.end)
        await asyncio.gather(*watches, return_exceptions=True)
        return failure

    async def _log_missing_sandboxes(self) -> None:
        """Say once in the log what this platform does not keep from a process taken over."""
        if not self._hsm.sandbox:
            Log().error("trouble", part="sandbox", why="the HSM may open files and sockets here")
        snapshots = await snapshots_of(self._workers.children.values())
        if not all(snapshot["confined"] for snapshot in snapshots):
            Log().error("trouble", part="sandbox", why="workers can read the seal key here")

    def _write_running(self) -> None:
        """Write the file by which the running server is found."""
        host, port = self._admin.getsockname()[:2]
        workers = self._workers.children.items()
        running: dict[str, Any] = {
            "endpoint_url": self._options.url,
            "regions": list(self._hsm.facts.regions),
            "admin_url": f"http://{host}:{port}",
            "node": self._options.registered.node,
            "pid": os.getpid(),
            "hsm_socket": str(self._hsm.socket_path),
            "processes": {
                "hsm": self._hsm.pid,
                "trail": self._followers.pid,
                **self._tokens.pids,
                **{name: worker.process.pid for name, worker in workers},
            },
        }
        write_private(self._layout.running, json.dumps(running).encode())
