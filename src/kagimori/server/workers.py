"""The workers of a server, seen from the supervisor: started, kept running, and drained."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kagimori.machinery.logs import Log
from kagimori.machinery.quota_counts import make_counts
from kagimori.server.heartbeat import until_silent
from kagimori.server.hsm_child import HsmChild
from kagimori.server.keeping import Restarts
from kagimori.server.serve_options import ServeOptions
from kagimori.server.worker_child import ANSWER_SECONDS_MAX, WorkerChild
from kagimori.server.worker_config import QUOTAS, NodeFacts, WorkerConfig

STOP_SECONDS: Final = 10.0  # for a worker to end once it has drained


class Workers:
    """The workers that run now, by their place in the node: `w0` and so on."""

    def __init__(
        self,
        data: Path,
        options: ServeOptions,
        restarts: Restarts,
        hsm: HsmChild,
        *,
        listener: socket.socket,
        lock: int,
    ) -> None:
        self._data, self._options = data, options
        self._restarts, self._hsm = restarts, hsm
        self._listener, self._lock = listener, lock
        self._names = tuple(options.registered.workers)
        self._children: dict[str, WorkerChild] = {}

    @property
    def children(self) -> Mapping[str, WorkerChild]:
        """Return the workers by name: a mapping that stays current."""
        return self._children

    async def start(self) -> str | None:
        """Start all of them; return the reason if one does not serve."""
        make_counts(self._data / "run" / QUOTAS, len(self._names))
        if all(await asyncio.gather(*(self._start(name) for name in self._names))):
            return None
        reasons = [worker.refused for worker in self._children.values() if worker.refused]
        return [*reasons, "a worker did not start; its reason stands above"][0]

    async def keep(self) -> None:
        """Start each worker again whenever it has ended, until stopping."""
        await asyncio.gather(*(self._keep(name) for name in self._names))

    def drain(self) -> None:
        """Have all of them end once they have answered; they are started again."""
        for worker in self._children.values():
            worker.drain()

    async def stop(self) -> str | None:
        """Drain all of them; return the reason if one did not end in time."""
        self.drain()
        seconds = self._options.settings.serve.drain_seconds + STOP_SECONDS
        ends = await asyncio.gather(*(one.end(seconds) for one in self._children.values()))
        return None if all(ends) else "a worker did not stop in time"

    async def _keep(self, name: str) -> None:
        await self._restarts.keep(
            "worker", lambda: self._ended(name), lambda: self._start_again(name)
        )

    async def _start_again(self, name: str) -> None:
        if not self._restarts.stopping.is_set():
            with contextlib.suppress(OSError):
                await self._start(name)

    async def _start(self, name: str) -> bool:
        options, registered = self._options, self._options.registered
        facts = self._hsm.facts
        config = WorkerConfig(
            data=str(self._data),
            stream=registered.workers[name],
            streams=tuple(registered.workers.values()),
            hsm_socket=str(self._hsm.socket_path),
            listen_fd=self._listener.fileno(),
            control_fd=-1,
            regions=facts.regions,
            settings=options.settings,
            certificate=options.certificate,
            private_key=options.private_key,
            trust_roots=options.trust_roots,
            key_store_roots=options.key_store_roots,
            web_identity=options.web_identity,
            clusters=options.clusters,
            timer=name == self._names[0],  # one worker of a node does what time asks for
            node=NodeFacts(registered.node, options.url, options.software),
            created_at=facts.created_at,
            closed_streams=tuple(name for name, closed in registered.known.items() if closed),
            operator_account_id=facts.operator_account_id,
        )
        inherits = (self._listener.fileno(), self._lock)
        worker = WorkerChild(options.worker_module, config, inherits=inherits)
        self._children[name] = worker
        return await worker.wait_ready(options.settings.serve.start_seconds)

    async def _ended(self, name: str) -> None:
        """Return once a worker has ended; end it if its loop stands still."""
        worker = self._children[name]
        watch = asyncio.create_task(self._end_if_silent(name, worker))
        await worker.ended()
        watch.cancel()

    async def _end_if_silent(self, name: str, worker: WorkerChild) -> None:
        silent_seconds = self._options.settings.serve.silent_seconds
        await until_silent(worker.is_alive, silent_seconds, answer_seconds=ANSWER_SECONDS_MAX)
        if not self._restarts.stopping.is_set():  # while it drains, it need not answer
            Log().error("trouble", part="worker", worker=name, why="it stands still, and is ended")
            worker.process.kill()
