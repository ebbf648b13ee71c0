"""The processes of PKCS#11 tokens, seen from the supervisor: started if settings name any, kept.

Nobody waits for them at the start: a token that is away is a failure of its own keys alone.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kagimori.deployment.token_checks import read_trust_anchor
from kagimori.hsm.clusters import Cluster
from kagimori.hsm.token_process import TokenProcess
from kagimori.machinery.logs import Log
from kagimori.server.keeping import Restarts
from kagimori.settings import Token
from kagimori_boundary.token_options import TokenOptions


class TokenChild(NamedTuple):
    """The options of a token's process, and the environment of its library."""

    options: TokenOptions
    environment: dict[str, str]


def token_children(tokens: Mapping[str, Token], hsm_socket: Path) -> tuple[TokenChild, ...]:
    """Return the processes that the settings ask for; their sockets lie beside the HSM's."""
    return tuple(
        TokenChild(
            TokenOptions(
                name=name,
                # No longer than the HSM's own, which just fits.
                socket_path=str(hsm_socket.with_name(f"t{place}.sock")),
                module=token.module or "",
                pin_file=token.pin_file or "",
                label=token.label,
                serial=token.serial,
                reads_and_writes=token.paths,
                network=token.network,
                operation_seconds=token.operation_seconds,
            ),
            token.environment,
        )
        for place, (name, token) in enumerate(tokens.items())
    )


def clusters_of(tokens: Mapping[str, Token], children: tuple[TokenChild, ...]) -> list[Cluster]:
    """Return the clusters that tokens stand for.

    Raises:
        Unusable: a trust anchor cannot be read.
    """
    return [
        Cluster(
            cluster_id=token.cluster_id,
            trust_anchor=read_trust_anchor(f"tokens.{name}.trust_anchor", token.trust_anchor),
            socket_path=child.options.socket_path,
            operation_seconds=child.options.operation_seconds,
        )
        for (name, token), child in zip(tokens.items(), children, strict=True)
        if token.cluster_id is not None and token.trust_anchor is not None
    ]


class TokenProcesses:
    """The processes that run now, by the name of their token."""

    def __init__(self, children: tuple[TokenChild, ...], restarts: Restarts) -> None:
        self._children = {child.options.name: child for child in children}
        self._restarts = restarts
        self._processes: dict[str, TokenProcess] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Return the ids of the processes."""
        return {f"token-{name}": one.process.pid for name, one in self._processes.items()}

    def start(self) -> None:
        """Start all of them."""
        for name in self._children:
            self._start(name)

    async def keep(self) -> None:
        """Start each again whenever it has ended, until stopping."""
        await asyncio.gather(*(self._keep(name) for name in self._children))

    def end(self) -> None:
        """Have all of them end; blocks."""
        for process in self._processes.values():
            process.end()

    async def _keep(self, name: str) -> None:
        async def ended() -> None:
            await asyncio.to_thread(self._processes[name].process.wait)
            if not self._restarts.stopping.is_set():
                Log().error("trouble", part="token", token=name, why="its process has ended")

        async def start() -> None:
            if not self._restarts.stopping.is_set():
                await asyncio.to_thread(self._processes[name].end)
                with contextlib.suppress(OSError):
                    self._start(name)

        await self._restarts.keep("token", ended, start)

    def _start(self, name: str) -> None:
        child = self._children[name]
        self._processes[name] = TokenProcess(child.options, child.environment)
