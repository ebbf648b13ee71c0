"""Confines an API worker that serves: to its journals and the store, without the seal.

A worker parses what strangers send. One that was taken over must not be able to read the seal key,
with which everything in the store could be opened elsewhere, nor to change the HSM's journal.
"""

from pathlib import Path

from kagimori.deployment.folder import Layout
from kagimori.machinery.files import sync_folder
from kagimori.machinery.store.held_open import HeldOpen
from kagimori.server.worker_config import WorkerConfig
from kagimori_sandbox import landlock


class Confinement:
    """Made before the worker has threads, and kept for as long as it lives."""

    def __init__(self, config: WorkerConfig) -> None:
        layout = Layout(Path(config.data))
        for folder in (layout.audit, layout.run):
            folder.mkdir(mode=0o700, exist_ok=True)
        layout.witness.touch(mode=0o600)
        sync_folder(layout.data)
        # The store's files are named one by one, so they must all be there, and stay.
        self._store = HeldOpen(layout.store)
        tokens = config.settings.tokens.values()
        certificates = filter(None, (config.certificate, config.private_key))
        landlock.confine(
            readable=[
                *landlock.runtime_paths(),
                *(layout.store_url, *self._store.readable),
                *(Path(file).resolve().parent for file in certificates),
            ],
            writable=[layout.audit, layout.run, layout.witness, *self._store.files],
            listable=[layout.data],
            hidden=[
                *(*layout.seal_keys, layout.credentials, layout.hsm_journal.parent),
                *(Path(token.pin_file) for token in tokens if token.pin_file is not None),
            ],
            connects=True,  # to identity providers, and to a database elsewhere
        )
        secret = (*layout.seal_keys, layout.custodian_key)
        self.keeps_the_seal_hidden = not any(map(_can_read, secret))


def _can_read(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError:
        return False
