"""Commands about passwords and virtual MFA devices."""

from typing import ClassVar

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


class HashPassword(HsmCommand, frozen=True, tag=31):
    """Hash a new password of a user; answers the hash sealed with the newest before it.

    `sealed_before` is what was answered for the password before (empty for the first), `current`
    that password where it must be known to be changed. The new one must be none of `remembered`.
    """

    is_slow: ClassVar[bool] = True

    account_id: str
    user_id: str
    password: str
    sealed_before: bytes = b""
    current: str | None = None
    remembered: int = 0


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
