"""A machine is lost: its backup and the shipped trail make another, and the bill goes on."""

import json
import shutil
import sqlite3

import serving
from serving import eventually, run


def requests_counted(data):
    connection = sqlite3.connect(f"file:{data}/audit/usage.db?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT operation, sum(requests) FROM requests GROUP BY 1")
        return dict(rows.fetchall())
    finally:
        connection.close()


def shipped(data):
    try:
        places = json.loads((data / "audit" / "shipping.json").read_bytes())["places"]
    except FileNotFoundError:
        return {}
    return {stream: place["sequence"] for stream, place in places.items()}


def test_a_lost_machine_keeps_its_trail_and_its_bill():
    with serving.temporary_folder() as folder:
        data, kept = folder / "data", folder / "kept"
        kept.mkdir()
        with serving.served("--ship", kept, "--ship-seconds", "0.1", data=None) as server:
            data = server.data
            shutil.copy(data / "seal.key", folder / "seal.key")
            kms = server.client()
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            for _ in range(3):
                kms.encrypt(KeyId=key, Plaintext=b"x")
            serving.eventually(lambda: requests_counted(data).get("Encrypt") == 3, 20)
            drilled = run(
                *("backup", "drill", "--data", data, "--root", folder / "seal.key"),
                *("--to", kept, "--output", "json"),
                check=True,
            )
            later = kms.create_key()["KeyMetadata"]["KeyId"]
            for _ in range(4):
                kms.encrypt(KeyId=later, Plaintext=b"x")
            stream = serving.stream(data).name
            lines = b"".join(one.read_bytes() for one in serving.stream(data).glob("*.jsonl"))
            eventually(lambda: shipped(data).get(stream) == lines.count(b"\n"), 20)
            server.kill()
        found = json.loads(drilled.stdout)
        assert found["works"]
        assert found["proof"]["sample"] == "decrypted"
        done = run(
            *("restore", "--from", kept, "--data", folder / "new"),
            *("--root", folder / "seal.key"),
            check=True,
        )
        assert "shipped records: the trail goes to" in done.stdout
        assert run("audit", "verify", "--data", folder / "new").returncode == 0
        restored = requests_counted(folder / "new")
        assert (restored["Encrypt"], restored["CreateKey"]) == (7, 2)
        with serving.served(data=folder / "new") as again:
            kms = again.client()
            assert [one["KeyId"] for one in kms.list_keys()["Keys"]] == [key]
            kms.encrypt(KeyId=key, Plaintext=b"x")
            eventually(lambda: requests_counted(folder / "new").get("Encrypt") == 8, 20)
            assert requests_counted(folder / "new")["CreateKey"] == 2
            assert run("audit", "verify", "--data", folder / "new").returncode == 0
