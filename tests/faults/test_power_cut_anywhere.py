"""The power is cut at any moment of a server under load: it starts again, and nothing is missing.

All writes and syncs of workers, supervisor and followers are recorded: the store, the journals,
their marks, the index and the digests. From that come folders as a cut may leave them, with blocks
lost, torn and out of order. Promises: acknowledged-is-durable, record-before-release.
"""

import contextlib
import json
import random
import shutil
import sqlite3
import sys
from collections import Counter
from dataclasses import replace

import pytest

import serving
from histories.clients import read_everything
from histories.driven import LONG, SEED, explained, kept, record, wait_for
from histories.history import NEVER, UNKNOWN
from kagimori.trail.files import journal_files
from kagimori.trail.mark import MARKS, read_mark
from kagimori.trail.recovery import recover_end
from kit.disturbed import Disk
from kit.power_cut import SYNCED, copied, read_log
from kit.power_cut import Disk as CutDisk

CUTS, IMAGES = 3 * LONG, 60 * LONG
OPTIONS = ("--workers", "2", "--digest-minutes", "0.01")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="puts a library before the server")


@pytest.fixture(scope="module")
def lived():
    """A server's life: the recording, the history of its clients, and what it began with."""
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        before = copied(data, folder / "before")
        disk = Disk(data, folder)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", *OPTIONS]
        server = serving.Server(arguments, data=data, made=made, **disk.recorded()).wait_ready()
        server.name = "n1"
        worlds = []
        try:
            history = record(
                [server], "cut", lambda _, crew: wait_for(crew, 400 * LONG), worlds=worlds
            )
        finally:
            server.kill()
        yield folder, data, before, read_log(disk.log), history, worlds[0]


def until(history, moment):
    """Return what clients knew at a moment: later answers never came."""
    requests = [
        request if request.done <= moment else replace(request, done=NEVER, outcome=UNKNOWN)
        for request in history.requests
        if request.called <= moment
    ]
    return replace(history, requests=requests)


def times(history):
    done = [request.done for request in history.requests if request.done != NEVER]
    return min(request.called for request in history.requests), max(done)


def test_what_was_answered_is_on_the_disk_wherever_the_power_is_cut(lived):
    manners = Counter()
    for moment, manner, missing in cuts(lived, lived[3], IMAGES):
        assert not missing, (moment, manner, missing)
        manners[manner] += 1
    assert len(manners) == 5, manners


def test_a_disk_that_says_synced_and_is_not_would_be_noticed(lived):
    """The test itself is tried: without the syncs that were recorded, something is missing."""
    without = [done for done in lived[3] if done.kind != SYNCED]
    with contextlib.suppress(sqlite3.DatabaseError):  # the store itself says that it is torn
        assert any(missing for _, _, missing in cuts(lived, without, 10))


def cuts(lived, log, images):
    """Yield moment and manner of each cut, and the requests that were answered without a record."""
    folder, data, before, _, history, _ = lived
    chance = random.Random(f"{SEED}/images")
    first, last = times(history)
    disk, position, target = CutDisk(before, data), 0, folder / "image"
    for moment in sorted(chance.uniform(first, last) for _ in range(images)):
        while position < len(log) and log[position].at <= moment:
            disk.do(log[position])
            position += 1
        manner = disk.cut(chance, target)
        answered = {
            request.request_id
            for request in history.requests
            if request.request_id and request.done <= moment
        }
        yield moment - first, manner, answered - recorded(target)
        shutil.rmtree(target)


def recorded(data):
    """Return the ids of all requests with a record in the journals or on its way into them."""
    if not (data / "kagimori.db").stat().st_size:
        return set()
    connection = sqlite3.connect(data / "kagimori.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        records = [record for (record,) in connection.execute("SELECT record FROM outbox")]
    finally:
        connection.close()
    for stream in (data / "audit").iterdir():
        if not journal_files(stream):
            continue
        end = recover_end(stream, read_mark(data / MARKS / stream.name)).end
        lines = [line for file in journal_files(stream) for line in file.read_bytes().splitlines()]
        assert len(lines) == end.sequence
        records += [json.dumps(json.loads(line)["record"]) for line in lines]
    return {json.loads(record).get("requestID") for record in records}


@pytest.mark.parametrize("number", range(CUTS))
def test_the_power_is_cut_under_load(lived, number):
    folder, data, before, log, history, world = lived
    chance = random.Random(f"{SEED}/cut/{number}")
    first, last = times(history)
    moment = chance.uniform(first, last)
    disk = CutDisk(before, data)
    for done in log:
        if done.at <= moment:
            disk.do(done)
    target = folder / f"cut{number}"
    manner = disk.cut(chance, target)
    print(f"cut {moment - first:.3f} s after the first request: {manner}")
    history = until(history, moment)
    with serving.served(*OPTIONS, data=target) as server:
        server.name = "n1"
        world.nodes, world.history = [server], history
        read_everything(world)
        explained(history, outcomes_min=0)
        found_in_the_index(server, target)
    done = serving.run("audit", "verify", "--data", target)
    assert done.returncode == 0, (done.stdout, kept(history))


def found_in_the_index(server, data):
    """Return once the index has every event that the journals have."""
    trail = server.client("cloudtrail")
    lines = [
        json.loads(line)["record"]
        for file in sorted((data / "audit").glob("*/*.jsonl"))
        for line in file.read_bytes().splitlines()
    ]
    wanted = {line["eventID"] for line in lines if line["eventName"] == "TagResource"}

    def found():
        pages = trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "TagResource"}]
        )
        return {event["EventId"] for page in pages for event in page["Events"]}

    serving.eventually(lambda: found() == wanted, 30)
    trail.close()
