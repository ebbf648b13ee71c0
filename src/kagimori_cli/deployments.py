"""`kagimori init`, `serve` and `dev`: a deployment is made, and served."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from kagimori.rules.records.bucket import read_bucket
from kagimori.rules.records.receiver import BadReceiver, read_receiver, read_secret
from kagimori.server import start as assemble
from kagimori.server.start import DEFAULT_LISTEN, DEFAULT_REGION, DEV_ACCOUNT
from kagimori_cli.terminal import (
    Data,
    Output,
    OutputOption,
    become_server,
    give_up,
    print_json,
    without_none,
)

WebIdentityKeys = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ISSUER=FILE",
        help="The JSON Web Key Set of an OpenID Connect provider; may be repeated.",
    ),
]
FetchWebIdentityKeys = Annotated[
    bool,
    typer.Option(
        "--fetch-web-identity-keys", help="Fetch those of other providers from their issuers."
    ),
]


def init(
    *,
    data: Data,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="12 digits; drawn at random if absent.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="R", help=f"May be repeated; the first is home. [{DEFAULT_REGION}]"),
    ] = None,
    allow_unknown_regions: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-regions", help="Take regions that botocore does not know yet."
        ),
    ] = False,
    tls: Annotated[
        bool, typer.Option("--tls", help="Make a certificate, and a CA file for AWS_CA_BUNDLE.")
    ] = False,
    tls_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A further name or address for the certificate."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a deployment: the store, the HSM's domains, and the account's root access key."""
    hosts = ("localhost", "127.0.0.1", "::1", *(tls_host or ())) if tls else None
    try:
        made = assemble.initialise(
            data,
            account_id=account,
            regions=tuple(dict.fromkeys(region or [DEFAULT_REGION])),
            unknown_regions=allow_unknown_regions,
            tls_hosts=hosts,
        )
    except assemble.Unusable as reason:
        give_up(str(reason))
    if output is Output.JSON:
        print_json(without_none(made))
        return
    typer.echo(f"A deployment for account {made.account_id} in {made.region} is in {data}.")
    typer.echo(f"Its seal key is {data / 'seal.key'}: keep a copy elsewhere.")
    typer.echo(f"Start it:  kagimori serve --data {data}")
    typer.echo(f'Use it:    eval "$(kagimori env --data {data})"; aws kms list-keys')


