"""Serves a throwaway deployment, as `kagimori dev` does. NOT SAFE."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.init import DEFAULT_REGION, make_deployment
from kagimori.deployment.integrity import arm
from kagimori.deployment.opened import opened
from kagimori.dev.seed import BadSeed, planted, read_seed
from kagimori.dev.unverified import DEV_ACCOUNT
from kagimori.hsm.process import HsmProcess
from kagimori.rules.partitions import is_known, known_regions
from kagimori.rules.quotas.profile import AWS, OFF
from kagimori.server.start import hsm_socket, serve
from kagimori.settings import AuditOptions, Dev, Quotas, Settings


def serve_dev(settings: Settings) -> str | None:
    """Serve until a signal to stop; return the reason if that was impossible. Nothing is kept.

    Raises:
        Unusable: the address, the seed file, or a region of the seed that does not exist.
    """
    wanted = settings.dev
    if not is_known(wanted.seed_region):
        raise Unusable(f"AWS has no region {wanted.seed_region!r}")
    with tempfile.TemporaryDirectory(prefix="kagimori-dev-") as folder:
        data = Path(folder) / "data"
        # It makes no difference here, so a test may name any region of any partition.
        regions = (DEFAULT_REGION, *(one for one in known_regions() if one != DEFAULT_REGION))
        make_deployment(data, DEV_ACCOUNT, regions, audit_key=False)
        if wanted.seed is not None:
            _plant(Layout(data), Path(wanted.seed), wanted)
        return serve(
            data,
            # Nothing is kept, so domain keys rotate only when somebody asks for it.
            replace(
                settings,
                audit=AuditOptions(digest_minutes=0),
                domains=replace(settings.domains, rotation_hours=0.0),
                quotas=_quotas(settings.quotas),
            ),
            worker_module="kagimori.dev",
            dev_hsm=True,
        )


def _quotas(wanted: Quotas) -> Quotas:
    """Return AWS's quotas if they are asked for, else none: tests are not to be held up."""
    return wanted if wanted.profile == AWS else replace(wanted, profile=OFF)


def _plant(layout: Layout, seed: Path, settings: Dev) -> None:
    """Put the keys and aliases of a seed file into a new store."""
    try:
        wanted = read_seed(seed)
        with ExitStack() as stack:
            deployment = stack.enter_context(opened(layout.data))
            hsm = HsmProcess(hsm_socket(layout, stack), layout.seal_keys, dev=True)
            stack.callback(hsm.end)
            hsm.unseal(deployment.facts.sealed_domains)
            arm(deployment.store, layout, hsm.ask)
            change = planted(
                wanted,
                settings.seed_account,
                settings.seed_region,
                round(time.time(), 3),
                hsm.ask,
            )
            deployment.store.commit(change.writes, change.record)
    except BadSeed as reason:
        raise Unusable(str(reason)) from None
