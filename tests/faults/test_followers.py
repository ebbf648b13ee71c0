"""The followers' process: killed it is replaced, a planted stream is not signed, nothing else stops."""

import json
import os
import shutil
import signal
import urllib.error
import urllib.request

import pytest

import serving
from serving import eventually, get


@pytest.fixture
def deployment():
    with serving.temporary_folder() as folder:
        serving.init(folder / "data")
        yield folder / "data"


def status(server):
    return json.loads(get(server.running["admin_url"] + "/status")[2])


def signed(data):
    """The streams that the newest digest names."""
    newest = max((data / "audit" / "digests").glob("*.json"))
    return {end["stream"] for end in json.loads(newest.read_bytes().splitlines()[0])["streams"]}


def test_a_killed_process_is_replaced_and_the_service_goes_on(deployment):
    with serving.served("--digest-minutes", "0.01", data=deployment) as server:
        kms = server.client()
        eventually(lambda: set(status(server)["followers"].values()) == {"ok"}, 30)
        assert set(status(server)["followers"]) == {"index", "metering", "digests"}
        before = server.pids["trail"]
        os.kill(before, signal.SIGKILL)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        eventually(lambda: server.pids.get("trail") not in (None, before), 30)
        kms.encrypt(KeyId=key, Plaintext=b"x")
        eventually(lambda: status(server)["alarms"] == [], 30)
        digests = server.data / "audit" / "digests"
        count = len(list(digests.glob("*.json")))
        kms.describe_key(KeyId=key)
        eventually(lambda: len(list(digests.glob("*.json"))) > count, 30)
        assert status(server)["restarts"]["trail"] == 1
        assert status(server)["status"] == "ready"
        # Also with a new HSM, which must be told again who may have digests signed.
        os.kill(server.pids["hsm"], signal.SIGKILL)
        eventually(lambda: status(server)["restarts"]["hsm"] == 1, 30)
        eventually(lambda: status(server)["status"] == "ready", 30)
        count = len(list(digests.glob("*.json")))
        kms.describe_key(KeyId=key)
        eventually(lambda: len(list(digests.glob("*.json"))) > count, 60)
    assert serving.run("audit", "verify", "--data", server.data).returncode == 0


def test_a_stopped_process_is_an_alarm_and_stops_nobody():
    with serving.served("--digest-minutes", "0.01") as server:
        eventually(lambda: set(status(server)["followers"].values()) == {"ok"}, 60)
        stopped = server.pids["trail"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            server.client().create_key()
            eventually(
                lambda: any("does not report" in one for one in status(server)["alarms"]), 60
            )
            page = get(server.running["admin_url"] + "/metrics")[2].decode()
            assert 'kagimori_troubled_followers{follower="digests"} 1.0' in page
            shown = serving.run("status", "--data", server.data).stdout
            assert "does not report" in shown
        finally:
            os.kill(stopped, signal.SIGCONT)
        eventually(lambda: status(server)["alarms"] == [], 30)


def test_a_planted_stream_is_reported_and_not_signed(deployment):
    with serving.served("--digest-minutes", "0.01", data=deployment) as server:
        server.client().create_key()
        audit = server.data / "audit"
        shutil.copytree(serving.stream(server.data), audit / "w7")
        eventually(lambda: any("w7" in alarm for alarm in status(server)["alarms"]), 30)
        page = get(server.running["admin_url"] + "/metrics")[2].decode()
        assert "kagimori_unknown_streams 1.0" in page
        server.client().create_key()
        own = {serving.stream(server.data, writer).name for writer in ("admin", "w0")}
        eventually(lambda: own <= signed(server.data), 30)
    assert signed(server.data) == own
    assert any("'w7'" in line for line in server.stderr)
    found = serving.run("audit", "verify", "--data", server.data)
    assert (found.returncode, "unknown stream" in found.stdout) == (1, True)


def test_text_from_unsigned_requests_ends_no_follower_and_names_no_metric():
    with serving.served("--digest-minutes", "0.01") as server:
        for number in range(150):
            scope = f"AKIA/20260101/us-east-1/{'s' * 20_000}{number}/aws4_request"
            header = (
                f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
            )
            headers = {"Authorization": header, "X-Amz-Target": "x"}
            request = urllib.request.Request(server.url, b"{}", headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            refused.value.close()
        page = get(server.running["admin_url"] + "/metrics")[2].decode()
        assert "sss" not in page
        assert 'service="other"' in page
        assert status(server)["alarms"] == []
        (journal,) = serving.stream(server.data).glob("*.jsonl")
        assert max(map(len, journal.read_bytes().splitlines())) < 8000
        server.client().create_key()
        count = len(list((server.data / "audit" / "digests").glob("*.json")))
        eventually(
            lambda: len(list((server.data / "audit" / "digests").glob("*.json"))) > count, 30
        )
