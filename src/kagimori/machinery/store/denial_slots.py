"""Carries stored denials over to the streams of this node.

Their slots begin with the name of the stream that stored them. Those of a version without node
ids, or of a node whose folder was restored without its id, would stay for ever: no stream of this
node would ever write over them.
"""

import json
import sqlite3
from typing import Final

from kagimori.rules.authorization.denial import slot_of, slots_of
from kagimori.rules.chain.stream_names import worker_stream, writer_of

_OTHERS: Final = (
    "SELECT slot FROM denials WHERE slot < ? OR slot >= ? "
    "ORDER BY json_extract(CAST(body AS TEXT), '$.at'), slot"
)
_BODY: Final = "SELECT body FROM denials WHERE slot = ?"
_NEWEST: Final = "SELECT coalesce(max(version), 0) FROM denials WHERE slot >= ? AND slot < ?"
_MOVE: Final = "UPDATE OR REPLACE denials SET slot = ?, version = ?, body = ? WHERE slot = ?"


def adopt_denials(connection: sqlite3.Connection, node: str) -> int:
    """Give all denials slots of this node's streams, numbered in the order of their time.

    Returns how many were moved. No worker may run meanwhile.

    Raises:
        sqlite3.Error: nothing was changed.
    """
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        moving = [slot for (slot,) in execute(_OTHERS, _bounds(worker_stream(node, "")))]
        newest: dict[str, int] = {}
        for slot in moving:
            stream = worker_stream(node, writer_of(slot.rpartition("/")[0]))
            if stream not in newest:
                (newest[stream],) = execute(_NEWEST, _bounds(slots_of(stream))).fetchone()
            newest[stream] += 1
            _move(connection, slot, stream, newest[stream])
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise
    return len(moving)


def _bounds(beginning: str) -> tuple[str, str]:
    """Return where the texts that begin so begin and end, in order."""
    return beginning, beginning[:-1] + chr(ord(beginning[-1]) + 1)


def _move(connection: sqlite3.Connection, slot: str, stream: str, number: int) -> None:
    (content,) = connection.execute(_BODY, (slot,)).fetchone()
    place = slot_of(stream, number)
    body = {**json.loads(content), "slot": place, "version": number}
    encoded = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    connection.execute(_MOVE, (place, number, encoded, slot))
