"""The followers of the journals, seen from the supervisor: started, admitted to the HSM, kept."""

import asyncio
import contextlib

from kagimori.deployment.audit_key import audit_key
from kagimori.deployment.folder import Layout, Unusable
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.logs import Log
from kagimori.server.hsm_child import HsmChild
from kagimori.server.keeping import Restarts
from kagimori.server.serve_options import ServeOptions
from kagimori.server.trail_child import TrailChild, TrailReport
from kagimori.trail.options import TrailConfig, signs
from kagimori_boundary.commands import AdmitFollower


class Followers:
    """The process that follows now."""

    def __init__(
        self, layout: Layout, options: ServeOptions, restarts: Restarts, hsm: HsmChild, *, lock: int
    ) -> None:
        self._layout, self._options = layout, options
        self._restarts, self._hsm = restarts, hsm
        self._lock = lock

    @property
    def pid(self) -> int:
        return self._trail.process.pid

    async def start(self) -> None:
        """Start the process and admit it to the HSM; it follows once it is asked to begin."""
        audit = self._options.settings.audit
        self._layout.audit.mkdir(mode=0o700, exist_ok=True)
        if signs(audit):
            try:
                await asyncio.to_thread(audit_key, self._layout, self._hsm.ask)
            except (HsmRefused, Unusable, OSError) as problem:
                Log().error("trouble", part="audit", why=str(problem))
        config = TrailConfig(
            data=str(self._layout.data),
            hsm_socket=str(self._hsm.socket_path),
            control_fd=-1,
            streams=self._options.registered.known,
            options=audit,
            node=self._options.registered.node,
            is_shared=self._layout.is_shared,
        )
        self._trail = TrailChild(config, inherits=(self._lock,))
        await asyncio.to_thread(self.admit)

    def admit(self) -> None:
        """Admit the process to the HSM, to have digests signed; blocks."""
        with contextlib.suppress(HsmRefused, OSError):  # a new HSM is asked again
            self._hsm.ask(AdmitFollower(self.pid))

    async def begin(self) -> None:
        """Have it follow."""
        await self._trail.begin()

    async def keep(self) -> None:
        """Start the process again whenever it has ended, until stopping."""
        await self._restarts.keep("trail", self._ended, self._start_again)

    def report(self) -> TrailReport:
        """Return how the followers are doing."""
        return self._trail.report()

    async def finish(self) -> None:
        """Have it take in the rest and sign it, then end."""
        await self._trail.finish()

    def close(self) -> None:
        """Let go of the conversation; the process ends with it."""
        self._trail.close()

    async def _ended(self) -> None:
        await self._trail.ended()
        if not self._restarts.stopping.is_set():
            Log().error("trouble", part="trail", why="the followers' process has ended")

    async def _start_again(self) -> None:
        if self._restarts.stopping.is_set():
            return
        self._trail.close()
        await self.start()
        await self._trail.begin()
