"""Virtual MFA devices, as stored."""

from functools import cached_property
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.partitions import AWS

ROOT_USER: Final = "<root_account>"  # as AWS's credential reports call it


class MfaDevice(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A virtual device; its seed is sealed by the HSM, which alone checks codes.

    `holder` is the folded name of the user it is enabled for, or `ROOT_USER`, which no name of a
    user can be; empty while it is for nobody.
    `last_step` is the 30-second step of the newest code taken: neither it nor an older one is
    taken again. `drift` is by how many steps the device's clock was ahead then.
    """

    account_id: str
    name: str
    path: str = "/"
    created_at: float
    sealed_seed: bytes
    holder: str = ""
    enabled_at: float | None = None
    last_step: int = 0
    drift: int = 0
    tags: dict[str, str] = {}
    partition: str = AWS
    version: int = 1

    @property
    def folded(self) -> str:
        return fold(self.name)

    @cached_property
    def serial_number(self) -> str:
        return identity_arn(self.partition, self.account_id, "mfa", self.path, self.name)

    @property
    def arn(self) -> str:
        return self.serial_number
