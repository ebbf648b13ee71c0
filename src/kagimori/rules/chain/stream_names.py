"""Names of streams: the node that writes one, then which of its writers.

Several nodes may share a store, so no node may give a name that another could give too. Streams of
a version without node ids are `w0`, `w1` and `admin`; those of a node `NODE-w0` and so on.
"""

import re
from typing import Final

NODE_ID_CHARACTERS: Final = 10
NODE_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
STREAM_CHARACTERS_MAX: Final = 40
_ADMIN: Final = "admin"
_STREAM: Final = re.compile(
    rf"(?:[{NODE_ID_LETTERS}]{{{NODE_ID_CHARACTERS}}}-)?[a-z0-9]+(?:-[0-9]+)?"
)


def is_node_id(text: str) -> bool:
    return len(text) == NODE_ID_CHARACTERS and set(text) <= set(NODE_ID_LETTERS)


def worker_stream(node: str, worker: str) -> str:
    """Return the name of the stream of one of a node's workers."""
    return f"{node}-{worker}"


def admin_stream(node: str) -> str:
    """Return the name of the stream of what a node's commands change."""
    return f"{node}-{_ADMIN}"


def writer_of(stream: str) -> str:
    """Return a stream's name without its node: `w0`, or `admin`."""
    node, dash, rest = stream.partition("-")
    return rest if dash and is_node_id(node) else stream


def is_stream_name(text: str) -> bool:
    """Return whether a stream can have this name, and a folder for it."""
    return len(text) <= STREAM_CHARACTERS_MAX and _STREAM.fullmatch(text) is not None


def node_of(stream: str) -> str | None:
    """Return the node that a stream is of; None for one of a version without node ids."""
    node, dash, _ = stream.partition("-")
    return node if dash and is_node_id(node) else None


def is_of_node(stream: str, node: str) -> bool:
    return stream.startswith(worker_stream(node, ""))


def is_admin_stream(stream: str) -> bool:
    """Return whether commands write a stream, of whichever node."""
    return writer_of(stream) == _ADMIN
