"""Commands about virtual MFA devices."""

from msgspec import Struct

from kagimori_boundary.commands.command import HsmCommand


class OneCode(Struct, frozen=True, array_like=True):
    """A code of a virtual MFA device, to be taken once.

    `after` is the step of the newest code taken, `drift` by how many steps the device's clock was
    ahead then, `now` seconds since the epoch.
    """

    serial_number: str
    sealed_seed: bytes
    code: str
    after: int
    drift: int
    now: float


class CreateMfaSeed(HsmCommand, frozen=True, tag=32):
    """Make the seed of a virtual MFA device; answers it plain (once) and sealed."""

    serial_number: str


class TakeCodes(HsmCommand, frozen=True, tag=33):
    """Take two codes of a virtual MFA device that follow each other; answers where its clock is."""

    serial_number: str
    sealed_seed: bytes
    first: str
    second: str
    after: int
    now: float
