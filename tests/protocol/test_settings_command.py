"""Settings of a running server: the file is obeyed, told of, and refused with its line."""

import json
import urllib.error
import urllib.request

import pytest

import serving


def test_a_server_obeys_its_file(tmp_path):
    data = tmp_path / "data"
    serving.init(data)
    (data / "kagimori.toml").write_text("[serve]\nworkers = 2\n[front]\nbody_bytes = 65536\n")
    with serving.served(data=data) as server:
        status = json.loads(serving.run("status", "--data", data, "--output", "json").stdout)
        assert status["workers"] == 2
        assert serving.get(server.url, data=b"x" * 65_537)[0] == 413
    with serving.served("--workers", "1", data=data):
        status = json.loads(serving.run("status", "--data", data, "--output", "json").stdout)
        assert status["workers"] == 1


def test_show_tells_values_and_where_they_come_from(tmp_path):
    (tmp_path / "kagimori.toml").write_text("[serve]\n\nworkers = 2\n")
    arguments = ("settings", "show", "--data", tmp_path, "--set", "front.headers=20")
    found = serving.run(*arguments, "--output", "json", check=True, KAGIMORI_AUDIT_NOTIFY_DAYS="3")
    shown = json.loads(found.stdout)
    assert shown["serve.workers"] == {"value": 2, "from": f"{tmp_path / 'kagimori.toml'}:3"}
    assert shown["front.headers"] == {"value": 20, "from": "flag --set front.headers"}
    assert shown["audit.notify_days"]["from"] == "environment KAGIMORI_AUDIT_NOTIFY_DAYS"
    assert shown["audit.digest_minutes"] == {"value": 60.0, "from": "default"}
    lines = serving.run(*arguments, check=True).stdout.splitlines()
    assert any(line.split()[:2] == ["serve.workers", "2"] for line in lines)


def test_what_is_wrong_keeps_a_server_from_starting(tmp_path):
    (tmp_path / "kagimori.toml").write_text("[serve]\nworker = 2\n")
    for command in (("serve",), ("settings", "check"), ("settings", "show")):
        done = serving.run(*command, "--data", tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"kagimori: {tmp_path}/kagimori.toml:2: there is no setting serve.worker; "
            "did you mean serve.workers?\n"
        )


def test_check_says_that_all_is_in_order(tmp_path):
    done = serving.run("settings", "check", "--data", tmp_path, KAGIMORI_PORT="tcp://10.0.0.1")
    assert (done.returncode, done.stdout) == (0, "The settings are in order.\n")
    assert "KAGIMORI_PORT is no setting" in done.stderr


def test_dev_has_settings_too(tmp_path):
    config = tmp_path / "dev.toml"
    config.write_text('[dev]\nseed = "seed.yaml"\n')
    done = serving.run("dev", "--config", config, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert str(tmp_path / "seed.yaml") in done.stderr


def test_version():
    done = serving.run("--version", check=True)
    assert done.stdout.startswith("kagimori ")
    assert "(Python 3." in done.stdout


def test_a_seal_key_that_others_can_read_is_not_served(tmp_path):
    data = tmp_path / "data"
    serving.init(data)
    (data / "seal.key").chmod(0o644)
    arguments = ("serve", "--data", data, "--listen", "127.0.0.1:0")
    done = serving.run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"kagimori: {data}/seal.key can be read by others than its owner: "
        f"chmod 600 {data}/seal.key\n"
    )
    with serving.served("--set", "serve.check_modes=false", data=data) as server:
        assert any("WARNING" in line and "seal.key" in line for line in server.stderr)


def test_dev_answers_no_page_of_another_site(dev):
    evil = {"Origin": "https://attacker.example"}
    for headers in (evil, {"Host": "attacker.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("/", "/?Action=GetCallerIdentity&Version=2011-06-15", "/_kagimori/clock"):
            request = urllib.request.Request(dev.url + path, data=b"{}", headers=headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=10)
            assert refused.value.code == 403
            assert b"dev.hosts" in refused.value.read()
            refused.value.close()
    local = urllib.request.Request(f"{dev.url}/healthz", headers={"Origin": "http://localhost:1"})
    with urllib.request.urlopen(local, timeout=10) as answer:
        assert answer.status == 200
