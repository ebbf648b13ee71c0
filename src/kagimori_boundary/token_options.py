"""The options of a token process, as JSON on its command line. No secret is among them."""

from msgspec import Struct


class TokenOptions(Struct, frozen=True):
    """The PKCS#11 token that the process connects to, and what it may reach.

    The token is found by its label, its serial number, or both. `reads_and_writes` are folders and
    files that the library needs. After `operation_seconds` in one call of the library the process
    ends, and with it the call. `operator_fd` is inherited: when its other end closes, the process
    ends.
    """

    name: str
    socket_path: str
    module: str
    pin_file: str
    label: str | None = None
    serial: str | None = None
    reads_and_writes: tuple[str, ...] = ()
    network: bool = False
    operation_seconds: float = 10.0
    operator_fd: int = -1
