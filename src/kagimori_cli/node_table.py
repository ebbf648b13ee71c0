"""The table of nodes that `kagimori node list` and `kagimori status` print."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kagimori_cli.table import print_table
from kagimori_cli.times import shown

_HEADINGS: Final = (
    "node", "", "state", "address", "version", "schema", "workers", "troubles", "heartbeat", "age",
)  # fmt: skip


def print_nodes(nodes: Iterable[Mapping[str, Any]]) -> None:
    """Print nodes; `*` marks the one that does what time asks for."""
    print_table(_HEADINGS, [_row(one) for one in nodes], right=("schema", "workers", "age"))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    beat, age = one.get("heartbeat_at"), one.get("heartbeat_age_seconds")
    return (
        one["node_id"],
        "*" if one["holds_lease"] else "",
        one["state"].lower(),
        one.get("address", ""),
        one.get("version", ""),
        str(one.get("schema_version", "")),
        str(one.get("workers", "")),
        ", ".join(one.get("troubles", ())),
        "" if beat is None else shown(beat),
        "" if age is None else f"{age:.0f} s",
    )
