"""The root that opens a backup, as `--root` names it: a file, or what people type."""

from pathlib import Path
from typing import Final

from kagimori.backups.roots import People, Root
from kagimori_cli.seal_input import PASSPHRASE, QUORUM, read_secret

_PEOPLE: Final = {
    "passphrase": (PASSPHRASE, "passphrase: "),
    "shares": (QUORUM, "one share: "),
}


def root_of(text: str) -> Root:
    """Return the root that `FILE`, `passphrase` or `shares` names; `passphrase:ID` names a seal."""
    word, _, seal_id = text.partition(":")
    if word not in _PEOPLE:
        return Path(text)
    kind, prompt = _PEOPLE[word]
    return People(kind, seal_id, lambda: read_secret(prompt))
