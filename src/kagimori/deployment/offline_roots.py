"""Opens sealed domains in an HSM without a server: with files, a passphrase, or shares.

What people give goes from here to the HSM process, and is kept nowhere.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.deployment.seal_problems import why_refused
from kagimori.hsm.process import HsmProcess, HsmRefused
from kagimori_boundary.commands import OpenSeal
from kagimori_boundary.replies import Reply
from kagimori_boundary.seal_replies import SealProblem, SealProgress, SealRefusal
from kagimori_boundary.seals import PASSPHRASE, QUORUM, Seal, seals_in

Give = Callable[[str], bytes]
# After these another seal of the kind may be the right one.
_OTHER_SEAL: Final = frozenset({SealProblem.OTHER_SHARES, SealProblem.WRONG})


class Root(Struct, frozen=True):
    """A way to open a store: the files of seal keys, or what people give.

    `kind` is `file`, `passphrase` or `quorum`. `give` returns a secret, asked for with a prompt.
    """

    kind: str
    files: Sequence[Path] = ()
    give: Give | None = None

    def __str__(self) -> str:
        if self.kind == PASSPHRASE:
            return "this passphrase"
        return "these shares" if self.kind == QUORUM else ", ".join(map(str, self.files))


def open_domains(hsm: HsmProcess, sealed_domains: bytes, root: Root) -> None:
    """Make an HSM operational.

    Raises:
        HsmRefused: the root does not open these domains, or the HSM failed its self-test.
        Unusable: no seal of these domains is of the root's kind.
    """
    every = seals_in(sealed_domains)
    seals = [seal for seal in every if seal.kind == root.kind]
    if not seals and (every or root.give is not None):  # older ones are of a file, and do not say
        raise Unusable(f"no seal of this store is of the kind {root.kind}")
    if root.give is None:
        hsm.unseal(sealed_domains)
        return
    if hsm.unseal_or_wait(sealed_domains):
        return
    needed, given = 1, 0
    while given < needed:
        number = f" {given + 1}" if root.kind == QUORUM else ""
        word = "share" if root.kind == QUORUM else "passphrase"
        progress = _tried(hsm, seals, root.give(f"{word}{number}: "))
        if progress.is_done:
            break
        given, needed = progress.given, progress.needed
    if not hsm.is_open_now():
        raise HsmRefused("the HSM stays sealed")


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
