"""The id of this node: random, made once, and part of the names of all that the node writes.

It lies in the data folder and not in the store, which several nodes may share. A folder that has
none (of an older version, or a restored backup) gets one when something is to be written.
"""

from kagimori.deployment.folder import Layout, Unusable
from kagimori.machinery.chance import new_node_id
from kagimori.machinery.files import write_once
from kagimori.rules.chain.stream_names import NODE_ID_CHARACTERS, NODE_ID_LETTERS, is_node_id


def node_id(layout: Layout) -> str:
    """Return the id of the node that the data folder is of; make one if it has none.

    Raises:
        Unusable: the file holds something else, or cannot be read or written.
    """
    try:
        if not layout.node_id.exists():
            write_once(layout.node_id, new_node_id().encode() + b"\n")
        with layout.node_id.open("rb") as file:
            content = file.read(NODE_ID_CHARACTERS + 2)
    except OSError as problem:
        raise Unusable(f"cannot use {layout.node_id}: {problem.strerror}") from None
    found = content.removesuffix(b"\n").decode("ascii", "replace")
    if not is_node_id(found):
        raise Unusable(
            f"{layout.node_id} does not hold the id of a node, {NODE_ID_CHARACTERS} characters of "
            f"{NODE_ID_LETTERS}: restore it, or remove it, and the next start makes another"
        )
    return found
