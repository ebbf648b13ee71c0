"""Seals on a real server: people open it, without a restart, also after the HSM was killed."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

import serving
from kit.softhsm import MODULE, needs_softhsm, soft_tokens

PASSPHRASE = "correct horse battery staple"


def command(*arguments, given="", check=True):
    """Run `kagimori` with one line on its standard input; return what it prints."""
    done = subprocess.run(
        [serving.KAGIMORI, *map(str, arguments)],
        input=f"{given}\n",
        capture_output=True,
        text=True,
        timeout=120,
        env=serving.environment(),
    )
    if check:
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def init(data, *options, given=""):
    return json.loads(command("init", "--data", data, *options, "--output", "json", given=given))


@contextmanager
def served(data):
    server = serving.Server(
        ["serve", "--data", data, "--listen", "127.0.0.1:0"],
        data=data,
        made=json.loads((data / "root-access-key.json").read_text()),
    ).wait_ready()
    try:
        yield server
    finally:
        server.stop()


def until(is_so, seconds=60.0):
    """Return once something is so; the test fails if that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def readiness(server):
    status, _, body = serving.get(server.url + "/readyz")
    return status, json.loads(body)["troubles"]


def until_sealed(server):
    until(lambda: readiness(server) == (503, ["sealed"]))


def is_refused(call, *arguments, **members):
    with pytest.raises(ClientError) as refused:
        call(*arguments, **members)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def seals(data):
    return json.loads(command("seal", "list", "--data", data, "--output", "json"))


def seal_of(data, kind):
    (found,) = [one["seal_id"] for one in seals(data)["seals"] if one["kind"] == kind]
    return found


