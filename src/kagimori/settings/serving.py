"""Settings of the server as a whole, its admin listener, and its certificate."""

from typing import Annotated, Final

from kagimori.settings.about import BOTH, About, Section

DEFAULT_PORT: Final = 8567
DEFAULT_LISTEN: Final = f"127.0.0.1:{DEFAULT_PORT}"


class Serve(Section, frozen=True):
    """The server as a whole."""

    listen: Annotated[
        str,
        About(
            "Where requests are answered; port 0 picks a free one.",
            flag="--listen",
            metavar="HOST:PORT",
            commands=BOTH,
        ),
    ] = DEFAULT_LISTEN
    workers: Annotated[int, About("API worker processes.", least=1, most=64, flag="--workers")] = 1
    drain_seconds: Annotated[
        float, About("For requests in flight when it is to stop.", least=0, most=3600)
    ] = 20.0
    silent_seconds: Annotated[
        float,
        About("A worker that answers its supervisor nothing for longer is replaced.", least=1),
    ] = 20.0
    start_seconds: Annotated[
        float,
        About(
            "A worker that answers its supervisor nothing for longer while it starts is replaced.",
            least=1,
        ),
    ] = 60.0
    check_modes: Annotated[
        bool,
        About(
            "Refuse to start while private files can be read by others; false: only warn, where "
            "a file system has no permissions."
        ),
    ] = True


class Admin(Section, frozen=True):
    """The listener for metrics and status."""

    listen: Annotated[
        str,
        About("Metrics and status; loopback only.", flag="--admin-listen", metavar="HOST:PORT"),
    ] = "127.0.0.1:0"


class Tls(Section, frozen=True):
    """The certificate and key for TLS, instead of those that `init --tls` made."""

    certificate: Annotated[
        str | None,
        About("PEM, with its chain.", flag="--tls-certificate", metavar="FILE", is_path=True),
    ] = None
    key: Annotated[
        str | None,
        About(
            "The certificate's private key, PEM.", flag="--tls-key", metavar="FILE", is_path=True
        ),
    ] = None
