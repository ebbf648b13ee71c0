"""The supervisor killed, alone or just after others: nobody is left behind, nothing is lost.

Promises: record-before-release, acknowledged-is-durable.
"""

import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

import serving
from faults.test_kill import SEED, Load, records_of, wait_for_answers, wait_ready

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def processes_of(data):
    """The processes that name this folder in their command line (zombies have none)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(data).encode() in words and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def serve(data, made, *options):
    arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", *options]
    return serving.Server(arguments, data=data, made=made).wait_ready()


@contextmanager
def deployed(*options):
    """Yield a served deployment's folder, what `init` printed, and the server."""
    print("seed", SEED)
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        server = serve(data, made, *options)
        try:
            yield data, made, server
        finally:
            if server.process.poll() is None:
                server.kill()


@contextmanager
def loaded(server, name):
    """Put a server under load; the loads are stopped and ended afterwards."""
    crew = [Load(server, f"{name}{number}") for number in range(3)]
    for load in crew:
        load.start()
    try:
        yield crew
    finally:
        for load in crew:
            load.stopping.set()
        for load in crew:
            load.join(60)


def answered(crew):
    return sum(len(load.request_ids) for load in crew)


def everything_is_there(server, crew):
    client = server.client()
    for load in crew:
        assert not load.surprises
        for name, arn in load.aliases.items():
            found = client.describe_key(KeyId=name)["KeyMetadata"]
            assert (found["Arn"], found["Description"]) == (arn, load.descriptions[arn])
        for blob, context, plaintext in load.ciphertexts:
            opened = client.decrypt(CiphertextBlob=blob, EncryptionContext=context)
            assert opened["Plaintext"] == plaintext
    client.close()


def one_record_for_each_answer(data, crew):
    records = records_of(data)
    found = Counter(record.get("requestID") for record in records)
    wanted = [request_id for load in crew for request_id in load.request_ids]
    assert wanted
    assert {found[request_id] for request_id in wanted} == {1}
    events = Counter(record["eventID"] for record in records)
    assert set(events.values()) == {1}


def outbox(data):
    connection = sqlite3.connect(data / "kagimori.db")
    try:
        return connection.execute("SELECT stream, event_id FROM outbox").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("first", [None, "hsm", "w0"])
def test_without_a_supervisor_nobody_stays_and_another_takes_over(first):
    chance = random.Random(f"{SEED}/supervisor/{first}")
    with deployed() as (data, made, server):
        with loaded(server, "s") as crew:
            wait_for_answers(crew, chance.randint(5, 80))
            if first is not None:
                os.kill(server.pids[first], signal.SIGKILL)
                time.sleep(chance.uniform(0.0, 0.6))  # while it is being started again
            server.process.kill()
            server.process.wait(10)
            serving.eventually(lambda: not processes_of(data), 30)
        successor = serve(data, made)
        everything_is_there(successor, crew)
        assert successor.stop() == 0
        one_record_for_each_answer(data, crew)
        assert outbox(data) == []


def test_a_worker_among_two_is_replaced_and_one_alone_takes_up_what_both_left():
    chance = random.Random(f"{SEED}/two")
    with deployed("--workers", "2") as (data, made, server):
        with loaded(server, "t") as crew:
            for _ in range(3):
                wait_for_answers(crew, answered(crew) + chance.randint(5, 60))
                before = server.pids["w1"]
                os.kill(before, signal.SIGKILL)
                serving.eventually(lambda old=before: server.pids.get("w1") not in (None, old), 30)
            wait_for_answers(crew, answered(crew) + 5)
            server.kill()
        successor = serve(data, made)
        everything_is_there(successor, crew)
        assert successor.stop() == 0
        one_record_for_each_answer(data, crew)
        assert outbox(data) == []


def test_the_admin_listener_answers_while_parts_come_back():
    with deployed() as (_, _, server):
        admin = server.running["admin_url"]
        for victim in ("w0", "hsm"):
            before = server.pids[victim]
            os.kill(before, signal.SIGKILL)
            while server.pids.get(victim) == before:
                for page in ("/status", "/metrics"):
                    assert serving.get(admin + page)[0] == 200
            wait_ready(server)
        assert server.stop() == 0


def test_told_to_stop_while_a_worker_starts_it_stops_in_order():
    with deployed() as (data, _, server):
        os.kill(server.pids["w0"], signal.SIGKILL)
        time.sleep(0.15)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 25
        assert not processes_of(data)


def test_each_part_comes_back_however_many_workers_there_are():
    """Waiting for one child must not keep the supervisor from waiting for the others."""
    with deployed("--workers", "8") as (_, _, server):
        for part in ("trail", "w7", "hsm"):
            before = server.pids[part]
            os.kill(before, signal.SIGKILL)
            serving.eventually(
                lambda part=part, old=before: server.pids.get(part) not in (old, None), 60
            )
