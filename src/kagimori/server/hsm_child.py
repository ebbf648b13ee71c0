"""The HSM's process, seen from the supervisor: started, unsealed, asked, watched and ended.

The seal key goes to it as an open file; nothing here reads it.
"""

import asyncio
import threading
from pathlib import Path

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import read_facts
from kagimori.deployment.sealed_operators import with_sealed_operators
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.hsm.watch import until_it_hangs
from kagimori.machinery.logs import Log
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Reply


class HsmChild:
    """The HSM that runs now. `facts` are the deployment's, as far as the HSM confirmed them."""

    def __init__(
        self,
        layout: Layout,
        facts: Facts,
        socket_path: Path,
        *,
        silent_seconds: float,
        refusal_seconds: int,
        dev: bool,
    ) -> None:
        self._layout, self.facts = layout, facts
        self.socket_path = socket_path
        self._silent_seconds = silent_seconds
        self._refusal_seconds = refusal_seconds
        self._dev = dev
        self._asking = threading.Lock()

    def start(self) -> None:
        """Start a process and make it operational; blocks.

        Raises:
            HsmRefused: it does not become operational, and has ended.
        """
        hsm = HsmProcess(
            self.socket_path,
            self._layout.seal_key,
            journal_file=self._layout.hsm_journal,
            refusal_seconds=self._refusal_seconds,
            dev=self._dev,
        )
        try:
            facts = read_facts(self._layout)  # the newest: domain keys rotate
            hsm.unseal(facts.sealed_domains)
            self.facts = with_sealed_operators(self._layout, facts, hsm)
        except (HsmRefused, Unusable) as problem:
            hsm.end()
            raise HsmRefused(str(problem)) from None
        self._hsm = hsm

    @property
    def pid(self) -> int:
        return self._hsm.process.pid

    @property
    def sandbox(self) -> tuple[str, ...]:
        return tuple(self._hsm.sandbox)

    def ask(self, command: Command) -> Reply:
        """Return the reply to an operator's command; blocks.

        Raises:
            HsmRefused: it failed, or the HSM is gone.
        """
        with self._asking:  # a conversation of one question at a time
            return self._hsm.ask(command)

    async def ended(self) -> None:
        """Return once the process has ended; end it if it hangs."""
        hanging = asyncio.create_task(
            until_it_hangs(self.socket_path, answer_seconds_max=self._silent_seconds)
        )
        ended = asyncio.create_task(asyncio.to_thread(self._hsm.process.wait))
        await asyncio.wait((hanging, ended), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            Log().error("trouble", part="hsm", why="it does not answer, and is ended")
            self._hsm.process.kill()
        hanging.cancel()
        await ended

    def let_go(self) -> None:
        """Close the conversation with a process that has ended."""
        self._hsm.end()

    def end(self) -> None:
        """Have the process end; blocks."""
        self._hsm.end()
        self.socket_path.unlink(missing_ok=True)
