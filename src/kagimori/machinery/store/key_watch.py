"""Reads keys outside the workers: canary keys, and keys with a duty that is due."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kagimori.entities.tables import KMS_KEYS
from kagimori.machinery.store.engines import engine_of
from kagimori.ports import Key
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.notice import CANARY_TAG

KEYS_MAX: Final = 10_000  # at one look
PAGE_KEYS: Final = 1_000


class KeyWatch:
    """A reading connection to the store. Belongs to one thread; every method blocks.

    Its methods raise what the database raises when it cannot be read.
    """

    def __init__(self, place: str | Path) -> None:
        self._database = engine_of(place).open("", (KMS_KEYS,), read_only=True)

    def canaries(self) -> frozenset[str]:
        """Return the ARNs of all keys that are tagged as canaries."""
        found: set[str] = set()
        after: Key | None = None
        while True:
            keys, after = self._database.search(KMS_KEYS, (CANARY_TAG.encode(),), after, KEYS_MAX)
            found.update(key.arn for key in keys if CANARY_TAG in key.tags)
            if after is None:
                return frozenset(found)

    def due_before(self, at: float) -> list[KmsKey]:
        """Return keys of which time asks something before then, soonest first."""
        return self._database.due(KMS_KEYS, at, KEYS_MAX)

    def all_keys(self) -> Iterator[KmsKey]:
        """Yield all keys, in the order of their keys."""
        after: Key | None = None
        while True:
            found = self._database.page(KMS_KEYS, (), after, PAGE_KEYS, None)
            yield from found
            if len(found) < PAGE_KEYS:
                return
            after = KMS_KEYS.key_of(found[-1])

    def close(self) -> None:
        self._database.close()
