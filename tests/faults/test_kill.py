"""Every process killed at random moments under load: nothing that was acknowledged is lost.

Promises: record-before-release, acknowledged-is-durable, old-ciphertext-lives.
"""

import json
import os
import random
import signal
import threading
import time
from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import serving
from kagimori.rules.chain.chain import START, follow

SEED = int(os.environ.get("KAGIMORI_FAULT_SEED", "20261124"))
ROUNDS = 3
ALLOWED = {"KMSInternalException", "InternalFailure", "DependencyTimeoutException"}


class Load(threading.Thread):
    """One client that changes and encrypts, and remembers all that was acknowledged."""

    def __init__(self, server, number):
        super().__init__()
        self.server, self.number = server, number
        self.stopping = threading.Event()
        self.aliases, self.ciphertexts, self.descriptions = {}, [], {}
        self.request_ids, self.surprises = [], []

    def run(self):
        client = self.server.client()
        at = 0
        while not self.stopping.is_set():
            at += 1
            try:
                self.once(client, at)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ALLOWED:
                    self.surprises.append(str(error))
            except BotoCoreError:
                time.sleep(0.02)  # nobody there for a moment
        client.close()

    def once(self, client, at):
        if at % 7 == 1:
            made = self.noted(client.create_key(Description=f"{self.number}/{at}"))
            arn = made["KeyMetadata"]["Arn"]
            self.descriptions[arn] = f"{self.number}/{at}"
            name = f"alias/k{self.number}-{at}"
            self.noted(client.create_alias(AliasName=name, TargetKeyId=arn))
            self.aliases[name] = arn
        if self.aliases:
            name = next(reversed(self.aliases))
            context = {"at": str(at)}
            blob = self.noted(
                client.encrypt(KeyId=name, Plaintext=f"{at}".encode(), EncryptionContext=context)
            )
            self.ciphertexts.append((blob["CiphertextBlob"], context, f"{at}".encode()))

    def noted(self, answer):
        self.request_ids.append(answer["ResponseMetadata"]["RequestId"])
        return answer


def records_of(data):
    """The records of every journal, whose chains must hold."""
    found = []
    for stream in sorted((data / "audit").iterdir()):
        if not stream.is_dir():
            continue
        link = START
        for file in sorted(stream.glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                record, link = follow(link, line)
                found.append(json.loads(record))
    return found


def wait_for_answers(crew, number):
    """Return once so many requests were acknowledged, however slow the machine is."""
    serving.eventually(lambda: sum(len(load.request_ids) for load in crew) >= number, 60)


def wait_ready(server, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError):
            if serving.get(server.url + "/readyz")[0] == 200:
                return
        time.sleep(0.05)
    raise AssertionError("not ready again")


@pytest.mark.parametrize("victim", ["hsm", "w0", "everything"])
def test_nothing_acknowledged_is_lost(victim):
    chance = random.Random(f"{SEED}/{victim}")
    print("seed", SEED)
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        loads = []
        server = serving.Server(
            ["serve", "--data", data, "--listen", "127.0.0.1:0"], data=data, made=made
        ).wait_ready()
        for round_number in range(ROUNDS):
            crew = [Load(server, f"{round_number}{number}") for number in range(4)]
            loads += crew
            for load in crew:
                load.start()
            wait_for_answers(crew, chance.randint(5, 120))
            if victim == "everything":
                server.kill()
            else:
                os.kill(server.pids[victim], signal.SIGKILL)
                time.sleep(0.2)
                wait_ready(server)
                time.sleep(0.2)
            for load in crew:
                load.stopping.set()
            for load in crew:
                load.join(60)
            if victim == "everything":
                server = serving.Server(
                    ["serve", "--data", data, "--listen", "127.0.0.1:0"], data=data, made=made
                ).wait_ready()
        client = server.client()
        for load in loads:
            assert not load.surprises
            for arn, description in load.descriptions.items():
                found = client.describe_key(KeyId=arn)["KeyMetadata"]
                assert found["Description"] == description
            for name, arn in load.aliases.items():
                assert client.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == arn
            for blob, context, plaintext in load.ciphertexts:
                opened = client.decrypt(CiphertextBlob=blob, EncryptionContext=context)
                assert opened["Plaintext"] == plaintext
        client.close()
        assert server.stop() == 0
        records = records_of(data)
    ids = [record.get("requestID") for record in records]
    assert any(load.request_ids for load in loads)
    for load in loads:
        for request_id in load.request_ids:
            # INVARIANT(record-before-release): one record for each answer, and not two.
            assert ids.count(request_id) == 1
    events = [record["eventID"] for record in records]
    assert len(events) == len(set(events))
    keys_recorded = {
        record["responseElements"]["keyMetadata"]["arn"]
        for record in records
        if record["eventName"] == "CreateKey" and record.get("errorCode") is None
    }
    assert {arn for load in loads for arn in load.descriptions} <= keys_recorded


def test_a_killed_hsm_comes_back():
    with serving.served() as server:
        client = server.client()
        key = client.create_key()["KeyMetadata"]["KeyId"]
        os.kill(server.pids["hsm"], signal.SIGKILL)
        with suppress(ClientError):
            client.encrypt(KeyId=key, Plaintext=b"x")
        wait_ready(server)
        blob = client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        client.close()
