"""The operations that look into the audit trail."""

from typing import Final

from kagimori.operations.cloudtrail import LookupEvents
from kagimori.operations.operation import Operation
from kagimori.ports import Trail

AUDIT_OPERATIONS: Final[tuple[Operation, ...]] = (LookupEvents(),)


def over(trail: Trail) -> dict[tuple[str, str], Operation]:
    """Return these operations, looking into this trail."""
    return {("cloudtrail", "LookupEvents"): LookupEvents(trail)}
