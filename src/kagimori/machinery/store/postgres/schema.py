"""The schema in PostgreSQL: numbered migrations, each applied once, whole or not at all."""

import time
from typing import Final

from kagimori.machinery.store.migrations import NewerSchema, migrations
from kagimori.machinery.store.postgres.link import Link, PostgresFailed, TryAgain
from kagimori.ports import StoreConflict

ATTEMPTS_MAX: Final = 50
_PAUSE_SECONDS: Final = 0.1
_HAS: Final = "SELECT 1 FROM information_schema.tables WHERE table_name = 'schema_versions' LIMIT 1"
_VERSIONS: Final = "CREATE TABLE schema_versions (number BIGINT NOT NULL PRIMARY KEY)"


def missing(link: Link) -> list[tuple[int, str]]:
    """Return number and text of the migrations that were not applied yet.

    Raises:
        NewerSchema: one was applied that this version does not know.
    """
    known = migrations("postgres")
    applied: set[int] = set()
    if link.run(_HAS).fetchone() is not None:
        applied = {number for (number,) in link.run("SELECT number FROM schema_versions")}
    if applied and max(applied) > known[-1][0]:
        raise NewerSchema(f"schema {max(applied)}; this version knows {known[-1][0]}")
    return [(number, text) for number, text in known if number not in applied]


def migrate(link: Link) -> None:
    """Apply the missing migrations; several processes may do so at the same time.

    Raises:
        NewerSchema: it is beyond what this version knows; nothing was touched.
    """
    for _ in range(ATTEMPTS_MAX):
        wanted = missing(link)
        if not wanted:
            return
        try:
            _apply(link, *wanted[0], is_first=link.run(_HAS).fetchone() is None)
        except (TryAgain, StoreConflict):  # another one is at it
            time.sleep(_PAUSE_SECONDS)
    raise PostgresFailed("the schema cannot be brought up to date: others are at it all the time")


def _apply(link: Link, number: int, text: str, *, is_first: bool) -> None:
    link.run("BEGIN")
    link.in_transaction = True
    try:
        if is_first:
            link.run(_VERSIONS)
        # First, so that whoever does the same at the same time waits here.
        link.run("INSERT INTO schema_versions (number) VALUES (?)", (number,))
        for statement in statements(text):
            link.run(statement)
        link.run("COMMIT")
    except BaseException:
        link.close()
        raise
    link.in_transaction = False


def statements(text: str) -> list[str]:
    """Return the statements of a migration, without its comments."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [one for one in map(str.strip, "\n".join(lines).split(";")) if one]