def serve(
    *,
    data: Data,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 picks a free one.")
    ] = DEFAULT_LISTEN,
    workers: Annotated[int, typer.Option(min=1, max=64, help="API worker processes.")] = 1,
    admin_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Metrics and status; loopback only.")
    ] = "127.0.0.1:0",
    connections: Annotated[
        int, typer.Option(min=1, help="Open connections for each worker, at most.")
    ] = 4096,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM, with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM.")] = None,
    attestation_root: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A root that attested recipients may lead to, PEM."),
    ] = None,
    web_identity_keys: WebIdentityKeys = None,
    fetch_web_identity_keys: FetchWebIdentityKeys = False,
    digest_minutes: Annotated[
        float, typer.Option(min=0.0, help="Between signed digests of the audit trail; 0: none.")
    ] = 60.0,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE", help="For copies of the digests: a folder, URL or s3:// URL."
        ),
    ] = None,
    checkpoint_lock_days: Annotated[
        float, typer.Option(min=0.0, help="How long copies in a bucket are locked; 0: not.")
    ] = 0.0,
    deliver: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="For log files as CloudTrail's: a folder or s3:// URL."),
    ] = None,
    deliver_minutes: Annotated[
        float, typer.Option(min=0.01, help="Between deliveries of log files.")
    ] = 5.0,
    retain_days: Annotated[
        float | None,
        typer.Option(min=0.0, help="Remove journals older than that, once delivered and signed."),
    ] = None,
    notify_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Events are posted there: HTTPS, or loopback.")
    ] = None,
    webhook_secret: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What posts are signed with.")
    ] = None,
    notify_command: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run for each event, without a shell.")
    ] = None,
    notify_days: Annotated[
        float, typer.Option(min=0.0, help="Tell so long before a deletion or an expiry.")
    ] = 7.0,
    denial_storm: Annotated[
        int, typer.Option(min=0, help="Denials in a minute that are told of; 0: none.")
    ] = 100,
) -> None:
    """Serve a deployment until SIGTERM or SIGINT."""
    if retain_days is not None and (deliver is None or not digest_minutes):
        give_up("--retain-days needs --deliver and digests: nothing is removed before both")
    for option, url in (("--notify-url", notify_url), ("--checkpoint", checkpoint)):
        if url is not None:
            _check_receiver(option, url, webhook_secret)
    if deliver is not None and "://" in deliver:
        _check_bucket(deliver)
    if checkpoint_lock_days and not (checkpoint or "").startswith("s3://"):
        give_up("--checkpoint-lock-days needs --checkpoint s3://BUCKET/PREFIX")
    become_server(
        kind="serve",
        data=str(data),
        listen=listen,
        admin_listen=admin_listen,
        workers=workers,
        connections=connections,
        certificate=None if tls_certificate is None else str(tls_certificate),
        private_key=None if tls_key is None else str(tls_key),
        attestation_roots=[str(root) for root in attestation_root or ()],
        web_identity={"files": web_identity_keys or [], "fetch": fetch_web_identity_keys},
        audit={
            "digest_minutes": digest_minutes,
            "checkpoints": None if checkpoint is None else _place_of(checkpoint),
            "checkpoint_lock_days": checkpoint_lock_days,
            "deliver": None if deliver is None else _place_of(deliver),
            "deliver_minutes": deliver_minutes,
            "retain_days": retain_days,
            "notify_url": notify_url,
            "webhook_secret": None if webhook_secret is None else str(webhook_secret.absolute()),
            "notify_command": _words_of(notify_command or ""),
            "notify_days": notify_days,
            "denial_storm": denial_storm,
        },
    )


def _words_of(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as why:
        give_up(f"--notify-command: {why}")


def _place_of(place: str) -> str:
    return place if "://" in place else str(Path(place).absolute())


def _check_bucket(place: str) -> None:
    try:
        read_bucket(place, os.environ)
    except BadReceiver as why:
        give_up(str(why))


def _check_receiver(option: str, place: str, secret: Path | None) -> None:
    """Give up before anything runs if nothing could be sent to a place."""
    try:
        if place.startswith("s3://") and option == "--checkpoint":
            _check_bucket(place)
        elif "://" in place or option != "--checkpoint":
            read_receiver(place)
            if secret is None:
                give_up(f"{option} needs --webhook-secret: what is sent is signed")
            read_secret(secret.read_bytes())
    except BadReceiver as why:
        give_up(str(why))
    except OSError as problem:
        give_up(f"{secret} cannot be read: {problem.strerror}")


def dev(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 picks a free one.")
    ] = DEFAULT_LISTEN,
    seed: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML: keys with given ids, aliases and material."),
    ] = None,
    seed_region: Annotated[
        str, typer.Option(envvar="KMS_REGION", metavar="R", help="Where the seed goes.")
    ] = DEFAULT_REGION,
    seed_account: Annotated[
        str, typer.Option(envvar="KMS_ACCOUNT_ID", metavar="ID", help="Whose the seed is.")
    ] = DEV_ACCOUNT,
    web_identity_keys: WebIdentityKeys = None,
    fetch_web_identity_keys: FetchWebIdentityKeys = False,
) -> None:
    """Serve for tests. NOT SAFE: nothing is kept, and any credentials are an account's root."""
    typer.echo("kagimori dev is NOT SAFE: nothing is kept, any credentials are accepted", err=True)
    become_server(
        kind="dev",
        listen=listen,
        seed=None if seed is None else str(seed),
        seed_region=seed_region,
        seed_account=seed_account,
        web_identity={"files": web_identity_keys or [], "fetch": fetch_web_identity_keys},
    )
