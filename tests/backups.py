"""Backups of older versions, unpacked, and what their ciphertexts open to."""

import base64
import json
import tarfile
from pathlib import Path
from typing import NamedTuple

ARCHIVES = sorted((Path(__file__).parent / "vectors" / "old_ciphertexts").glob("*.tar.xz"))
NEWEST = Path(__file__).parent / "vectors" / "old_ciphertexts" / "93f4694.tar.xz"


class Ciphertext(NamedTuple):
    kind: str
    blob: bytes
    plaintext: bytes
    context: dict
    key: str | None
    algorithm: str | None


class Backup(NamedTuple):
    """`store` is a folder with a copy of kagimori.db, `root` the file with the seal key.

    Of versions that have seals for people, there are a passphrase, and shares of which two open it.
    """

    store: Path
    root: Path
    ciphertexts: list
    passphrase: str | None = None
    shares: tuple = ()

    def of(self, kind):
        (found,) = [one for one in self.ciphertexts if one.kind == kind]
        return found


def unpacked(archive, folder):
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    said = json.loads((folder / "ciphertexts.json").read_text())
    ciphertexts = [
        Ciphertext(
            one["kind"],
            base64.b64decode(one["ciphertext"]),
            base64.b64decode(one["plaintext"]),
            one["context"],
            one.get("key"),
            one.get("algorithm"),
        )
        for one in said
    ]
    people = folder / "roots.json"
    roots = json.loads(people.read_text()) if people.exists() else {}
    return Backup(
        folder / "backup",
        folder / "elsewhere" / "seal.key",
        ciphertexts,
        roots.get("passphrase"),
        tuple(roots.get("shares", ())),
    )


def files_of(folder):
    """Every file under a folder, with its bytes."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
