"""A disk that fills up, on a small file system of its own: refusals are recorded to the last."""

import json
import subprocess
import time

import pytest

import serving

SIZE_MIB = 40


@pytest.fixture
def small_disk():
    with serving.temporary_folder() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount command here")
        if done.returncode:
            pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def fill(path):
    """Take all room there is."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def journalled(data):
    return sum(
        file.read_bytes().count(b"\n") for file in sorted(serving.stream(data).glob("*.jsonl"))
    )


def test_refusals_are_recorded_on_a_full_disk_and_service_resumes(small_disk):
    data = small_disk / "data"
    made = serving.init(data)
    arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--digest-minutes", "0"]
    server = serving.Server(arguments, data=data, made=made).wait_ready()
    try:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=key, Plaintext=b"x")
        assert (serving.stream(data) / ".reserve").exists()
        ballast = small_disk / "ballast"
        fill(ballast)
        refused = 0
        deadline = time.monotonic() + 20
        while refused < 30 and time.monotonic() < deadline:
            try:
                kms.encrypt(KeyId=key, Plaintext=b"x")
            except serving.ClientError as problem:
                assert problem.response["Error"]["Code"] == "KMSInternalException"
                refused += 1
        assert refused == 30
        before = journalled(data)
        for change in (kms.create_key, lambda: kms.disable_key(KeyId=key)):
            with pytest.raises(serving.ClientError, match="KMSInternalException"):
                change()
        assert journalled(data) == before + 2, "refusals, recorded"
        metrics = serving.get(server.running["admin_url"] + "/metrics")[2].decode()
        assert 'kagimori_troubled_workers{part="journal"} 1.0' in metrics
        assert serving.get(server.url + "/readyz")[0] == 503
        ballast.unlink()
        serving.eventually(lambda: serving.get(server.url + "/readyz")[0] == 200)
        kms.encrypt(KeyId=key, Plaintext=b"x")
        assert (serving.stream(data) / ".reserve").exists()
        assert [one["KeyId"] for one in kms.list_keys()["Keys"]] == [key], "nothing was changed"
        kms.close()
        found = serving.run("audit", "search", "--data", data, "--failed", "--output", "json")
        codes = [json.loads(line)["errorCode"] for line in found.stdout.splitlines()]
        assert codes.count("KMSInternalException") == 32
        assert serving.run("audit", "verify", "--data", data).returncode == 0
    finally:
        server.stop()
