"""The command, as its users run it: what it prints, how it ends, and what it leaves as it was."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import serving
from serving import Signed, eventually, get, refused, run

COMMANDS = ["init", "serve", "dev", "env", "status", "clock", "clock advance", "clock show"]


@pytest.fixture
def folder():
    with serving.temporary_folder() as made:
        yield made


@pytest.fixture(scope="module")
def pristine():
    """A deployment that nobody has served."""
    with serving.temporary_folder() as made:
        data = made / "data"
        serving.init(data)
        yield data


_WRITTEN_BY_REGISTERING = tuple(
    f'INSERT INTO "{table}"' for table in ("changes", "feeds", "leases", "nodes", "outbox")
)


@pytest.fixture
def deployment(pristine, folder):
    """A copy of a deployment, to be spoilt."""
    data = folder / "data"
    subprocess.run(["cp", "-a", pristine, data], check=True)
    return data


def _content_of_file(file):
    """The rows of a store, but for what a node registers and its record; the hash of another file."""
    if file.name == "kagimori.db":
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file)) as store:
            return [
                line
                for line in store.iterdump()
                if not line.startswith(_WRITTEN_BY_REGISTERING)
                and "sqlite_sequence" not in line
                and "'streams'" not in line
                and "'signs'" not in line
                and "'timer'" not in line
                and "'audit_key'" not in line
            ]
    return hashlib.sha256(file.read_bytes()).hexdigest()


def content_of(data):
    """What is in a folder, but for what a start may touch.

    That is its lock, run/, the HSM's journal, the public key, and in the store what a node registers.
    """
    return {
        str(file.relative_to(data)): _content_of_file(file)
        for file in sorted(data.rglob("*"))
        if file.is_file()
        and file.name not in ("lock", "public-key.pem")
        and file.parent.name != "hsm"
        and file.parent.name != "run"
        and not file.name.endswith(("-wal", "-shm"))
    }


def gives_up(done, *words):
    """One line on standard error says why; nothing is on standard output."""
    assert done.returncode not in (0, -9), done.stdout
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("kagimori: ")
    for word in words:
        assert word in lines[0]


def serve(data, *options):
    return run("serve", "--data", data, "--listen", "127.0.0.1:0", *options, seconds=40)


# --- init -----------------------------------------------------------------------------------------


def test_init_prints_one_object(folder):
    done = run("init", "--data", folder / "d", "--output", "json", check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    made = json.loads(done.stdout)
    names = ["account_id", "region", "endpoint_url", "access_key_id", "secret_access_key"]
    assert list(made) == names
    assert re.fullmatch("[0-9]{12}", made["account_id"])
    assert re.fullmatch("AKIA[A-Z2-7]{16}", made["access_key_id"])
    assert re.fullmatch("[A-Za-z0-9/+]{40}", made["secret_access_key"])
    assert (made["region"], made["endpoint_url"]) == ("us-east-1", "http://127.0.0.1:8567")


def test_init_takes_account_and_regions(folder):
    options = ("--account", "123456789012", "--region", "eu-central-1", "--region", "us-west-2")
    made = serving.init(folder / "d", *options)
    assert (made["account_id"], made["region"]) == ("123456789012", "eu-central-1")


def test_init_tells_people_what_to_do_and_no_secret(folder):
    done = run("init", "--data", folder / "d", check=True)
    secret = json.loads((folder / "d" / "root-access-key.json").read_text())["secret_access_key"]
    assert "kagimori serve --data" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_what_init_writes_is_its_owners_alone(pristine):
    assert pristine.stat().st_mode & 0o777 == 0o700
    for name in ("seal.key", "root-access-key.json", "kagimori.db"):
        assert (pristine / name).stat().st_mode & 0o077 == 0, name


def test_no_secret_lies_in_the_store(pristine):
    secret = json.loads((pristine / "root-access-key.json").read_text())["secret_access_key"]
    for file in pristine.rglob("kagimori.db*"):
        assert secret.encode() not in file.read_bytes()


def test_init_refuses_a_folder_that_holds_a_deployment(deployment):
    before = content_of(deployment)
    gives_up(run("init", "--data", deployment), str(deployment), "already holds a deployment")
    assert content_of(deployment) == before


def test_init_refuses_a_folder_that_holds_something_else(folder):
    (folder / "letter.txt").write_text("mine")
    gives_up(run("init", "--data", folder), "not empty")
    assert [file.name for file in folder.iterdir()] == ["letter.txt"]


def test_init_refuses_a_file(folder):
    (folder / "file").write_text("")
    gives_up(run("init", "--data", folder / "file"), "cannot write")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--account", "12345"), id="short-account"),
        pytest.param(("--account", "12345678901a"), id="letter-in-account"),
        pytest.param(("--account", "１２３４５６７８９０１２"), id="wide-digits"),
        pytest.param(("--region", "Mars"), id="region"),
        pytest.param(("--region", "us-east-1", "--region", "../x"), id="second-region"),
    ],
)
def test_init_refuses_what_is_no_account_or_region(folder, options):
    gives_up(run("init", "--data", folder / "d", *options))
    assert not (folder / "d").exists()


# --- serve ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_one_line_and_ends_in_order(deployment, number):
    with serving.served(data=deployment) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", server.url)
        kms = server.client()
        kms.create_key()
        kms.close()
        assert server.stop(number) == 0
        assert server.stdout == [f"kagimori ready at {server.url}\n"]
        assert server.stderr == []
        assert not (deployment / "run" / "server.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_every_process_ends_it_in_order_too(deployment, number):
    """As a terminal or a process manager may send it: the last digest still needs the HSM."""
    with serving.served(data=deployment) as server:
        kms = server.client()
        kms.create_key()
        kms.close()
        for pid in server.pids.values():
            os.kill(pid, number)
        assert server.stop(number) == 0
        assert server.stderr == []
    verified = run("audit", "verify", "--data", deployment, "--output", "json", check=True)
    assert json.loads(verified.stdout)["intact"]


def test_a_server_that_was_asked_nothing_ends_in_order(deployment):
    with serving.served(data=deployment) as server:
        assert server.stop() == 0
        assert server.stderr == []


def test_an_interrupt_of_the_whole_group_ends_in_order(deployment):
    """As a terminal's Ctrl-C: every process gets the signal."""
    with serving.served(data=deployment) as server:
        for pid in server.pids.values():
            os.kill(pid, signal.SIGINT)
        kms = server.client()
        kms.create_key()
        kms.close()
        assert server.stop(signal.SIGINT) == 0
        assert server.stderr == []


