"""Fills a store with keys and grants, each row marked, in one transaction: no server may run.

It writes what CreateKey and CreateGrant would have written, but records and material.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from kagimori.entities.tables import GRANTS, KMS_KEYS
from kagimori.machinery.store.guard import STORE_BUCKET
from kagimori.machinery.store.postgres.database import PostgresDatabase
from kagimori.machinery.store.sql import Statements
from kagimori.machinery.store.sql_database import SqlDatabase
from kagimori.ports import Table
from kagimori.rules.integrity.buckets import Place, StoredBucket
from kagimori.rules.integrity.ledger import Ledger
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.policy.defaults import default_key_policy

ROWS_AT_ONCE = 2_000
_BUCKETS = "SELECT space, bucket, version, content, seal FROM integrity"
GRANTEES = 7
KEYS_OF_ACCOUNT = 90_000  # others' beyond: an account may have 100,000, and more are made
OTHER_ACCOUNT = "444455556666"


class Size(NamedTuple):
    keys: int
    grants: int
    on_one_key: int


def key_id_of(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def fill(database: SqlDatabase, crowded: KmsKey, size: Size) -> None:
    """Write keys and grants beside a key; so many of the grants are on that one."""
    account, region = crowded.account_id, crowded.region
    of = {"region": region, "created_at": 1.0}
    policy = default_key_policy(account, region)

    def owner(number: int) -> str:
        return account if number < KEYS_OF_ACCOUNT else OTHER_ACCOUNT

    def keys() -> Iterator[KmsKey]:
        for number in range(size.keys):
            key_id = key_id_of(number)
            yield KmsKey(**of, account_id=owner(number), key_id=key_id, key_policy=policy)

    def grants() -> Iterator[StoredGrant]:
        for number in range(size.grants):
            at = number % size.keys
            in_crowd = number < size.on_one_key
            holder = account if in_crowd else owner(at)
            user = f"arn:aws:iam::{holder}:user/u{number % GRANTEES}"
            yield StoredGrant(
                **of,
                account_id=holder,
                key_id=crowded.key_id if in_crowd else key_id_of(at),
                grant_id=f"{number:064x}",
                grantee=user,
                grantee_shown=user,
                issuing_account=holder,
                operations=("Encrypt", "Decrypt"),
            )

    guard = database._guard  # noqa: SLF001 - there is no other way to write a million rows
    with database.transaction():
        _begin(database, guard)
        sizes = Counter[tuple[str, str]]()
        for table, entities in ((KMS_KEYS, keys()), (GRANTS, grants())):
            _add(database, guard, table, entities, sizes)
        database.run_many(
            "INSERT INTO group_sizes (name, held_by, members) VALUES (?, ?, ?) "
            "ON CONFLICT (name, held_by) DO UPDATE "
            "SET members = group_sizes.members + excluded.members",
            [(*place, members) for place, members in sizes.items()],
        )
        if guard is not None:
            guard.ledger.keep()
            buckets = ((*place, *bucket) for place, bucket in guard.ledger.closed())
            while some := list(islice(buckets, ROWS_AT_ONCE)):
                database.run_many(STORE_BUCKET, some)


def _begin(database: SqlDatabase, guard: Any) -> None:
    """Begin to mark rows, with all buckets that there are in memory."""
    if isinstance(database, PostgresDatabase):  # marks are computed between its statements
        database.run("SET LOCAL idle_in_transaction_session_timeout = 0")
    if guard is not None:
        guard.begin()
        stored = {
            Place(space, bucket): StoredBucket(version, content, seal)
            for space, bucket, version, content, seal in database.run(_BUCKETS)
        }
        guard.ledger = Ledger(guard.key, stored.get, guard.witness.seen)


def _add(
    database: SqlDatabase,
    guard: Any,
    table: Table,
    entities: Iterator[Any],
    sizes: Counter[tuple[str, str]],
) -> None:
    statements = Statements(table)
    while some := list(islice(entities, ROWS_AT_ONCE)):
        rows: Sequence[tuple[Any, ...]] = [statements.row(entity) for entity in some]
        database.run_many(statements.insert, rows)
        for entity, row in zip(some, rows, strict=True):
            if guard is not None:
                guard.wrote(table, None, (row[-1], entity))
            for group in table.counted:
                values = table.group_of(group, entity)
                sizes[f"{table.name}/{group}", "/".join(values)] += 1
        if guard is not None:
            guard.ledger.keep()
