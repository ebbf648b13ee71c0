"""Roots that open a backup: a file with the seal key, or secrets that people type.

They go to the HSM process that is started for it, and stay in this process until the command ends:
a proof opens two of them.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from kagimori.deployment.folder import Unusable
from kagimori.deployment.seal_problems import why_refused
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori_boundary.commands import OpenSeal
from kagimori_boundary.seal_replies import SealProgress
from kagimori_boundary.seals import PASSPHRASE, seals_in


class People:
    """A passphrase, or shares of a quorum, asked for until there are enough."""

    def __init__(self, kind: str, seal_id: str, ask: Callable[[], bytes]) -> None:
        """`ask` returns one secret; `seal_id` is needed only if there are several of that kind."""
        self.kind, self.seal_id = kind, seal_id
        self._ask, self._given = ask, list[bytes]()

    def __str__(self) -> str:
        return "this passphrase" if self.kind == PASSPHRASE else "these shares"

    def secrets(self) -> Iterator[bytes]:
        """Yield the secrets that were given before, then new ones."""
        yield from tuple(self._given)
        while True:
            self._given.append(self._ask())
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
            is_open = hsm.unseal_or_wait(sealed_domains)
            if not is_open and isinstance(root, People):
                _open_by(root, hsm, sealed_domains)
                is_open = hsm.is_open_now()
        except HsmRefused as refused:
            raise Unusable(f"it does not open with {root}: {refused}") from None
        if not is_open:
            raise Unusable(f"it does not open with {root}: the seal key does not open its domains")
        yield hsm
    finally:
        hsm.end()


def _open_by(people: People, hsm: HsmProcess, sealed_domains: bytes) -> None:
    seals = [
        seal.seal_id
        for seal in seals_in(sealed_domains)
        if seal.kind == people.kind and people.seal_id in ("", seal.seal_id)
    ]
    if not seals:
        raise Unusable(f"it has no seal for {people}")
    if len(seals) > 1:
        raise Unusable(f"it has several seals for {people}, name one: {', '.join(seals)}")
    for secret in people.secrets():
        reply = hsm.ask(OpenSeal(seals[0], secret))
        if not isinstance(reply, SealProgress):
            raise Unusable(f"it does not open with {people}: {why_refused(reply)}")
        if reply.is_done:
            return
