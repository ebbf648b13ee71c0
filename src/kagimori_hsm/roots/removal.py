"""The removal of a seal: a new root key for all others, and new domain keys."""

from typing import Final

from msgspec.structs import replace

from kagimori_boundary.seals import Head
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.ring import DOMAIN_KEYS_MAX, Ring
from kagimori_hsm.roots.root_keys import Opened, RootKeys
from kagimori_hsm.roots.seals import RootKey, with_root_key

SEALS_MIN: Final = 1


def without_seal(
    roots: RootKeys, opened: Opened, seal_id: str, root_key: RootKey, now: float
) -> Opened:
    """Return sealed domains without one seal: `root_key` is new, and held from now on.

    No other root has to be there. Every domain gets a new domain key, since whoever had the removed
    root and a copy of the store knows those of before; a ring that is full keeps what it has.

    Raises:
        Refused: FORBIDDEN, there is no such seal, or it is the last one.
    """
    head, contents = opened
    kept = [seal for seal in head.seals if seal.seal_id != seal_id]
    if len(kept) == len(head.seals) or len(kept) < SEALS_MIN:
        raise Refused(Reason.FORBIDDEN)
    step = head.step + 1
    roots.hold(root_key, step)
    proof_keys = {seal.seal_id: contents.proof_keys[seal.seal_id] for seal in kept}
    seals = [with_root_key(seal, proof_keys[seal.seal_id], root_key) for seal in kept]
    rings = {name: _rotated(ring, now) for name, ring in contents.rings.items()}
    return Opened(
        Head(root_key_id=root_key.root_key_id, step=step, seals=tuple(seals)),
        replace(contents, rings=rings, proof_keys=proof_keys),
    )


def _rotated(ring: Ring, now: float) -> Ring:
    return ring if len(ring.plain()[1]) >= DOMAIN_KEYS_MAX else ring.rotated(now)
