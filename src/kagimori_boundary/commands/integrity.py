"""The command about the key that authenticates the rows of the store."""

from typing import ClassVar

from kagimori_boundary.commands.command import OPERATOR_AND_WORKER, HsmCommand, Role


class DeriveIntegrityKey(HsmCommand, frozen=True, tag=110):
    """Derive the key that authenticates the rows of the store: 32 bytes, the same as ever.

    Answers no bytes for a deployment that has no secret for it yet: an earlier version made it, and
    `CreateDomains` gives it one.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER
