"""Changes of the seals: asked for by a custodian, kept by a worker, adopted by the operator.

Like every change of the sealed domains, one of the seals is made as a successor of what the store
has: a worker fetches it and commits it with its record, then the operator has it adopted. Whatever
ends in between, the store has all seals of before, or all of after.
"""

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.replies import Reply, SealChange
from kagimori_boundary.seal_replies import SealAdded, SealFacts, SealProblem, SealProgress
from kagimori_boundary.seals import SEALS_MAX, Seal
from kagimori_hsm.commands.domains import key_facts
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import Rings
from kagimori_hsm.roots.new_seals import make_seal
from kagimori_hsm.roots.removal import without_seal
from kagimori_hsm.roots.root_keys import Opened, RootKeys
from kagimori_hsm.roots.seals import NewSeal, RootKey, with_root_key
from kagimori_hsm.roots.secrets import SecretRefused
from kagimori_hsm.roster import roster_in
from kagimori_hsm.world import World

# A change that no worker has fetched by then is given up, and whoever asked for it knows.
CHANGE_SECONDS_MAX: Final = 60.0


class _Change(NamedTuple):
    """A seal to be added, or one to be removed with the root key that comes instead."""

    seal: Seal
    added: NewSeal | None
    root_key: RootKey
    until: float


class SealChanges:
    """One change at a time. Several threads use it."""

    def __init__(
        self, rings: Rings, roots: RootKeys, facts_of: Callable[[Seal], SealFacts], world: World
    ) -> None:
        self._rings, self._roots = rings, roots
        self._facts_of, self._world = facts_of, world
        self._lock = threading.Lock()
        self._change: _Change | None = None

    @property
    def is_waiting(self) -> bool:
        """True while a change waits for a worker to keep it."""
        with self._lock:
            return self._waiting() is not None

    def add(self, command: commands.AddSeal) -> Reply:
        """Make a seal that waits to be kept.

        Raises:
            SecretRefused: not a seal, one too many, or another change is being made.
        """
        if self.is_waiting:
            raise SecretRefused(SealProblem.BUSY)
        if len(self._roots.seals) >= SEALS_MAX:
            raise SecretRefused(SealProblem.TOO_MANY_SEALS)
        made = make_seal(
            self._roots, command.kind, command.label, command.parameters, command.secret
        )
        self._begin(made.seal.seal, made.seal, RootKey(b"", b""))
        return SealAdded(made.seal.seal.seal_id, made.shares)

    def remove(self, command: commands.RemoveSeal) -> Reply:
        """Have a removal wait to be kept.

        Raises:
            SecretRefused: no such seal, the last one, not approved, or another change is made.
        """
        seal = found(self._roots.seals, command.seal_id)
        if len(self._roots.seals) == 1:
            raise SecretRefused(SealProblem.LAST_SEAL)
        self._check_approved()
        self._begin(seal, None, RootKey.draw())
        return SealProgress(is_done=False, given=0, needed=1)

    def make(self, command: commands.MakeSealChange) -> Reply:
        """Return the successor of sealed domains with the change that waits.

        Raises:
            Refused: FORBIDDEN, none waits, or it cannot be made to these.
            SealRefused: they do not open.
        """
        with self._lock:
            change = self._waiting()
        if change is None:
            raise Refused(Reason.FORBIDDEN)
        opened = self._roots.opened(command.sealed_domains)
        if change.added is not None:
            name, (head, contents) = "AddSeal", self._with(opened, change.added)
        else:
            now = self._world.now()
            successor = without_seal(self._roots, opened, change.seal.seal_id, change.root_key, now)
            name, (head, contents) = "RemoveSeal", successor
        blob = self._roots.sealed(contents, head)
        return SealChange(blob, key_facts(contents.rings), name, self._facts_of(change.seal))

    def adopted(self) -> None:
        """Give up a change that is in force by now."""
        ids = {seal.seal_id for seal in self._roots.seals}
        with self._lock:
            change = self._change
            if change is not None and (change.seal.seal_id in ids) == (change.added is not None):
                self._change = None

    def clear(self) -> None:
        """Drop every reference to a key."""
        self._change = None

    def _check_approved(self) -> None:
        """Check that nobody must agree; several operators approve a removal elsewhere.

        Raises:
            SecretRefused: NOT_APPROVED.
        """
        if roster_in(self._rings.further).operators:
            raise SecretRefused(SealProblem.NOT_APPROVED)

    def _waiting(self) -> _Change | None:
        change = self._change
        if change is not None and self._world.monotonic() > change.until:
            change = self._change = None
        return change

    def _begin(self, seal: Seal, added: NewSeal | None, root_key: RootKey) -> None:
        until = self._world.monotonic() + CHANGE_SECONDS_MAX
        with self._lock:
            if self._waiting() is not None:
                raise SecretRefused(SealProblem.BUSY)
            self._change = _Change(seal, added, root_key, until)

    def _with(self, opened: Opened, added: NewSeal) -> Opened:
        head, contents = opened
        seal = with_root_key(added.seal, added.proof_key, self._roots.held(head))
        others = tuple(one for one in head.seals if one.seal_id != seal.seal_id)
        proof_keys = {**contents.proof_keys, seal.seal_id: added.proof_key}
        return Opened(
            replace(head, step=head.step + 1, seals=(*others, seal)),
            replace(contents, proof_keys=proof_keys),
        )


def found(seals: tuple[Seal, ...], seal_id: str) -> Seal:
    """Return the seal with this id.

    Raises:
        SecretRefused: NO_SUCH_SEAL.
    """
    for seal in seals:
        if seal.seal_id == seal_id:
            return seal
    raise SecretRefused(SealProblem.NO_SUCH_SEAL)
