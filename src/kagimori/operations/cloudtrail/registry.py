"""The operations that look into the audit trail."""

from typing import Final

from kagimori.operations.cloudtrail.events import ListPublicKeys, LookupEvents
from kagimori.operations.operation import AnyOperation
from kagimori.ports import Trail

AUDIT_OPERATIONS: Final[tuple[AnyOperation, ...]] = (LookupEvents(), ListPublicKeys())


def over(trail: Trail) -> dict[tuple[str, str], AnyOperation]:
    """Return these operations, looking into this trail."""
    return {
        (operation.service, operation.name): operation
        for operation in (LookupEvents(trail), ListPublicKeys(trail))
    }
