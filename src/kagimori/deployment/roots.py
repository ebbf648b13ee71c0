"""Roots that open a store or a backup without a server: a file with the seal key, or people.

What people give goes to the HSM process that is started for it, and stays in this process until the
command ends: what is opened twice is asked for once.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kagimori.deployment.folder import Unusable
from kagimori.deployment.seal_problems import why_refused
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori_boundary.commands import OpenSeal
from kagimori_boundary.replies import Reply
from kagimori_boundary.seal_replies import SealProblem, SealProgress, SealRefusal
from kagimori_boundary.seals import PASSPHRASE, Seal, seals_in

# After these another seal of the kind may be the right one.
_OTHER_SEAL: Final = frozenset({SealProblem.OTHER_SHARES, SealProblem.WRONG})


class People:
    """A passphrase, or shares of a quorum, asked for until there are enough."""

    def __init__(self, kind: str, seal_id: str, ask: Callable[[str], bytes]) -> None:
        """`ask` returns one secret, after a prompt; without `seal_id`, all seals are tried."""
        self.kind, self.seal_id = kind, seal_id
        self._ask, self._given = ask, list[bytes]()

    def __str__(self) -> str:
        return "this passphrase" if self.kind == PASSPHRASE else "these shares"

    def secrets(self) -> Iterator[bytes]:
        """Yield the secrets that were given before, then new ones."""
        yield from tuple(self._given)
        while True:
            word = "passphrase" if self.kind == PASSPHRASE else f"share {len(self._given) + 1}"
            self._given.append(self._ask(f"{word}: "))
            yield self._given[-1]


Root = Path | People


@contextlib.contextmanager
def open_hsm(socket_path: Path, sealed_domains: bytes, root: Root) -> Iterator[HsmProcess]:
    """Yield an HSM process that a root has opened.

    Raises:
        Unusable: the root does not open these domains, or cannot be read.
    """
    files = (root,) if isinstance(root, Path) else ()
    try:
        for file in files:
            file.open("rb").close()  # no process is started for a root that cannot be read
        hsm = HsmProcess(socket_path, files)
    except OSError as problem:
        raise Unusable(f"{root}: {problem.strerror}") from None
    try:
        try:
            _open(hsm, sealed_domains, root)
        except HsmRefused as refused:
            raise Unusable(f"it does not open with {root}: {refused}") from None
        yield hsm
    finally:
        hsm.end()


def _open(hsm: HsmProcess, sealed_domains: bytes, root: Root) -> None:
    """Make an HSM operational.

    Raises:
        HsmRefused: the root does not open these domains, or the HSM failed its self-test.
        Unusable: no seal of these domains is of the root's kind.
    """
    seals = [] if isinstance(root, Path) else _seals_for(root, sealed_domains)
    is_open = hsm.unseal_or_wait(sealed_domains)
    if not is_open and isinstance(root, People):
        for secret in root.secrets():
            if _tried(hsm, seals, secret).is_done:
                break
        is_open = hsm.is_open_now()
    if not is_open:
        raise HsmRefused("the seal key does not open its domains")


def _seals_for(people: People, sealed_domains: bytes) -> list[Seal]:
    """Return the seals that may be these people's.

    Raises:
        Unusable: there is none; older domains are sealed with a file alone, and do not say so.
    """
    seals = [
        seal
        for seal in seals_in(sealed_domains)
        if seal.kind == people.kind and people.seal_id in ("", seal.seal_id)
    ]
    if not seals:
        raise Unusable(f"it has no seal for {people}")
    return seals


def _tried(hsm: HsmProcess, seals: Sequence[Seal], secret: bytes) -> SealProgress:
    """Try a secret with each seal; return the progress of the first one that takes it.

    Raises:
        HsmRefused: it is of none.
    """
    reply: Reply | None = None
    for seal in seals:
        reply = hsm.ask(OpenSeal(seal.seal_id, secret))
        if isinstance(reply, SealProgress):
            return reply
        if not isinstance(reply, SealRefusal) or reply.problem not in _OTHER_SEAL:
            break
    raise HsmRefused("no answer" if reply is None else why_refused(reply))
