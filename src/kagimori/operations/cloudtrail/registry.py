"""The operations that look into the audit trail."""

from typing import Final

from kagimori.operations.cloudtrail.events import ListPublicKeys, LookupEvents
from kagimori.operations.operation import Operation
from kagimori.ports import Trail

AUDIT_OPERATIONS: Final[tuple[Operation, ...]] = (LookupEvents(), ListPublicKeys())


def over(trail: Trail) -> dict[tuple[str, str], Operation]:
    """Return these operations, looking into this trail."""
    return {
        (operation.service, operation.name): operation
        for operation in (LookupEvents(trail), ListPublicKeys(trail))
    }
