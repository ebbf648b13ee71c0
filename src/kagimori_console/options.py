"""Settings of a console: where the service is, and for how long a person is signed in."""

from dataclasses import dataclass, field
from typing import Final

IDLE_MINUTES_DEFAULT: Final = 60
REQUESTS_PER_SECOND_DEFAULT: Final = 50
SIGN_INS_PER_MINUTE_DEFAULT: Final = 20
REGION_DEFAULT: Final = "eu-central-1"


@dataclass(frozen=True)
class Tls:
    """The files (PEM) of the console's certificate and of its private key."""

    certificate: str
    private_key: str


@dataclass(frozen=True)
class Options:
    """The settings of one console.

    `public_url` is the address that browsers use if a proxy with TLS stands before the console. The
    rates are those of one browser's address. `session_key` seals the session cookies: consoles
    that stand for one another share it.
    """

    endpoint_url: str
    ca_bundle: str | None = None
    host: str = "127.0.0.1"
    port: int = 8569
    regions: tuple[str, ...] = (REGION_DEFAULT,)
    tls: Tls | None = None
    public_url: str | None = None
    idle_minutes: int = IDLE_MINUTES_DEFAULT
    requests_per_second: int = REQUESTS_PER_SECOND_DEFAULT
    sign_ins_per_minute: int = SIGN_INS_PER_MINUTE_DEFAULT
    session_key: bytes = field(default=b"", repr=False)

    @property
    def secure(self) -> bool:
        """True if browsers reach the console by https."""
        return self.tls is not None or (self.public_url or "").startswith("https://")
