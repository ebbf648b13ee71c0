"""A PostgreSQL with a synchronous standby: the two of them, as a failover needs them."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from kit.postgres import START_SECONDS, Server, _children

REPLICATION = (
    "wal_level=replica", "max_wal_senders=4", "hot_standby=on", "wal_sender_timeout=2s",
)  # fmt: skip


class Pair:
    """A primary whose commits wait for the standby. `url` names both: who takes writes is used."""

    def __init__(self):
        self.primary = Server(*REPLICATION, safe=True)
        self.standby = _Standby(self.primary)
        with contextlib.closing(self.primary.connect("postgres")) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            self._wait(
                connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state='sync'", 1
            )

    def url(self, name):
        """Return the URL of a database, on whichever of the two takes writes."""
        hosts = f"{self.primary.folder},{self.standby.folder}"
        return f"postgresql://owner@/{name}?host={hosts}"

    def fail_over(self):
        """End the primary without a word, and make the standby the new one."""
        _end_at_once(self.primary.pid)
        self.primary.kill()
        with contextlib.closing(self.standby.connect("postgres")) as connection:
            connection.execute("SELECT pg_promote(true, 30)")
            self._wait(connection, "SELECT pg_is_in_recovery()", False)

    def remove(self):
        self.standby.remove()
        self.primary.remove()

    @staticmethod
    def _wait(connection, question, answer):
        deadline = time.monotonic() + START_SECONDS
        while connection.execute(question).fetchone() != (answer,):
            assert time.monotonic() < deadline, question
            time.sleep(0.05)


class _Standby(Server):
    """A copy of a server that follows it."""

    def __init__(self, primary):
        self._programs, self._user = primary._programs, primary._user
        self._options, self.port = primary._options, primary.port
        self.folder = Path(tempfile.mkdtemp(prefix="kagimori-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.folder.chmod(0o755)
        words = [
            *(
                self._programs / "pg_basebackup",
                "-h",
                primary.folder,
                "-U",
                "owner",
                "-p",
                str(self.port),
            ),
            *("-D", self.data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"),
        ]
        done = subprocess.run(words, capture_output=True, text=True, **self._how())
        assert done.returncode == 0, done.stderr
        self._process = None
        self.start()


def _end_at_once(pid):
    """Stop a server and its children before they are killed: none outlives the others a moment."""
    for one in (pid, *_children(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGSTOP)
