"""What every action of IAM has in common, those that simulate among them."""

from typing import Any, Final

from kagimori.gate.asked import Need
from kagimori.operations.operation import Operation

PAGE_DEFAULT: Final = 100


class IamOperation(Operation):
    service = "iam"

    def need(self, resource: str, entity: Any = None, **values: str) -> Need:
        """Return the need of this operation on a resource.

        `values` are further condition keys, with `_` for their colon.
        """
        return Need(
            f"iam:{self.name}",
            resource=resource,
            resource_tags=entity.tags if entity is not None else None,
            values={key.replace("_", ":"): value for key, value in values.items()},
        )
