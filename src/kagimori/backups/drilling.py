"""The drill: a backup is made, restored to an empty place and used, and everything is measured."""

import tempfile
import time
from pathlib import Path

from msgspec import Struct

from kagimori.backups.making import AskKey, Made, back_up
from kagimori.backups.places import Place
from kagimori.backups.proving import Proof, prove
from kagimori.deployment.folder import Layout
from kagimori.deployment.roots import Root
from kagimori.trail.reader import newest_sequence_of, stream_folders

_MEGA = 1_000_000


class Drill(Struct, frozen=True):
    """The result of a drill.

    The recovery point is given three ways: the age of the restored state, that of the newest
    restored record, and how many records of the deployment the restored trail lacks. `stages` are
    the seconds of each stage; those after `back up` make `recovery_seconds`.
    """

    works: bool
    backup: str
    change_age_seconds: float
    record_age_seconds: float | None
    records_missing: int
    recovery_seconds: float
    stages: dict[str, float]
    back_up_mb_per_second: float
    restore_mb_per_second: float
    plain_bytes: int
    made: Made
    proof: Proof


def drill(data: Path, root: Root, ask_key: AskKey, place: Place | None = None) -> Drill:
    """Back up a deployment, to a place or to a temporary one, and restore that on trial.

    Raises:
        Unusable: no backup could be made, or it does not restore at all.
    """
    with tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        made = back_up(data, folder if place is None else place, ask_key)
        proof = prove(made.path, root)
    missing = records_missing(Layout(data).audit, proof.streams)
    return Drill(
        works=proof.works,
        backup=made.path,
        change_age_seconds=round(time.time() - made.made_at, 3),
        record_age_seconds=proof.record_age_seconds,
        records_missing=missing,
        recovery_seconds=round(proof.restore_seconds + proof.check_seconds, 3),
        stages={"back up": made.seconds} | proof.stages,
        back_up_mb_per_second=_rate(made.plain_bytes, made.seconds),
        restore_mb_per_second=_rate(proof.plain_bytes, proof.restore_seconds),
        plain_bytes=made.plain_bytes,
        made=made,
        proof=proof,
    )


def records_missing(audit: Path, restored: dict[str, int]) -> int:
    """Return how many records the journals have now that a restored trail has not.

    Raises:
        OSError: a journal cannot be read.
    """
    folders = stream_folders(audit) if audit.is_dir() else []
    ends = {folder.name: newest_sequence_of(folder) for folder in folders}
    return sum(max(0, end - restored.get(stream, 0)) for stream, end in ends.items())


def _rate(plain_bytes: int, seconds: float) -> float:
    return round(plain_bytes / _MEGA / max(seconds, 0.001), 1)
