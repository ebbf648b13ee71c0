"""Become the server: `python -m kagimori.server.serving OPTIONS` (JSON). `kagimori serve` does.

The command hands over to this process image, so that what the command line needed does not stay
in memory for as long as the server runs.
"""

import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from kagimori.server import start as assemble
from kagimori.trail.auditor import AuditOptions


class Serve(Struct, frozen=True, tag="serve"):
    data: str
    listen: str
    admin_listen: str
    workers: int
    connections: int
    certificate: str | None = None
    private_key: str | None = None
    attestation_roots: tuple[str, ...] = ()
    web_identity: assemble.WebIdentityOptions = assemble.WebIdentityOptions()
    audit: AuditOptions = AuditOptions()


class Dev(Struct, frozen=True, tag="dev"):
    listen: str
    seed: str | None
    seed_region: str
    seed_account: str
    web_identity: assemble.WebIdentityOptions = assemble.WebIdentityOptions()


def main() -> None:
    options = msgspec.json.decode(sys.argv[1], type=Serve | Dev)
    try:
        failure = _serve(options) if isinstance(options, Serve) else _dev(options)
    except assemble.Unusable as reason:
        failure = str(reason)
    if failure is not None:
        sys.exit(f"kagimori: {failure}")


def _serve(options: Serve) -> str | None:
    certificate, private_key = options.certificate, options.private_key
    return assemble.serve(
        Path(options.data),
        listen=options.listen,
        admin_listen=options.admin_listen,
        workers=options.workers,
        connections=options.connections,
        certificate=None if certificate is None else Path(certificate),
        private_key=None if private_key is None else Path(private_key),
        attestation_roots=tuple(map(Path, options.attestation_roots)),
        web_identity=options.web_identity,
        audit=options.audit,
    )


def _dev(options: Dev) -> str | None:
    return assemble.serve_dev(
        listen=options.listen,
        seed=None if options.seed is None else Path(options.seed),
        seed_region=options.seed_region,
        seed_account=options.seed_account,
        web_identity=options.web_identity,
    )


if __name__ == "__main__":
    main()
