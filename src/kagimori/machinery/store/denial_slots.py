"""Carries stored denials over to the streams of this node.

Their slots begin with the name of the stream that stored them. Those of a version without node
ids, or of a node whose folder was restored without its id, would stay for ever: no stream of this
node would ever write over them.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from kagimori.rules.authorization.denial import slot_of, slots_of
from kagimori.rules.chain.stream_names import worker_stream, writer_of

_OTHERS: Final = "SELECT slot, body FROM denials WHERE slot < ? OR slot >= ?"
_NEWEST: Final = "SELECT coalesce(max(version), 0) FROM denials WHERE slot >= ? AND slot < ?"
_REMOVE: Final = "DELETE FROM denials WHERE slot = ?"
_MOVE: Final = "UPDATE denials SET slot = ?, version = ?, body = ? WHERE slot = ?"
Execute = Callable[..., Any]


def adopt_denials(execute: Execute, node: str) -> int:
    """Give all denials slots of this node's streams, numbered in the order of their time.

    Returns how many were moved. `execute` runs a statement in a transaction; no worker may run
    meanwhile.
    """
    found = execute(_OTHERS, _bounds(worker_stream(node, ""))).fetchall()
    moving = sorted(
        ((slot, json.loads(body)) for slot, body in found), key=lambda one: (one[1]["at"], one[0])
    )
    newest: dict[str, int] = {}
    for slot, body in moving:
        stream = worker_stream(node, writer_of(slot.rpartition("/")[0]))
        if stream not in newest:
            (newest[stream],) = execute(_NEWEST, _bounds(slots_of(stream))).fetchone()
        newest[stream] += 1
        _move(execute, slot, stream, newest[stream], body)
    return len(moving)


def _bounds(beginning: str) -> tuple[str, str]:
    """Return where the texts that begin so begin and end, in order."""
    return beginning, beginning[:-1] + chr(ord(beginning[-1]) + 1)


def _move(execute: Execute, slot: str, stream: str, number: int, body: dict[str, Any]) -> None:
    place = slot_of(stream, number)
    moved = {**body, "slot": place, "version": number}
    encoded = json.dumps(moved, separators=(",", ":"), ensure_ascii=False).encode()
    execute(_REMOVE, (place,))
    execute(_MOVE, (place, number, encoded, slot))
