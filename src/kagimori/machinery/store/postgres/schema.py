"""The schema in PostgreSQL: numbered migrations, each applied once, whole or not at all.

Nodes of two versions may use one store while they are upgraded one after the other. So a migration
notes from which schema on older code may still use the store after it, and is not applied while a
node lives whose code may not.
"""

import json
import time
from typing import Final

from kagimori.machinery.store.migrations import NewerSchema, migrations, usable_from
from kagimori.machinery.store.postgres.link import Link, PostgresFailed, TryAgain
from kagimori.ports import StoreConflict

ATTEMPTS_MAX: Final = 50
_PAUSE_SECONDS: Final = 0.1
_HAS: Final = "SELECT 1 FROM information_schema.tables WHERE table_name = 'schema_versions' LIMIT 1"
_VERSIONS: Final = (
    "CREATE TABLE schema_versions (number BIGINT NOT NULL PRIMARY KEY, usable_from BIGINT NOT NULL)"
)
_HAS_NODES: Final = (
    "SELECT 1 FROM information_schema.tables WHERE table_name = 'heartbeats' LIMIT 1"
)
# By the clocks of the nodes: a wrong one costs a wait, or an upgrade that its operator must order.
LIVES_SECONDS: Final = 60.0


def missing(link: Link) -> list[tuple[int, str]]:
    """Return number and text of the migrations that were not applied yet.

    Raises:
        NewerSchema: one was applied that this version does not know.
    """
    known = migrations("postgres")
    newest, applied = known[-1][0], {}
    if link.run(_HAS).fetchone() is not None:
        applied = dict(link.run("SELECT number, usable_from FROM schema_versions").fetchall())
    if any(number > newest and oldest > newest for number, oldest in applied.items()):
        raise NewerSchema(f"schema {max(applied)}; this version knows {newest}")
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


def _check_nodes(link: Link, number: int, oldest: int) -> None:
    """Check that no node lives whose code could not use the store after a migration.

    Raises:
        PostgresFailed: one does; nothing was touched.
    """
    if link.run(_HAS_NODES).fetchone() is None:
        return
    for (body,) in link.run("SELECT body FROM heartbeats").fetchall():
        beat = json.loads(body)
        lives = abs(time.time() - beat["at"]) < LIVES_SECONDS
        if lives and beat.get("schema", 0) < oldest:
            raise PostgresFailed(
                f"schema {number} cannot be used by node {beat['node_id']}, which runs version "
                f"{beat.get('software', 'unknown')}: stop that first"
            )


def _apply(link: Link, number: int, text: str, *, is_first: bool) -> None:
    oldest = usable_from(number, text)
    _check_nodes(link, number, oldest)
    link.run("BEGIN")
    link.in_transaction = True
    try:
        if is_first:
            link.run(_VERSIONS)
        # First, so that whoever does the same at the same time waits here.
        link.run(
            "INSERT INTO schema_versions (number, usable_from) VALUES (?, ?)", (number, oldest)
        )
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
