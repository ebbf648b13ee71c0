"""A store on another machine: TLS with a CA of one's own, a password in a file, no superuser."""

import contextlib
import json
import socket
from pathlib import Path

import pytest

import serving
from kagimori.deployment.certificates import make_certificate_authority
from kagimori.entities.tables import TABLES
from kagimori.machinery.store.admin import StoreUnusable, open_store
from kagimori.machinery.store.database import Fact
from kagimori.machinery.store.engines import whole_url
from kagimori.rules.records.service_event import ServiceRecord
from kit import postgres

SECRET = "correct horse battery staple"
HBA = b"local all owner trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Remote:
    """A database that is reached over TCP, by a role that owns it and may do nothing else."""

    def __init__(self, folder):
        made = make_certificate_authority(folder, ["localhost"])
        self.authority = made.authority

        def prepare(server):
            server.write("server.crt", (folder / "server.pem").read_bytes())
            server.write("server.key", (folder / "server.key").read_bytes())
            server.write("pg_hba.conf", HBA)

        self.server = postgres.Server(
            "ssl=on", "listen_addresses=127.0.0.1", port=free_port(), prepare=prepare
        )
        with contextlib.closing(self.server.connect("postgres")) as connection:
            connection.execute(f"CREATE ROLE alice LOGIN PASSWORD '{SECRET}'")
            connection.execute("CREATE DATABASE kagimori OWNER alice")
        self.password_file = folder / "password"
        self.password_file.write_text(f"{SECRET}\n")
        self.password_file.chmod(0o600)

    def url(self, host="localhost", authority=None, mode="verify-full", password_file=None):
        given = f"postgresql://alice@{host}:{self.server.port}/kagimori?sslmode={mode}"
        given += f"&sslrootcert={authority or self.authority}&hostaddr=127.0.0.1"
        return whole_url(given, password_file or self.password_file)


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    found = Remote(tmp_path_factory.mktemp("tls"))
    yield found
    found.server.remove()


def opened(url):
    return open_store(url, tuple(TABLES.values()), writer="n-admin")


def test_the_owner_of_a_database_needs_no_further_right(remote):
    with opened(remote.url()) as store:
        store.commit([Fact("colour", "red")], ServiceRecord("e", b"{}"))
        assert store.facts() == {"colour": "red"}
        connection = store._database._link._connection
        assert connection.pgconn.ssl_in_use
        (is_superuser,) = connection.execute("SHOW is_superuser").fetchone()
        assert is_superuser == "off"
        store._database.run("DELETE FROM deployment")
        store._database.run("DELETE FROM outbox")


def test_who_is_not_who_it_says_is_not_given_the_password(remote, tmp_path):
    other = make_certificate_authority(tmp_path, ["localhost"])
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    for url, said in (
        (remote.url(authority=other.authority), "certificate verify failed"),
        (remote.url(host="db.example.com"), "does not match host name"),
        (remote.url(password_file=wrong), "password authentication failed"),
        (remote.url(mode="disable", host="127.0.0.1"), "no pg_hba.conf entry"),
        (remote.url(password_file=tmp_path / "none"), "No such file"),
    ):
        with pytest.raises(StoreUnusable, match=said) as refused:
            opened(url)
        assert "\n" not in str(refused.value)
        assert SECRET not in str(refused.value)
        assert "something else" not in str(refused.value)


def test_a_confined_worker_reaches_it_and_the_password_is_seen_nowhere(remote):
    options = ("--store", remote.url(), "--store-password-file", remote.password_file)
    with serving.served(init_options=options) as server:
        kms = server.client()
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Enabled"]
        status = json.loads(serving.run("status", "--data", server.data, "--output", "json").stdout)
        seen = [json.dumps(status), "".join(server.stderr), "".join(server.stdout)]
        pids = (server.process.pid, *server.pids.values())
        files = [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("cmdline", "environ")]
        files += [file for file in server.data.rglob("*") if file.is_file()]
        seen += [file.read_bytes().decode(errors="replace") for file in files]
        assert not [text for text in seen if SECRET in text]
