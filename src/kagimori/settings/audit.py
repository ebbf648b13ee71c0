"""Settings of the audit trail."""

from typing import Annotated

from kagimori.settings.about import About, Section


class AuditOptions(Section, frozen=True):
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
    ship: Annotated[
        str | None,
        About(
            "For the journals, encrypted, beside the backups: a folder or s3:// URL.",
            flag="--ship",
            metavar="PLACE",
            is_path=True,
        ),
    ] = None
    ship_seconds: Annotated[
        float, About("Between shipments of new records.", least=0.1, flag="--ship-seconds")
    ] = 10.0
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
