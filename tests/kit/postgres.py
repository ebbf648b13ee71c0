"""A PostgreSQL of the tests' own: one for a test process, a database for each test.

It listens on a socket in a temporary folder, syncs nothing, and ends with the process. It refuses
to run as root, so root runs it as `postgres` or `nobody`.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from kagimori.machinery.store.engines import engine_of

FOLDERS = (Path("/usr/lib/postgresql/15/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin")))
START_SECONDS = 30
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
QUICKER = ("wal_level=minimal", "max_wal_senders=0")
SMALL = ("shared_buffers=16MB", "max_connections=60", "logging_collector=off")
_NUMBERS = itertools.count()


def programs():
    """The folder of PostgreSQL's programs; skips the test where there are none."""
    for folder in FOLDERS:
        if (folder / "initdb").exists():
            return folder
    pytest.skip("no PostgreSQL here: install Debian's package `postgresql`")


class Server:
    """A running server; `url(name)` names a database of it."""

    def __init__(self, *options, safe=False, port=5432, prepare=lambda server: None):
        """Start it; `prepare` may write into its data folder before, with `write`."""
        self.port = port
        self._programs = programs()
        self._options = (*SMALL, *(() if safe else (*QUICK, *QUICKER)), *options)
        # Its path must be short: a socket's name has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="kagimori-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self._user = None
        if os.getuid() == 0:
            self._user = next(name for name in ("postgres", "nobody") if _is_user(name))
            shutil.chown(self.folder, self._user)
        self.folder.chmod(0o755)
        self._run(
            "initdb", "-D", self.data, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        self._process = None
        prepare(self)
        self.start()

    def write(self, name, content):
        """Write a file of its own into its data folder."""
        (self.data / name).write_bytes(content)
        (self.data / name).chmod(0o600)
        if self._user is not None:
            shutil.chown(self.data / name, self._user, _group(self._user))

    def start(self):
        options = [word for option in self._options for word in ("-c", option)]
        words = [self._programs / "postgres", "-D", self.data, "-k", self.folder]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*words, "-p", str(self.port), "-c", "listen_addresses=", *options],
                **self._how(),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def connect(self, name):
        return psycopg.connect(self.url(name), autocommit=True)

    def url(self, name):
        return f"postgresql://owner@/{name}?host={self.folder}&port={self.port}"

    def new_database(self):
        """Make a database and return its URL."""
        name = f"test_{next(_NUMBERS)}"
        with contextlib.closing(self.connect("postgres")) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def kill(self):
        """End it as a crash of the machine would: nothing is tidied up."""
        children = _children(self._process.pid)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def stop(self):
        """End it with the connections it has."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    @property
    def pid(self):
        return self._process.pid

    def remove(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program, *arguments):
        words = [self._programs / program, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, **self._how())
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def _how(self):
        how = {"cwd": "/", "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}}
        return (
            how if self._user is None else {**how, "user": self._user, "group": _group(self._user)}
        )


class Databases:
    """One server, and databases with the whole schema, which are emptied to be used again."""

    def __init__(self):
        self.server = Server()
        self._free = []

    @contextlib.contextmanager
    def lent(self):
        """Yield the URL of an empty database."""
        url = self._free.pop() if self._free else self._new()
        yield url
        self._empty(url)
        self._free.append(url)

    def _new(self):
        url = self.server.new_database()
        engine_of(url).open("", ()).close()
        return url

    def _empty(self, url):
        with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename <> 'schema_versions'"
            ).fetchall()
            connection.execute(";".join(f"DELETE FROM {name}" for (name,) in tables))


def _is_user(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group(name):
    return pwd.getpwnam(name).pw_gid


def _children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []
