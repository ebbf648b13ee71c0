"""`kagimori hsm`: how the HSM of a running server is, and its self-tests on demand."""

import json

import pytest
from botocore.exceptions import ClientError

import serving
from kit.installed import install
from serving import run


@pytest.fixture
def asked(server):
    return lambda *words: run("hsm", *words, "--data", server.data)


def page(server):
    return json.loads(serving.get(server.url + "/readyz")[2])


def test_status_shows_state_and_what_was_tested(server, asked):
    done = asked("status", "--output", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"], found["reason"]) == (0, "OPERATIONAL", "")
    names = {one["name"] for one in found["tests"]}
    assert {"AES-256-GCM", "RSAES-OAEP with SHA-1", "random generator of OpenSSL"} <= names
    assert all(one["source"] for one in found["tests"])
    text = asked("status").stdout
    assert "operational" in text
    assert "NIST CAVP" in text


def test_the_tests_are_run_on_demand_and_keys_go_on(server, asked, kms, shared_key):
    before = json.loads(asked("status", "--output", "json").stdout)["tested_at"]
    done = asked("test", "--output", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"]) == (0, "OPERATIONAL")
    assert found["tested_at"] > before
    assert kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]


def test_tests_are_run_by_post_alone(server):
    assert serving.get(server.running["admin_url"] + "/hsm/test")[0] == 404


def test_what_is_not_served_has_no_hsm(tmp_path):
    for command in ("status", "test"):
        done = run("hsm", command, "--data", tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "is not being served" in done.stderr


def test_one_that_fails_ends_all_use_of_keys_and_is_explained(tmp_path, monkeypatch):
    """In the log, in `hsm status`, at `/readyz`; callers get an internal failure."""
    install(tmp_path / "site-packages", "kagimori", "kagimori_cli", "kagimori_client")
    monkeypatch.setitem(serving._OWN_ENVIRONMENT, "PYTHONPATH", str(tmp_path / "site-packages"))
    why = "kagimori_hsm/rates.py is not what was installed"
    with serving.served() as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        (tmp_path / "site-packages" / "kagimori_hsm" / "rates.py").write_text("")
        done = run("hsm", "test", "--data", server.data)
        assert done.returncode == 1
        assert why in done.stdout
        with pytest.raises(ClientError, match="KMSInternalException"):
            kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.close()
        reasons = {"hsm": f"ERROR: {why}"}
        serving.eventually(lambda: page(server).get("reasons") == reasons)
        assert page(server)["troubles"] == ["hsm"]
        assert serving.get(server.url + "/readyz")[0] == 503
        found = json.loads(run("hsm", "status", "--data", server.data, "--output", "json").stdout)
        assert (found["state"], found["reason"]) == ("ERROR", why)
        whole = json.loads(run("status", "--data", server.data, "--output", "json").stdout)
        assert whole["reasons"] == reasons
        serving.eventually(lambda: f"HSM self-test failed: {why}" in "".join(server.stderr))
