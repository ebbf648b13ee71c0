"""The data folder of a deployment: the paths in it, its creation, and its lock.

kagimori.db         the store, if it is a file
store-url           where the store is, if it is elsewhere
seal.key            the seal key, hex; what opens the sealed domains (keep a copy elsewhere)
seal-*.key          further seal keys, each for a seal of its own
witness             the newest versions of the store's marks that this node has seen (a sparse file)
shipping.key        the key of what is shipped beside backups; each backup holds it
node-id             the id of this node, in the names of what it writes
audit/STREAM/       the audit journals
hsm/                the HSM's own journal (what credentials it made), and the custodian key
tls/                certificate, key and CA file, if `init --tls` made them
run/                sockets and facts of the running server; nothing to keep
lock                held while a server runs
"""

import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.machinery.files import sync_folder

LOCK_SECONDS_MAX: Final = 5.0
PUBLIC_KEY_NAME: Final = "public-key.pem"
SOCKET_PATH_BYTES_MAX: Final = 100


class Unusable(Exception):
    """A reason why a folder cannot be used, as one line for people."""


class Layout(Struct, frozen=True):
    """Paths in a data directory."""

    data: Path

    @property
    def database(self) -> Path:
        return self.data / "kagimori.db"

    @property
    def store_url(self) -> Path:
        """The file with the URL of the store, if that is no file in the folder."""
        return self.data / "store-url"

    @property
    def store(self) -> str | Path:
        """The place of the store: a file, or a URL.

        Raises:
            OSError: the file that names it cannot be read.
        """
        if not self.store_url.exists():
            return self.database
        return self.store_url.read_text(encoding="utf-8").strip()

    @property
    def is_shared(self) -> bool:
        """True if other nodes may use the same store."""
        return self.store_url.exists()

    @property
    def is_deployment(self) -> bool:
        """True if the folder holds a deployment, wherever its store is."""
        return self.database.is_file() or self.store_url.is_file()

    @property
    def seal_key(self) -> Path:
        return self.data / "seal.key"

    @property
    def seal_keys(self) -> list[Path]:
        """The files of seal keys that there are, the first one first."""
        further = sorted(self.data.glob("seal-*.key"))
        return [file for file in (self.seal_key, *further) if file.is_file()]

    def new_seal_key(self) -> Path:
        """Return where a further seal key can go."""
        return self.data / f"seal-{secrets.token_hex(4)}.key"

    @property
    def custodian_key(self) -> Path:
        """The file that shows the HSM who is no worker; each server makes another."""
        return self.data / "hsm" / "custodian-key"

    @property
    def witness(self) -> Path:
        """The file by which this node notices that rows, or the store, are older than they were."""
        return self.data / "witness"

    @property
    def node_id(self) -> Path:
        return self.data / "node-id"

    @property
    def shipping_key(self) -> Path:
        """The file with the key of the journals that are shipped beside backups."""
        return self.data / "shipping.key"

    @property
    def hsm_journal(self) -> Path:
        """The HSM's own journal of the credentials that it made."""
        return self.data / "hsm" / "journal.jsonl"

    @property
    def audit(self) -> Path:
        return self.data / "audit"

    @property
    def audit_public_key(self) -> Path:
        """The file of the public audit key (PEM), which verifies digests of a copied folder."""
        return self.audit / PUBLIC_KEY_NAME

    @property
    def changes(self) -> Path:
        """The file by which running workers notice changes of the store."""
        return self.run / "changes"

    @property
    def tls(self) -> Path:
        return self.data / "tls"

    @property
    def authority(self) -> Path:
        """The file (PEM) of the deployment's own authority, if `init --tls` made one."""
        return self.tls / "ca.pem"

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def credentials(self) -> Path:
        return self.data / "root-access-key.json"

    @property
    def lock(self) -> Path:
        return self.data / "lock"

    @property
    def running(self) -> Path:
        """The facts of the running server, as JSON."""
        return self.run / "server.json"


def make_folder(data: Path, *, with_seal_key: bool = True, store_url: str | None = None) -> Layout:
    """Make the folder of a new deployment, with a new seal key if that is wanted.

    `store_url` is the place of its store, if that is not to be a file in the folder.

    Raises:
        Unusable: it holds a deployment or something else already, or cannot be written.
    """
    layout = make_empty_folder(data)
    try:
        if with_seal_key:
            write_private(layout.seal_key, secrets.token_hex(32).encode())
        if store_url is not None:
            write_private(layout.store_url, store_url.encode() + b"\n")
        else:
            # SQLite keeps the mode of a file it finds, for its write-ahead log as well.
            write_private(layout.database, b"")
    except OSError as problem:
        raise Unusable(f"cannot write {data}: {problem.strerror}") from None
    return layout


def make_empty_folder(data: Path) -> Layout:
    """Make a folder for a deployment or a node, or take an empty one.

    Raises:
        Unusable: it holds a deployment or something else already, or cannot be written.
    """
    layout = Layout(data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if layout.is_deployment or layout.seal_key.exists():
            raise Unusable(f"{data} already holds a deployment")
        if any(data.iterdir()):
            raise Unusable(f"{data} is not empty")
    except OSError as problem:
        raise Unusable(f"cannot write {data}: {problem.strerror}") from None
    return layout


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read: whole or not at all, and durable."""
    beside = path.with_name(path.name + ".new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def lock(layout: Layout) -> int:
    """Return a descriptor that holds the deployment's lock; workers inherit it.

    A server that was just killed may take a moment to be gone, so this waits a little.

    Raises:
        Unusable: another server uses the folder, or it cannot be written.
    """
    check_exists(layout)
    try:
        file = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise Unusable(f"cannot write {layout.data}: {problem.strerror}") from None
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                os.close(file)
                raise Unusable(f"{layout.data} is in use by another process") from None
            time.sleep(0.05)
        else:
            return file


def is_locked(layout: Layout) -> bool:
    """Return whether a server holds the deployment's lock."""
    try:
        file = os.open(layout.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def check_exists(layout: Layout) -> None:
    """Check that the folder holds a deployment.

    Raises:
        Unusable: it does not.
    """
    if not layout.is_deployment:
        raise Unusable(f"{layout.data} holds no deployment; make one with `kagimori init`")
