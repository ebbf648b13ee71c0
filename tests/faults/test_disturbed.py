"""Disks that refuse or crawl, files that run out, clocks that jump, under a whole server with load.

While it lasts requests may fail; what was answered with success holds, and all goes on by itself
afterwards. Promises: acknowledged-is-durable, record-before-release.
"""

import contextlib
import errno
import resource
import sys
import time
from pathlib import Path

import pytest

import serving
from faults.test_histories import one_record_for_each, ready
from histories.driven import LONG, explained, record, wait_for
from kit.disturbed import Disk, MovedClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="puts a library before the server")
OPTIONS = ("--workers", "2", "--digest-minutes", "0.01")
DAY = 86_400.0


@contextlib.contextmanager
def deployed(disturbance):
    """Yield a server and what disturbs it: `disturbance(data, folder)`."""
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        disturbs = disturbance(data, folder)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", *OPTIONS]
        server = serving.Server(arguments, data=data, made=made, **disturbs.environment)
        server.wait_ready()
        server.name = "n1"
        try:
            yield server, disturbs
            assert server.stop() == 0
            done = serving.run("audit", "verify", "--data", data)
            assert done.returncode == 0, done.stdout
        finally:
            if server.process.poll() is None:
                server.kill()


def goes_on(server, disturb, name):
    """Let clients work before, during and after a disturbance, and check their history."""

    def rounds(_, crew):
        wait_for(crew, 30)
        for _ in range(LONG):
            disturb(crew)
            ready(server)
            wait_for(crew, 30)

    history = record([server], name, rounds, settle=lambda: ready(server))
    outcomes = explained(history)
    one_record_for_each(server.data, history)
    return outcomes


REFUSALS = {
    "the disk is full": (errno.ENOSPC, ""),
    "the disk breaks": (errno.EIO, ""),
    "the disk becomes read-only": (errno.EROFS, ""),
    "the database breaks": (errno.EIO, "kagimori.db"),
    "the log of the database breaks": (errno.EIO, "kagimori.db-wal"),
    "the journals break": (errno.EIO, "/audit/"),
    "the quota is used up": (errno.EDQUOT, "kagimori.db"),
}


@pytest.mark.parametrize("name", list(REFUSALS) if LONG > 1 else list(REFUSALS)[:3])
def test_a_disk_that_refuses_everything_for_a_while(name):
    error, match = REFUSALS[name]
    with deployed(Disk) as (server, disk):

        def disturb(crew):
            disk.refuse(error, match)
            time.sleep(1.5)
            disk.obey()

        outcomes = goes_on(server, disturb, name)
        assert outcomes["unknown"], "it was noticed"


def test_a_disk_that_crawls():
    """Each write and sync takes 50 ms longer: slower; a change may wait too long for the database."""
    with deployed(Disk) as (server, disk):

        def disturb(crew):
            disk.delay(0.05)
            wait_for(crew, 25)
            disk.obey()

        outcomes = goes_on(server, disturb, "crawls")
        assert outcomes["unknown"] <= 5, "two workers take turns at the lock, for 5 s at most"


def test_a_disk_that_stands_still_for_longer_than_a_request_may_wait():
    with deployed(Disk) as (server, disk):

        def disturb(crew):
            disk.delay(7.0, "/audit/")
            time.sleep(1.0)
            disk.obey()
            time.sleep(8.0)

        goes_on(server, disturb, "stands still")


@pytest.mark.parametrize("victim", ["w0", "trail"])
def test_no_further_file_or_connection_can_be_opened(victim):
    with deployed(Disk) as (server, _):

        def disturb(crew):
            pid = server.pids[victim]
            _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened, most))
            time.sleep(1.5)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))

        goes_on(server, disturb, f"files of {victim}")


@pytest.mark.parametrize("seconds", [300.0, -300.0, 365 * DAY, -365 * DAY])
def test_the_clock_jumps_and_comes_back(seconds):
    """Clients go by another clock: they are refused while the two differ by too much, and only then."""
    with deployed(lambda _, folder: MovedClock(folder)) as (server, clock):
        made = serving.Signed(server, "CreateKey", {}).send(server.url)
        key = made.json["KeyMetadata"]["KeyId"]
        blob = encrypted(server, key, 0).json["CiphertextBlob"]
        clock.jump(seconds)
        serving.eventually(lambda: encrypted(server, key, seconds).status == 200, 20)
        assert encrypted(server, key, seconds + 20 * 60).status == 400
        clock.jump(0)
        serving.eventually(lambda: encrypted(server, key, 0).status == 200, 20)
        opened = serving.Signed(server, "Decrypt", {"CiphertextBlob": blob}).send(server.url)
        assert opened.json["Plaintext"] == "eA=="
        ready(server)


def test_a_clock_that_jumps_a_year_ahead_deletes_no_key():
    with deployed(lambda _, folder: MovedClock(folder)) as (server, clock):
        made = serving.Signed(server, "CreateKey", {}).send(server.url)
        key = {"KeyId": made.json["KeyMetadata"]["KeyId"]}
        waiting = {**key, "PendingWindowInDays": 7}
        asked = serving.Signed(server, "ScheduleKeyDeletion", waiting).send(server.url)
        assert asked.status == 200
        clock.jump(365 * DAY)
        serving.eventually(lambda: any("jumped ahead" in line for line in server.stderr), 30)
        clock.jump(0)
        assert serving.Signed(server, "CancelKeyDeletion", key).send(server.url).status == 200


def encrypted(server, key, skew):
    body = {"KeyId": key, "Plaintext": "eA=="}
    return serving.Signed(server, "Encrypt", body, skew_seconds=skew).send(server.url)
