"""The root that opens a backup, as `--root` names it: a file, or what people type."""

from pathlib import Path
from typing import Final

from kagimori.deployment.roots import People, Root
from kagimori_cli.seal_input import PASSPHRASE, QUORUM, read_secret

_PEOPLE: Final = {"passphrase": PASSPHRASE, "shares": QUORUM}


def root_of(text: str) -> Root:
    """Return the root that `FILE`, `passphrase` or `shares` names; `passphrase:ID` names a seal."""
    word, _, seal_id = text.partition(":")
    if word not in _PEOPLE:
        return Path(text)
    return People(_PEOPLE[word], seal_id, read_secret)


def is_asked_for(text: str) -> bool:
    """Return whether people type the root that is named so."""
    return text.partition(":")[0] in _PEOPLE
