"""The HSM's process, seen from the supervisor: started, unsealed, asked, watched and ended.

Seal keys go to it as open files; nothing here reads them. Where they and other roots that need
nobody do not open the domains, the HSM runs sealed until custodians do.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kagimori.deployment.facts import Facts
from kagimori.deployment.folder import Layout, Unusable, write_private
from kagimori.deployment.integrity import arm, settle_standing, standing_of
from kagimori.deployment.opened import opened, read_facts, seal_key_files
from kagimori.deployment.sealed_operators import with_sealed_operators
from kagimori.hsm.opener_process import OpenerProcess
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori.hsm.watch import until_it_hangs
from kagimori.machinery.logs import Log
from kagimori_boundary.commands import AdmitCustodians, Command
from kagimori_boundary.opener_options import OpenerOptions
from kagimori_boundary.replies import Reply

CUSTODIAN_KEY_BYTES: Final = 32
NO_OPENER: Final = OpenerOptions()
RETRY_SECONDS: Final = 5.0  # between trials of roots that could not be reached


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
        opener: OpenerOptions = NO_OPENER,
        accepts_rollback: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout, self.facts = layout, facts
        self.socket_path = socket_path
        self._silent_seconds = silent_seconds
        self._refusal_seconds = refusal_seconds
        self._dev = dev
        self._asking = threading.Lock()
        self._monotonic = monotonic
        self._not_before = 0.0
        self._opener_options = opener
        self._opener: OpenerProcess | None = None
        self.is_sealed = False
        # Once: a store that is put back while we serve is another matter.
        self._accepts_rollback = accepts_rollback
        self._had_witness = layout.witness.exists()

    def start(self) -> None:
        """Start a process, and make it operational if no person is needed for that; blocks.

        Raises:
            HsmRefused: it cannot become operational, and has ended.
        """
        try:
            facts = read_facts(self._layout)  # the newest: domain keys rotate
            files = seal_key_files(self._layout, facts.sealed_domains)
        except Unusable as problem:
            raise HsmRefused(str(problem)) from None
        self._end_opener()
        if self._opener_options.is_needed:
            self._opener = OpenerProcess(self._opener_options)
        hsm = HsmProcess(
            self.socket_path,
            files,
            opener_fd=None if self._opener is None else self._opener.hsm_fd,
            journal_file=self._layout.hsm_journal,
            refusal_seconds=self._refusal_seconds,
            dev=self._dev,
        )
        try:
            self._admit_custodians(hsm)
            is_open = hsm.unseal_or_wait(facts.sealed_domains)
            if is_open:
                self.facts = self._standing_facts(facts, hsm)
        except (HsmRefused, Unusable, OSError) as problem:
            hsm.end()
            raise HsmRefused(str(problem)) from None
        self._hsm, self.is_sealed = hsm, not is_open
        if self.is_sealed:
            Log().error("sealed", part="hsm", why="`kagimori unseal` opens it")

    def look(self) -> bool:
        """Return whether a sealed HSM was opened since the last look; blocks.

        Roots that need nobody are tried again from time to time: a token may be back.

        Raises:
            HsmRefused: it is gone.
            Unusable: the store cannot be used.
        """
        with self._asking:
            if not self._hsm.is_open_now():
                if self._monotonic() < self._not_before:
                    return False
                self._not_before = self._monotonic() + RETRY_SECONDS
                if not self._hsm.unseal_or_wait(read_facts(self._layout).sealed_domains):
                    return False
            facts = read_facts(self._layout)
            self.facts = self._standing_facts(facts, self._hsm)
        self.is_sealed = False
        Log().info("unsealed", part="hsm")
        return True

    def _standing_facts(self, facts: Facts, hsm: HsmProcess) -> Facts:
        """Return the facts as the HSM confirmed them, of a store that stands as it should.

        Raises:
            HsmRefused: the HSM did not seal what it must.
            Unusable: the store is older than it was, or was altered.
        """
        accepts, layout = self._accepts_rollback, self._layout
        facts = with_sealed_operators(layout, facts, hsm, accepts_rollback=accepts)
        with opened(layout.data) as deployment:
            arm(deployment.store, layout, hsm.ask)
            standing = standing_of(
                deployment.store, layout, had_witness=self._had_witness, accepts_rollback=accepts
            )
            settle_standing(deployment.store, facts, standing)
        self._accepts_rollback, self._had_witness = False, True
        return facts

    def keep_opener(self) -> None:
        """Start the opener again if it has ended; blocks for a moment."""
        if self._opener is not None:
            self._opener.keep()

    def _end_opener(self) -> None:
        if self._opener is not None:
            self._opener.end()
            self._opener = None

    def _admit_custodians(self, hsm: HsmProcess) -> None:
        """Make a custodian key of this HSM's own, where no worker can read it."""
        custodian_key = secrets.token_bytes(CUSTODIAN_KEY_BYTES)
        self._layout.custodian_key.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(self._layout.custodian_key, custodian_key)
        hsm.ask(AdmitCustodians(custodian_key))

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
        self._end_opener()
        self.socket_path.unlink(missing_ok=True)
