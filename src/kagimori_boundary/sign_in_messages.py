"""Messages about passwords and virtual MFA devices; part of the protocol in `messages.py`."""

from msgspec import Struct


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


class HashPassword(Struct, frozen=True, array_like=True, tag=31):
    """Hash a new password of a user; answers the hash sealed with the newest before it.

    `sealed_before` is what was answered for the password before (empty for the first), `current`
    that password where it must be known to be changed. The new one must be none of `remembered`.
    """

    account_id: str
    user_id: str
    password: str
    sealed_before: bytes = b""
    current: str | None = None
    remembered: int = 0


class CreateMfaSeed(Struct, frozen=True, array_like=True, tag=32):
    """Make the seed of a virtual MFA device; answers it plain (once) and sealed."""

    serial_number: str


class TakeCodes(Struct, frozen=True, array_like=True, tag=33):
    """Take two codes of a virtual MFA device that follow each other; answers where its clock is."""

    serial_number: str
    sealed_seed: bytes
    first: str
    second: str
    after: int
    now: float


class TakenCode(Struct, frozen=True, array_like=True, tag=14):
    """The 30-second step of a code that was right, and by how many the device is ahead."""

    step: int
    drift: int


class NewSeed(Struct, frozen=True, array_like=True, tag=15):
    """`base32_seed` is for the device; the other is all that is kept."""

    base32_seed: str
    sealed_seed: bytes
