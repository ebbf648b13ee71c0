"""Checks that settings fit each other and the machine, before anything starts."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kagimori.deployment.folder import Unusable
from kagimori.deployment.token_checks import check_tokens
from kagimori.machinery.addresses import read_network, read_place
from kagimori.rules.quotas.rates import BadRate, read_rates
from kagimori.rules.records.bucket import SCHEME, read_bucket
from kagimori.rules.records.receiver import BadReceiver, read_receiver, read_secret
from kagimori.settings import AuditOptions, KeyStores, Settings, Tls

_URL: Final = "://"


def check_settings(settings: Settings, environment: Mapping[str, str]) -> None:
    """Check that a server can be started with the settings.

    `environment` is where AWS's variables for a bucket are.

    Raises:
        Unusable: what contradicts another setting, or cannot be used.
    """
    _check_tls(settings.tls)
    _check_audit(settings.audit, environment)
    check_tokens(settings.tokens)
    _check_key_stores(settings.key_stores)
    try:
        read_rates(settings.quotas.profile, settings.quotas.rates)
    except BadRate as why:
        raise Unusable(f"{why} (quotas.profile, quotas.rates)") from None


def _check_tls(tls: Tls) -> None:
    if (tls.certificate is None) != (tls.key is None):
        raise Unusable("--tls-certificate and --tls-key go together (tls.certificate, tls.key)")


def _check_key_stores(key_stores: KeyStores) -> None:
    try:
        for place in key_stores.reached_at.values():
            read_place(place)
    except ValueError as problem:
        raise Unusable(f"{problem} (key_stores.reached_at)") from None
    try:
        for network in key_stores.networks:
            read_network(network)
    except ValueError as problem:
        raise Unusable(f"{problem} (key_stores.networks)") from None


def _check_audit(audit: AuditOptions, environment: Mapping[str, str]) -> None:
    if audit.retain_days is not None and (audit.deliver is None or not audit.digest_minutes):
        raise Unusable(
            "--retain-days needs --deliver and digests: nothing is removed before both "
            "(audit.retain_days, audit.deliver, audit.digest_minutes)"
        )
    try:
        if audit.notify_url is not None:
            _check_url("--notify-url", audit.notify_url, audit.webhook_secret)
        if audit.checkpoints is not None:
            _check_place("--checkpoint", audit.checkpoints, audit.webhook_secret, environment)
        for place in (audit.deliver, audit.ship):
            if place is not None and _URL in place:
                read_bucket(place, environment)
    except BadReceiver as why:
        raise Unusable(str(why)) from None
    if audit.checkpoint_lock_days and not (audit.checkpoints or "").startswith(SCHEME):
        raise Unusable("--checkpoint-lock-days needs --checkpoint s3://BUCKET/PREFIX")
    try:
        shlex.split(audit.notify_command or "")
    except ValueError as why:
        raise Unusable(f"--notify-command: {why}") from None


def _check_place(
    option: str, place: str, secret: str | None, environment: Mapping[str, str]
) -> None:
    if place.startswith(SCHEME):
        read_bucket(place, environment)
    elif _URL in place:
        _check_url(option, place, secret)


def _check_url(option: str, url: str, secret: str | None) -> None:
    read_receiver(url)
    if secret is None:
        raise Unusable(f"{option} needs --webhook-secret: what is sent is signed")
    try:
        read_secret(Path(secret).read_bytes())
    except OSError as problem:
        raise Unusable(f"{secret} cannot be read: {os.strerror(problem.errno or 0)}") from None
