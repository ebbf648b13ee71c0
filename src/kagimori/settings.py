"""Every setting of a server, once: its type, bounds, default and meaning. Values only.

The names are those of `kagimori.toml`: section and member. From these definitions come the
options of the command, the environment variables, and docs/look-up/settings.md; the tree itself
goes as JSON to every process. A secret is never in it, only the file where it is.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

import msgspec
from msgspec import Struct

DEFAULT_PORT: Final = 8567
DEFAULT_LISTEN: Final = f"127.0.0.1:{DEFAULT_PORT}"
SERVE: Final = ("serve",)
DEV: Final = ("dev",)
BOTH: Final = (*SERVE, *DEV)


class About(NamedTuple):
    """The description of a setting beside its type and default.

    `flag` is its option (`--set NAME=VALUE` sets every one), in these `commands`; `variable` a
    further environment variable that it is read from. A path is relative to the file it stands in.
    """

    meaning: str
    least: float | None = None
    most: float | None = None
    flag: str | None = None
    metavar: str | None = None
    commands: tuple[str, ...] = SERVE
    variable: str | None = None
    is_path: bool = False


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Serve(_Section, frozen=True):
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
    check_modes: Annotated[
        bool,
        About(
            "Refuse to start while private files can be read by others; false: only warn, where "
            "a file system has no permissions."
        ),
    ] = True


class Admin(_Section, frozen=True):
    """The listener for metrics and status."""

    listen: Annotated[
        str,
        About("Metrics and status; loopback only.", flag="--admin-listen", metavar="HOST:PORT"),
    ] = "127.0.0.1:0"


class Tls(_Section, frozen=True):
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


class FrontLimits(_Section, frozen=True):
    """Limits of one connection, and of all connections of a worker.

    Sizes are bytes on the wire. Times are checked by a sweep once a second (more often when a
    limit is shorter than that), so each may be exceeded by one sweep.
    """

    head_bytes: Annotated[
        int, About("Request line and headers together; beyond it 431.", least=1024)
    ] = 32 * 1024
    headers: Annotated[int, About("Header lines in one head; beyond it 431.", least=10)] = 100
    body_bytes: Annotated[int, About("A body, decoded; beyond it 413.", least=64 * 1024)] = (
        1024 * 1024
    )
    header_seconds: Annotated[
        float,
        About(
            "From a head's first byte to its last (for the first one: from the connection); "
            "then 408.",
            least=0.1,
        ),
    ] = 10.0
    body_seconds: Annotated[
        float, About("From the end of a head to the end of its body; then 408.", least=0.1)
    ] = 30.0
    idle_seconds: Annotated[
        float,
        About(
            "Between requests, and for a peer that does not read its answers; then a silent close.",
            least=0.1,
        ),
    ] = 75.0
    linger_seconds: Annotated[
        float,
        About(
            "How long a refused peer's remaining bytes are read and dropped, so that it sees why.",
            least=0,
        ),
    ] = 2.0
    connections: Annotated[
        int,
        About(
            "Open connections for each worker, at most; one more takes the place of one that asks "
            "nothing, or is answered 503.",
            least=1,
            flag="--connections",
        ),
    ] = 4096
    peer_connections_percent: Annotated[
        int,
        About(
            "How many of them one address may have (of IPv6: one /64 network), in percent; one "
            "more takes the place of its own, or is answered 503. 100 behind a proxy.",
            least=1,
            most=100,
        ),
    ] = 75
    bodies_bytes: Annotated[
        int,
        About(
            "All unfinished and unanswered bodies of a worker together, without the first 16 KiB "
            "of each; beyond it 503.",
            least=1024 * 1024,
        ),
    ] = 128 * 1024 * 1024
    peer_percent: Annotated[
        int,
        About(
            "How much of that one address may have (of IPv6: one /64 network), in percent.", least=1
        ),
    ] = 75
    pipelined: Annotated[
        int,
        About("Requests in flight on one connection before it is no longer read.", least=1),
    ] = 64

    def sweep_seconds(self) -> float:
        """Return how often deadlines are to be looked at."""
        shortest = min(self.header_seconds, self.body_seconds, self.idle_seconds)
        return min(1.0, max(0.01, shortest / 4))


class Hsm(_Section, frozen=True):
    """Time limits of the HSM."""

    answer_seconds: Annotated[
        float, About("For the answer to a command; then the request fails.", least=1)
    ] = 30.0
    slow_answer_seconds: Annotated[
        float, About("For the answer to slow work, which waits for its turn.", least=1)
    ] = 90.0
    silent_seconds: Annotated[
        float, About("An HSM that answers nothing for longer is replaced.", least=1)
    ] = 10.0


class DomainKeys(_Section, frozen=True):
    """The keys that wrap all stored keys and secrets, one ring of them for each region."""

    rotation_hours: Annotated[
        float,
        About("Between rotations of domain keys; 0: only when an operator asks.", least=0),
    ] = 24.0
    keep_days: Annotated[
        float,
        About(
            "How long a domain key is kept after its rotation, for the tokens that clients carry; "
            "then it is destroyed, once no stored token needs it.",
            least=2,
        ),
    ] = 3.0
    rewraps_per_second: Annotated[
        int,
        About(
            "Keys and other entities whose tokens are wrapped anew in a second, at most.",
            least=1,
            most=10_000,
        ),
    ] = 100


class AuditOptions(_Section, frozen=True):
    """Settings of the audit trail: digests, copies, log files and notices."""

    digest_minutes: Annotated[
        float,
        About(
            "Between signed digests of the audit trail; 0: none.", least=0, flag="--digest-minutes"
        ),
    ] = 60.0
    checkpoints: Annotated[
        str | None,
        About(
            "For copies of the digests: a folder, URL or s3:// URL.",
            flag="--checkpoint",
            metavar="PLACE",
            is_path=True,
        ),
    ] = None
    checkpoint_lock_days: Annotated[
        float,
        About(
            "How long copies in a bucket are locked; 0: not.",
            least=0,
            flag="--checkpoint-lock-days",
        ),
    ] = 0.0
    deliver: Annotated[
        str | None,
        About(
            "For log files as CloudTrail's: a folder or s3:// URL.",
            flag="--deliver",
            metavar="PLACE",
            is_path=True,
        ),
    ] = None
    deliver_minutes: Annotated[
        float, About("Between deliveries of log files.", least=0.01, flag="--deliver-minutes")
    ] = 5.0
    retain_days: Annotated[
        float | None,
        About(
            "Remove journals older than that, once delivered and signed.",
            least=0,
            flag="--retain-days",
        ),
    ] = None
    notify_url: Annotated[
        str | None,
        About("Events are posted there: HTTPS, or loopback.", flag="--notify-url", metavar="URL"),
    ] = None
    webhook_secret: Annotated[
        str | None,
        About(
            "The file with the secret that posts are signed with.",
            flag="--webhook-secret",
            metavar="FILE",
            is_path=True,
        ),
    ] = None
    notify_command: Annotated[
        str | None,
        About("Run for each event, without a shell.", flag="--notify-command", metavar="COMMAND"),
    ] = None
    notify_days: Annotated[
        float,
        About("Notify so long before a deletion or an expiry.", least=0, flag="--notify-days"),
    ] = 7.0
    denial_storm: Annotated[
        int,
        About("Denials in a minute that are announced; 0: none.", least=0, flag="--denial-storm"),
    ] = 100


class WebIdentity(_Section, frozen=True):
    """The issuers whose web identity tokens can be verified."""

    keys: Annotated[
        dict[str, str],
        About(
            "The JSON Web Key Set of an OpenID Connect provider; may be repeated.",
            flag="--web-identity-keys",
            metavar="ISSUER=FILE",
            commands=BOTH,
            is_path=True,
        ),
    ] = {}
    fetch: Annotated[
        bool,
        About(
            "Fetch those of other providers from their issuers.",
            flag="--fetch-web-identity-keys",
            commands=BOTH,
        ),
    ] = False


class Attestation(_Section, frozen=True):
    """Recipients that attest what they are."""

    roots: Annotated[
        tuple[str, ...],
        About(
            "Roots that attested recipients may lead to, PEM; may be repeated.",
            flag="--attestation-root",
            metavar="FILE",
            is_path=True,
        ),
    ] = ()


class Dev(_Section, frozen=True):
    """`kagimori dev` alone; `serve` reads none of it."""

    seed: Annotated[
        str | None,
        About(
            "YAML: keys with given ids, aliases and material.",
            flag="--seed",
            metavar="FILE",
            commands=DEV,
            is_path=True,
        ),
    ] = None
    hosts: Annotated[
        tuple[str, ...],
        About(
            "Names beside those of loopback by which requests may come, and of whose web pages; "
            "may be repeated.",
            flag="--allow-host",
            metavar="NAME",
            commands=DEV,
        ),
    ] = ()
    seed_region: Annotated[
        str,
        About(
            "Where the seed goes.",
            flag="--seed-region",
            metavar="R",
            commands=DEV,
            variable="KMS_REGION",
        ),
    ] = "us-east-1"
    seed_account: Annotated[
        str,
        About(
            "Whose the seed is.",
            flag="--seed-account",
            metavar="ID",
            commands=DEV,
            variable="KMS_ACCOUNT_ID",
        ),
    ] = "000000000000"


class Settings(_Section, frozen=True):
    """The whole tree."""

    serve: Serve = Serve()
    admin: Admin = Admin()
    tls: Tls = Tls()
    front: FrontLimits = FrontLimits()
    hsm: Hsm = Hsm()
    domains: DomainKeys = DomainKeys()
    audit: AuditOptions = AuditOptions()
    web_identity: WebIdentity = WebIdentity()
    attestation: Attestation = Attestation()
    dev: Dev = Dev()


def encode_settings(settings: Settings) -> str:
    """Return the tree as JSON, for another process."""
    return msgspec.json.encode(settings).decode()


class Setting(NamedTuple):
    """One definition, as the tree has it."""

    section: str
    member: str
    kind: Any
    about: About
    default: Any

    @property
    def name(self) -> str:
        return f"{self.section}.{self.member}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables it is read from, the first before the others."""
        own = f"KAGIMORI_{self.section}_{self.member}".upper()
        return (own,) if self.about.variable is None else (own, self.about.variable)


def all_settings() -> Iterator[Setting]:
    """Yield every setting, in the tree's order."""
    tree = Settings()
    for section in Settings.__struct_fields__:
        values = getattr(tree, section)
        hints = get_type_hints(type(values), include_extras=True)
        for member in type(values).__struct_fields__:
            kind, (about,) = hints[member].__origin__, hints[member].__metadata__
            yield Setting(section, member, kind, about, getattr(values, member))