def test_the_next_start_finds_the_keys(deployment):
    with serving.served(data=deployment) as server:
        kms = server.client()
        key = kms.create_key(Description="yesterday's")["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
        blob = kms.encrypt(KeyId="alias/kept", Plaintext=b"kept")["CiphertextBlob"]
        kms.close()
    with serving.served(data=deployment) as server:
        kms = server.client()
        assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"]["Arn"] == key
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        kms.close()


def test_the_next_start_finds_the_keys_after_a_kill(deployment):
    with serving.served(data=deployment) as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["Arn"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        kms.close()
        server.kill()
    assert run("status", "--data", deployment).returncode == 1
    with serving.served(data=deployment) as server:
        kms = server.client()
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        kms.close()


def test_an_open_request_is_answered_before_the_end(deployment):
    """A request whose body is still on its way when SIGTERM comes is served."""
    with serving.served(data=deployment) as server:
        request = Signed(server, "ListKeys", {})
        host, port = server.url.removeprefix("http://").split(":")
        lines = [f"{name}: {value}" for name, value in request.headers]
        lines = ["POST / HTTP/1.1", f"Host: {host}:{port}", "Content-Length: 2", *lines, "", ""]
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"{")
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(b"}")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert b'"Keys":[]' in answer
        assert server.stop() == 0


def test_several_workers_share_what_they_know(deployment):
    with serving.served("--workers", "2", data=deployment) as server:
        assert set(server.pids) == {"hsm", "trail", "w0", "w1"}
        clients = [server.client() for _ in range(4)]
        for number in range(6):
            made = clients[number % 4].create_key()["KeyMetadata"]["Arn"]
            for client in clients:
                assert client.describe_key(KeyId=made)["KeyMetadata"]["Arn"] == made
        for client in clients:
            client.close()
        assert server.stop() == 0
        assert server.stderr == []


def test_a_killed_worker_and_a_killed_hsm_come_back(deployment):
    with serving.served(data=deployment) as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["Arn"]
        for name in ("w0", "hsm"):
            os.kill(server.pids[name], signal.SIGKILL)
            eventually(lambda: serves(kms, key))
        kms.close()


def serves(kms, key):
    try:
        return kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    except Exception:
        return False


def spoil_nothing(data):
    pass


def corrupt(data):
    checkpoint(data)
    content = bytearray((data / "kagimori.db").read_bytes())
    content[100:8000] = b"\xff" * 7900
    (data / "kagimori.db").write_bytes(content)


def no_database_at_all(data):
    checkpoint(data)
    (data / "kagimori.db").write_bytes(b"This is a letter, and no database. " * 400)


def newer(data):
    connection = sqlite3.connect(data / "kagimori.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.commit()
    connection.close()


def newer_format(data):
    connection = sqlite3.connect(data / "kagimori.db")
    connection.execute("UPDATE deployment SET value = '9999' WHERE name = 'format'")
    connection.commit()
    connection.close()


def checkpoint(data):
    connection = sqlite3.connect(data / "kagimori.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def seal_key_gone(data):
    (data / "seal.key").unlink()


def seal_key_of_another(data):
    (data / "seal.key").write_text("ab" * 32)


def seal_key_is_no_key(data):
    (data / "seal.key").write_text("not hexadecimal")


def database_gone(data):
    (data / "kagimori.db").unlink()


def damaged_journal(data):
    stream = serving.stream(data)
    stream.mkdir(parents=True, exist_ok=True)
    (stream / f"{1:020}.jsonl").write_text("no record\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (corrupt, ["kagimori.db"]),
        (no_database_at_all, ["kagimori.db"]),
        (newer, ["newer version"]),
        (newer_format, ["newer version"]),
        (seal_key_gone, ["seal.key", "missing"]),
        (seal_key_of_another, ["seal key"]),
        (seal_key_is_no_key, ["seal key"]),
        (database_gone, ["holds no deployment"]),
        (damaged_journal, ["journal"]),
    ],
)
def test_serve_gives_up_and_changes_nothing(deployment, spoil, words):
    spoil(deployment)
    before = content_of(deployment)
    gives_up(serve(deployment), *words)
    assert content_of(deployment) == before


def test_serve_refuses_a_folder_that_is_none(folder):
    gives_up(serve(folder / "nowhere"), "holds no deployment", "kagimori init")
    assert not (folder / "nowhere").exists()


def test_serve_refuses_a_folder_in_use(deployment):
    with serving.served(data=deployment) as server:
        gives_up(serve(deployment), "in use")
        kms = server.client()
        kms.create_key()
        kms.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to the superuser")
def test_serve_refuses_a_folder_it_cannot_write(deployment):
    deployment.chmod(0o500)
    try:
        gives_up(serve(deployment), "cannot write")
    finally:
        deployment.chmod(0o700)


def test_plain_http_is_for_loopback(deployment):
    before = content_of(deployment)
    for host in ("0.0.0.0", "192.0.2.1", "example.com"):
        done = run("serve", "--data", deployment, "--listen", f"{host}:0")
        gives_up(done, "loopback", "--tls")
    gives_up(serve(deployment, "--admin-listen", "0.0.0.0:0"), "loopback")
    assert content_of(deployment) == before


def test_a_port_in_use(deployment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--data", deployment, "--listen", f"127.0.0.1:{port}")
    gives_up(done, f"127.0.0.1:{port}", "in use")


@pytest.mark.parametrize(
    "address", ["nonsense", "127.0.0.1:", "127.0.0.1:x", ":8567", "127.0.0.1:70000"]
)
def test_what_is_no_address(deployment, address):
    gives_up(run("serve", "--data", deployment, "--listen", address), "HOST:PORT")


def test_half_of_a_certificate(deployment, folder):
    gives_up(serve(deployment, "--tls-key", folder / "k"), "--tls-certificate", "together")


def test_a_certificate_that_is_none(deployment, folder):
    (folder / "bad.pem").write_text("nothing")
    options = ("--tls-certificate", folder / "bad.pem", "--tls-key", folder / "bad.pem")
    gives_up(serve(deployment, *options), "bad.pem")


def test_ipv6_loopback(deployment):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with serving.served("--listen", "[::1]:0", data=deployment) as server:
        assert server.url.startswith("http://[::1]:")
        assert get(f"{server.url}/healthz")[0] == 200


# --- dev ------------------------------------------------------------------------------------------


def test_dev_says_that_it_is_not_safe(dev):
    eventually(lambda: "NOT SAFE" in "".join(dev.stderr))
    assert dev.stdout == [f"kagimori ready at {dev.url}\n"]


@pytest.mark.parametrize(
    ("access_key", "account"),
    [("test", "000000000000"), ("111122223333", "111122223333"), ("AKIAX", "000000000000")],
)
def test_dev_takes_any_credentials(dev, access_key, account):
    for region in ("us-east-1", "eu-west-3"):
        kms = dev.client(access_key=access_key, secret="whatever", region=region)
        made = kms.create_key()["KeyMetadata"]
        assert made["AWSAccountId"] == account
        assert made["Arn"].startswith(f"arn:aws:kms:{region}:{account}:key/")
        kms.close()
    sts = dev.client("sts", access_key=access_key)
    assert sts.get_caller_identity()["Account"] == account
    sts.close()


def test_dev_keeps_accounts_apart(dev):
    one, two = dev.client(access_key="111111111111"), dev.client(access_key="222222222222")
    key = one.create_key()["KeyMetadata"]
    with refused("NotFoundException"):
        two.describe_key(KeyId=key["KeyId"])
    with refused("AccessDeniedException"):
        two.describe_key(KeyId=key["Arn"])
    one.close()
    two.close()


def test_dev_leaves_nothing_behind(folder):
    with serving.dev_served(TMPDIR=str(folder)) as server:
        assert [file.name[:13] for file in folder.iterdir()] == ["kagimori-dev-"]
        assert server.stop() == 0
    assert list(folder.iterdir()) == []


# --- clock ----------------------------------------------------------------------------------------


def test_the_clock_moves(dev):
    kms = dev.client(access_key="333333333333")
    first = kms.create_key()["KeyMetadata"]["CreationDate"].timestamp()
    done = run("clock", "advance", "1d2h", "--endpoint", dev.url, check=True)
    assert re.fullmatch(r"It is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 there\.\n", done.stdout)
    second = kms.create_key()["KeyMetadata"]["CreationDate"].timestamp()
    assert 0 <= second - first - 26 * 3600 < 60
    kms.close()
    shown = run("clock", "show", "--output", "json", AWS_ENDPOINT_URL=dev.url, check=True)
    assert json.loads(shown.stdout)["now"] >= second


@pytest.mark.parametrize("text", ["8", "d", "8 d", "8w", "1.5d", "", "٣d"])
def test_what_is_no_time(dev, text):
    gives_up(run("clock", "advance", text, "--endpoint", dev.url), "8d")


def test_time_does_not_run_back(dev):
    assert run("clock", "advance", "-8d", "--endpoint", dev.url).returncode != 0


def test_a_real_server_has_no_clock_to_move(server):
    gives_up(run("clock", "advance", "1d", "--endpoint", server.url), "kagimori dev")
    body = b'{"advance_seconds": 60}'
    assert get(f"{server.url}/_kagimori/clock", data=body)[0] == 404


def test_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gives_up(run("clock", "advance", "1d", "--endpoint", f"http://127.0.0.1:{port}"), "answer")
    gives_up(run("clock", "advance", "1d", "--endpoint", "file:///etc/passwd"), "http")


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"advance_seconds": "a"}', b'{"advance_seconds": null}']
)
def test_the_clock_refuses_what_it_cannot_read(dev, body):
    status, _, answer = get(f"{dev.url}/_kagimori/clock", data=body)
    assert status == 400
    assert "advance_seconds" in json.loads(answer)["error"]


@pytest.mark.parametrize("number", ["1e300", "-1", "0"])
def test_the_clock_stays_where_time_can_be_told(dev, number):
    get(f"{dev.url}/_kagimori/clock", data=f'{{"advance_seconds": {number}}}'.encode())
    kms = dev.client()
    kms.create_key()
    kms.close()


# --- env and status -------------------------------------------------------------------------------


def test_env_can_be_evaluated(deployment):
    made = json.loads((deployment / "root-access-key.json").read_text())
    script = f'eval "$({serving.KAGIMORI} env --data {deployment})"; env'
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, env=serving.environment()
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert found["AWS_ENDPOINT_URL"] == made["endpoint_url"]
    assert found["AWS_ACCESS_KEY_ID"] == made["access_key_id"]
    assert found["AWS_SECRET_ACCESS_KEY"] == made["secret_access_key"]
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "AWS_CA_BUNDLE" not in found


def test_env_names_the_running_server(server):
    assert server.environment()["AWS_ENDPOINT_URL"] == server.url


def test_env_needs_a_deployment(folder):
    gives_up(run("env", "--data", folder), "holds no deployment")


def test_status_of_a_running_server(server):
    done = run("status", "--data", server.data, "--output", "json", check=True)
    found = json.loads(done.stdout)
    assert (found["status"], found["troubles"], found["workers"]) == ("ready", [], 1)
    assert found["endpoint_url"] == server.url
    assert found["pid"] == server.process.pid
    assert found["regions"] == ["us-east-1", "eu-central-1"]
    text = run("status", "--data", server.data, check=True).stdout
    assert re.search(r"^status +ready$", text, re.MULTILINE)
    assert server.url in text


def test_status_of_nobody(pristine, folder):
    done = run("status", "--data", pristine, "--output", "json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"status": "not running"})
    done = run("status", "--data", folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not being served" in done.stdout


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    done = run(*command.split(), "--help", check=True, COLUMNS="200", NO_COLOR="1")
    assert re.search(rf"Example: .*kagimori {command}", done.stdout), done.stdout


def test_help_lists_every_command():
    done = run("--help", check=True)
    for command in COMMANDS:
        assert command.split()[0] in done.stdout


@pytest.mark.parametrize("arguments", [["nothing"], ["serve"], ["init", "--data"], ["--wrong"]])
def test_a_wrong_command_line_is_code_2(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


# --- health and metrics ---------------------------------------------------------------------------


def test_health_and_readiness(server):
    assert get(f"{server.url}/healthz")[::2] == (200, b'{"status":"alive"}')
    status, headers, body = get(f"{server.url}/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ready", "troubles": []})
    assert headers["Content-Type"] == "application/json"


def test_metrics_are_the_admins(server, kms):
    kms.list_keys()
    status, headers, body = get(f"{server.running['admin_url']}/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    text = body.decode()
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(
            r'[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [-+0-9.eEInfNa]+', line
        ), line
    assert 'operation="ListKeys"' in text
    assert server.made["access_key_id"] not in text
    assert get(f"{server.url}/metrics")[0] == 404
    assert get(f"{server.running['admin_url']}/other")[0] == 404


def test_the_admin_listener_is_on_loopback(server):
    assert server.running["admin_url"].startswith("http://127.0.0.1:")
    assert (server.data / "run" / "server.json").stat().st_mode & 0o077 == 0
