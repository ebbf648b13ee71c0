"""Domain keys that rotate every second or so, and processes killed meanwhile: every key works.

Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import json
import os
import signal
import sqlite3
import sys

import pytest

import serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")
# Every 1.4 seconds, three entities a second: it is always in the middle of something.
SETTINGS = ("--set", "domains.rotation_hours=0.0004", "--set", "domains.rewraps_per_second=3")


def current_keys(data):
    """The ids of the domain keys that wrap new tokens, as the store has them."""
    connection = sqlite3.connect(data / "kagimori.db")
    try:
        (body,) = connection.execute("SELECT body FROM domains").fetchone()
    finally:
        connection.close()
    return {key["key_id"] for key in json.loads(body).get("keys", []) if key.get("is_current")}


def rotated(data, times=1):
    """Return once domain keys were rotated that many times more."""
    for _ in range(times):
        before = current_keys(data)
        serving.eventually(lambda before=before: current_keys(data) != before, 30)


class Kept:
    """What was acknowledged, and must work for good."""

    def __init__(self, server):
        kms, iam = server.client(), server.client("iam")
        self.blobs = []
        for number in range(5):
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            plain = f"{number}".encode()
            self.blobs.append((kms.encrypt(KeyId=key, Plaintext=plain)["CiphertextBlob"], plain))
            if number == 0:
                kms.rotate_key_on_demand(KeyId=key)
                self.rotated = key
        iam.create_user(UserName="alice")
        self.alice = iam.create_access_key(UserName="alice")["AccessKey"]

    def check(self, server):
        kms = server.client()
        for blob, plain in self.blobs:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plain
        sts = server.client(
            "sts",
            access_key=self.alice["AccessKeyId"],
            secret=self.alice["SecretAccessKey"],
        )
        assert sts.get_caller_identity()["Arn"].endswith("user/alice")


def test_killed_in_the_middle_of_rotation_and_rewrapping():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        with serving.served(*SETTINGS, data=data) as server:
            kept = Kept(server)
            rotated(data, 2)
            kept.check(server)
            server.kill()
        for kind in ("hsm", "w0"):
            with serving.served(*SETTINGS, data=data) as server:
                kept.check(server)
                rotated(data)
                (victim,) = [name for name in server.pids if name.endswith(kind)]
                before = server.pids[victim]
                os.kill(before, signal.SIGKILL)
                serving.eventually(lambda b=before, s=server, v=victim: s.pids.get(v) != b, 30)
                rotated(data)
                kept.check(server)
                server.kill()
        with serving.served(data=data) as server:
            kept.check(server)
        done = serving.run("audit", "verify", "--data", data)
        assert done.returncode == 0, done.stdout + done.stderr