def events(data, name):
    lines = [
        json.loads(line)["record"]
        for file in (data / "audit").glob("*/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return [line["serviceEventDetails"] for line in lines if line["eventName"] == name]


def test_a_passphrase_opens_a_server_and_opens_it_again_after_the_hsm_was_killed():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        init(data, "--seal", "passphrase", given=PASSPHRASE)
        assert not (data / "seal.key").exists()
        with served(data) as server:
            kms = server.client()
            assert readiness(server) == (503, ["sealed"])
            assert serving.get(server.url + "/healthz")[0] == 200
            is_refused(kms.list_keys)
            is_refused(server.client("iam").list_users)
            refused = command("unseal", "--data", data, given="a wrong one", check=False)
            assert "does not open this seal" in refused
            assert readiness(server) == (503, ["sealed"])
            until(lambda: seals(data)["seals"][0]["wait_seconds"] == 0)
            assert command("unseal", "--data", data, given=PASSPHRASE) == "unsealed\n"
            until(lambda: readiness(server) == (200, []))
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            made = kms.encrypt(KeyId=key_id, Plaintext=b"kept")["CiphertextBlob"]
            until(lambda: len(events(data, "UnsealDomains")) == 2)
            os.kill(server.pids["hsm"], signal.SIGKILL)
            until_sealed(server)
            is_refused(kms.list_keys)
            is_refused(kms.decrypt, CiphertextBlob=made)
            assert command("unseal", "--data", data, given=PASSPHRASE) == "unsealed\n"
            until(lambda: readiness(server) == (200, []))
            assert kms.decrypt(CiphertextBlob=made)["Plaintext"] == b"kept"
            until(lambda: len(events(data, "UnsealDomains")) == 3)
            results = [one["result"] for one in events(data, "UnsealDomains")]
            assert results == ["WRONG", "OK", "OK"]
            everything = json.dumps([server.stdout, server.stderr])
            assert PASSPHRASE not in everything


def test_backup_and_shares_and_an_empty_machine_recover_everything():
    with serving.temporary_folder() as folder:
        data, restored = folder / "data", folder / "restored"
        made = init(data, "--seal", "quorum", "--threshold", "2", "--shares", "3")
        shares = made["shares"]
        assert len(shares) == 3
        with served(data) as server:
            assert "1 of 2 shares" in command("unseal", "--data", data, given=shares[0])
            assert seals(data)["seals"][0]["given"] == 1
            again = command("unseal", "--data", data, given=shares[0], check=False)
            assert "given already" in again
            assert command("unseal", "--data", data, given=shares[2]) == "unsealed\n"
            until(lambda: readiness(server) == (200, []))
            kms = server.client()
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            ciphertext = kms.encrypt(KeyId=key_id, Plaintext=b"kept")["CiphertextBlob"]
            copy = ("sqlite3", data / "kagimori.db", f".backup {folder / 'kagimori.db'}")
            subprocess.run(copy, check=True)
        restored.mkdir(mode=0o700)
        shutil.copy(folder / "kagimori.db", restored)
        (restored / "kagimori.db").chmod(0o600)
        shutil.copytree(data / "audit", restored / "audit")
        shutil.copy(data / "root-access-key.json", restored)
        with served(restored) as server:
            for share in (shares[1], shares[0]):
                command("unseal", "--data", restored, given=share)
            until(lambda: readiness(server) == (200, []))
            assert server.client().decrypt(CiphertextBlob=ciphertext)["Plaintext"] == b"kept"


def test_seals_come_and_go_while_it_serves():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        init(data)
        first = seal_of(data, "file")
        with served(data) as server:
            kms = server.client()
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            ciphertext = kms.encrypt(KeyId=key_id, Plaintext=b"kept")["CiphertextBlob"]
            last = command("seal", "remove", first, "--data", data, check=False)
            assert "the last seal" in last
            command("seal", "add", "passphrase", "--data", data, given=PASSPHRASE)
            command("seal", "add", "file", "--data", data)
            assert len(list(data.glob("seal-*.key"))) == 1
            passphrase = seal_of(data, "passphrase")
            assert "opens" in command("seal", "test", passphrase, "--data", data, given=PASSPHRASE)
            assert "opens" in command("seal", "test", first, "--data", data)
            command("seal", "remove", first, "--data", data)
            assert first not in str(seals(data))
            before = server.pids["hsm"]
            os.kill(before, signal.SIGKILL)
            # The further file opens it; the first one would open nothing any more.
            until(lambda: server.pids.get("hsm", before) != before)
            until(lambda: readiness(server) == (200, []))
            assert kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"] == b"kept"
            assert len(events(data, "AddSeal")) == 2
            assert len(events(data, "RemoveSeal")) == 1
            assert [one["result"] for one in events(data, "TestSeal")] == ["OK", "OK"]
        for file in data.glob("seal-*.key"):
            file.unlink()
        with served(data) as server:
            assert readiness(server) == (503, ["sealed"])
            assert command("unseal", "--data", data, given=PASSPHRASE) == "unsealed\n"
            until(lambda: readiness(server) == (200, []))
            assert server.client().decrypt(CiphertextBlob=ciphertext)["Plaintext"] == b"kept"


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("init", "--seal", "passphrase"), "short", "12 characters"),
        (("init", "--seal", "quorum"), "", "--threshold"),
        (("init", "--seal", "quorum", "--threshold", "3", "--shares", "2"), "", "threshold of 2"),
        (("init", "--seal", "tea"), "", "first seal"),
        (("init", "--threshold", "2"), "", "takes no --threshold"),
        (("seal", "list"), "", "holds no deployment"),
        (("seal", "add", "passphrase"), PASSPHRASE, "not being served"),
        (("seal", "add", "tea"), "", "no kind"),
        (("unseal",), "", "not being served"),
    ],
)
def test_commands_give_up_in_one_line_and_change_nothing(arguments, given, words):
    with serving.temporary_folder() as folder:
        refused = command(*arguments, "--data", folder / "data", given=given, check=False)
        assert words in refused
        assert len(refused.splitlines()) == 1
        assert not (folder / "data" / "kagimori.db").exists()


@needs_softhsm
def test_a_token_and_another_kms_open_a_server_by_themselves():
    with serving.temporary_folder() as folder, serving.served() as elsewhere:
        data, tokens = folder / "data", soft_tokens(folder / "soft", "vault")
        init(data)
        key = elsewhere.client().create_key()["KeyMetadata"]["Arn"]
        (data / "kagimori.toml").write_text(
            f"""
[kms_roots.elsewhere]
url = "{elsewhere.url}"
credentials_file = "{elsewhere.data / "root-access-key.json"}"
[tokens.vault]
module = "{MODULE}"
label = "vault"
pin_file = "{tokens.folder / "vault.pin"}"
paths = ["{tokens.folder}"]
environment = {{ SOFTHSM2_CONF = "{tokens.environment["SOFTHSM2_CONF"]}" }}
"""
        )
        with served(data) as server:
            command("seal", "add", "kms", "--root", "elsewhere", "--key", key, "--data", data)
            command("seal", "add", "pkcs11", "--root", "vault", "--data", data)
            command("seal", "remove", seal_of(data, "file"), "--data", data)
            (data / "seal.key").unlink()
            for kind in ("kms", "pkcs11"):
                assert "opens" in command("seal", "test", seal_of(data, kind), "--data", data)
            # Each of them alone, and none of them: sealed, until one is back.
            command("seal", "remove", seal_of(data, "kms"), "--data", data)
            tokens.take_away()
            os.kill(server.pids["hsm"], signal.SIGKILL)
            until_sealed(server)
            tokens.bring_back()
            until(lambda: readiness(server) == (200, []))
