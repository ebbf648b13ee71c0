"""The base of all actions of IAM, the simulator's included."""

from typing import Final, Protocol

from kagimori.gate.asked import Need
from kagimori.operations.operation import F, Operation, R

PAGE_DEFAULT: Final = 100


class Tagged(Protocol):
    """An entity with tags, which conditions may ask about."""

    @property
    def arn(self) -> str:
        """Return the ARN."""

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags."""


class IamOperation(Operation[F, R]):
    service = "iam"

    def need(self, resource: str, entity: Tagged | None = None, **values: str) -> Need:
        """Return the need of this operation on a resource.

        `values` are further condition keys, with `_` for their colon.
        """
        return Need(
            f"iam:{self.name}",
            resource=resource,
            resource_tags=entity.tags if entity is not None else None,
            values={key.replace("_", ":"): value for key, value in values.items()},
        )
