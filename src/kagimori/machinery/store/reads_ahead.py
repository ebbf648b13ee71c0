"""The reads of a transaction, known from its writes before it begins.

A database behind a network is asked for all of it in one trip. What is forgotten here is read when
it is needed, so nothing depends on it but time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kagimori.machinery.store.group_sizes import size_read
from kagimori.machinery.store.guard import Guard, Statement, groups_of
from kagimori.machinery.store.sql import Statements
from kagimori.ports import Delete, Expect, ExpectAtMost, Put, Write
from kagimori_boundary.token_form import domain_key_id

CLOSED: Final = "closed_domain_keys"


def reads_of(
    writes: Sequence[Write], statements: Mapping[str, Statements], guard: Guard | None
) -> Iterator[Statement]:
    """Yield the statements that will be asked for writes, each of which finds a row or none."""
    for write in writes:
        table = write.table
        is_guarded = guard is not None and not table.unguarded
        if isinstance(write, ExpectAtMost):
            if write.group in table.counted:
                yield size_read(table, write.group, write.values)
            if guard is not None and is_guarded and write.group in table.guarded_groups:
                yield guard.bucket_read(f"{table.name}/{write.group}", write.values)
        elif guard is not None and is_guarded:
            yield from _reads_of_row(write, statements, guard)


def _reads_of_row(
    write: Put | Delete | Expect, statements: Mapping[str, Statements], guard: Guard
) -> Iterator[Statement]:
    table, entity = write.table, write.entity
    before = write.before if isinstance(write, Put) else entity
    key = table.key_of(entity)
    if before is not None:
        yield statements[table.name].select_row, key
    yield guard.bucket_read(table.name, key)
    if isinstance(write, Expect):
        return
    for one in (entity, before):
        if one is not None:
            for group, values in groups_of(table, one).items():
                yield guard.bucket_read(f"{table.name}/{group}", values)
    if isinstance(write, Put) and table.tokens is not None and CLOSED in statements:
        for token in table.tokens(entity):
            key_id = domain_key_id(token)
            if key_id is not None:
                yield statements[CLOSED].select_row, (key_id.hex(),)
                yield guard.bucket_read(CLOSED, (key_id.hex(),))
