"""Reads keys outside the workers: canary keys, and keys with a duty that is due."""

import sqlite3
from pathlib import Path
from typing import Final

from kagimori.entities.tables import KMS_KEYS
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.sqlite import connect
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.records.notice import CANARY_TAG

KEYS_MAX: Final = 10_000  # at one look


class KeyWatch:
    """A reading connection to the store. Belongs to one thread; every method blocks."""

    def __init__(self, database: Path) -> None:
        self._connection = connect(database, read_only=True)
        self._statements = Statements(KMS_KEYS)

    def canaries(self) -> frozenset[str]:
        """Return the ARNs of all keys that are tagged as canaries.

        Raises:
            sqlite3.Error: the store cannot be read.
        """
        rows = self._connection.execute(
            "SELECT body FROM kms_keys WHERE instr(body, ?)", (CANARY_TAG.encode(),)
        )
        keys = (self._statements.decode(body) for (body,) in rows)
        return frozenset(key.arn for key in keys if CANARY_TAG in key.tags)

    def due_before(self, at: float) -> list[KmsKey]:
        """Return keys of which time asks something before then, soonest first.

        Raises:
            sqlite3.Error: the store cannot be read.
        """
        rows: sqlite3.Cursor = self._connection.execute(self._statements.due, (at, KEYS_MAX))
        return [self._statements.decode(body) for (body,) in rows]

    def close(self) -> None:
        self._connection.close()
