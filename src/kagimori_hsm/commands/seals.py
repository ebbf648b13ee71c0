"""Seals in the HSM: listed, opened and tried by custodians, who hold the roots."""

import hmac
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import commands
from kagimori_boundary.replies import Bytes, Reply
from kagimori_boundary.seal_replies import (
    SealAdded,
    SealEvents,
    SealFacts,
    SealProblem,
    SealProgress,
    SealRefusal,
    Seals,
)
from kagimori_boundary.seals import FILE, PASSPHRASE, QUORUM, UNATTENDED_KINDS, Seal
from kagimori_hsm.commands.seal_changes import SealChanges, found
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.roots import secrets
from kagimori_hsm.roots.attempts import Attempts, Delayed
from kagimori_hsm.roots.contents import KEY_BYTES, Contents, SealRefused
from kagimori_hsm.roots.new_seals import make_seal
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.secrets import Collecting, SecretRefused
from kagimori_hsm.world import World

_OPEN, _TEST = "UnsealDomains", "TestSeal"


class SealCommands:
    """One function for each command about seals. Several threads use it."""

    def __init__(
        self,
        rings: Rings,
        roots: RootKeys,
        on_opened: Callable[[Contents], None],
        world: World,
    ) -> None:
        self._roots, self._on_opened, self._world = roots, on_opened, world
        self._attempts = Attempts(world.now, world.monotonic)
        self._collecting: dict[tuple[str, str], Collecting] = {}
        self._lock = threading.Lock()
        self.changes: Final = SealChanges(rings, roots, self._facts, world)
        self._custodian_key = os.urandom(KEY_BYTES)

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.AdmitCustodians: self._admit,
            commands.BecomeCustodian: self._become,
            commands.DescribeSeals: self._describe,
            commands.OpenSeal: self._explained(self._open),
            commands.TestSeal: self._explained(self._test),
            commands.MakeFirstSeal: self._explained(self._make_first),
            commands.AddSeal: self._explained(self.changes.add),
            commands.RemoveSeal: self._explained(self.changes.remove),
            commands.TakeSealEvents: self._take_events,
            commands.MakeSealChange: self.changes.make,
        }

    def clear(self) -> None:
        """Drop every reference to a key and to a share."""
        self._collecting.clear()
        self.changes.clear()

    def _explained(self, function: Callable[[Any], Reply]) -> Callable[[Any], Reply]:
        def explained(command: Any) -> Reply:
            try:
                return function(command)
            except Delayed as delayed:
                return SealRefusal(SealProblem.DELAYED, delayed.seconds)
            except SecretRefused as refused:
                seconds = self._attempts.wait_seconds(getattr(command, "seal_id", ""))
                return SealRefusal(refused.problem, seconds)

        return explained

    def _admit(self, command: commands.AdmitCustodians) -> Reply:
        self._custodian_key = command.custodian_key
        return Bytes(b"")

    def _become(self, command: commands.BecomeCustodian) -> Reply:
        """Check the custodian key; the door lets the connection be a custodian's then.

        Raises:
            Refused: FORBIDDEN, it is another one.
        """
        if not hmac.compare_digest(command.custodian_key, self._custodian_key):
            raise Refused(Reason.FORBIDDEN)
        return Bytes(b"")

    def _describe(self, _: commands.DescribeSeals) -> Reply:
        self._forget_old()
        return Seals(
            self._roots.is_open,
            [self._facts(seal) for seal in self._roots.seals],
            self.changes.is_waiting,
        )

    def _make_first(self, command: commands.MakeFirstSeal) -> Reply:
        """Make the seal of a new deployment.

        Raises:
            Refused: FORBIDDEN, there are seals.
            SecretRefused: not a secret of its kind.
        """
        if self._roots.seals:
            raise Refused(Reason.FORBIDDEN)
        made = make_seal(
            self._roots, command.kind, command.label, command.parameters, command.secret
        )
        return SealAdded(made.seal.seal.seal_id, made.shares)

    def _take_events(self, command: commands.TakeSealEvents) -> Reply:
        self._forget_old()
        return SealEvents(self._attempts.take(command.acknowledged), self.changes.is_waiting)

    def _facts(self, seal: Seal) -> SealFacts:
        collecting = self._collecting.get((seal.seal_id, _TEST if self._roots.is_open else _OPEN))
        needed = seal.parameters.get("threshold", 1)
        return SealFacts(
            seal.seal_id,
            seal.kind,
            seal.label,
            seal.made_at,
            0 if collecting is None else collecting.given,
            needed if isinstance(needed, int) else 1,
            self._attempts.wait_seconds(seal.seal_id),
        )

    # --- secrets of people ---------------------------------------------------------------------

    def _open(self, command: commands.OpenSeal) -> Reply:
        if self._roots.is_open:
            raise SecretRefused(SealProblem.NOT_SEALED)
        return self._tried(_OPEN, command.seal_id, command.secret, self._open_with)

    def _open_with(self, seal: Seal, secret: bytes) -> None:
        with self._lock:
            if self._roots.is_open:
                return
            contents = self._roots.open_waiting(seal, secret)
        self._collecting.clear()
        self._on_opened(contents)

    def _test(self, command: commands.TestSeal) -> Reply:
        seal = found(self._roots.seals, command.seal_id)
        if seal.kind not in UNATTENDED_KINDS:
            return self._tried(_TEST, seal.seal_id, command.secret, self._roots.check_opens)
        with self._attempts.one(_TEST, seal):
            try:
                self._roots.check_opens_unattended(seal)
            except SealRefused:
                raise SecretRefused(SealProblem.WRONG) from None
        return SealProgress(is_done=True, given=1, needed=1)

    def _tried(
        self, name: str, seal_id: str, given: bytes, use: Callable[[Seal, bytes], None]
    ) -> Reply:
        """Return how far it is with this secret; use it once it is whole.

        Raises:
            SecretRefused, Delayed: it is not tried, or does not open the seal.
        """
        seal = found(self._roots.seals, seal_id)
        with self._attempts.one(name, seal) as progress:
            secret, count, needed = self._secret(name, seal, given)
            if secret is None:
                progress.extend((count, needed))
                return SealProgress(is_done=False, given=count, needed=needed)
            try:
                use(seal, secret)
            except SealRefused:
                raise SecretRefused(SealProblem.WRONG) from None
        return SealProgress(is_done=True, given=needed, needed=needed)

    def _secret(self, name: str, seal: Seal, given: bytes) -> tuple[bytes | None, int, int]:
        """Return the secret of a seal, if it is whole with what was given, and the count."""
        if seal.kind == PASSPHRASE:
            return secrets.secret_of_passphrase(given, seal.parameters), 1, 1
        if seal.kind == FILE:
            return given, 1, 1
        if seal.kind != QUORUM:
            raise SecretRefused(SealProblem.NO_SECRET)
        self._forget_old()
        place = (seal.seal_id, name)
        collecting = self._collecting.setdefault(
            place, Collecting(seal.parameters, self._world.monotonic)
        )
        try:
            secret = collecting.take(given)
        finally:
            if not collecting.given:
                self._collecting.pop(place, None)
        return secret, collecting.given, collecting.threshold

    def _forget_old(self) -> None:
        """Forget shares that have waited for too long."""
        for place, collecting in list(self._collecting.items()):
            if collecting.is_over:
                self._collecting.pop(place, None)
