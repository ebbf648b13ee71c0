"""A worker that was taken over: it speaks to the HSM as a worker does, and wants everything.

What it may not have is refused by the HSM or by the kernel, and what it gets leaves a line that
`kagimori audit verify` finds.
"""

import json
import os
import socket
import subprocess
import sys
import time

import msgspec
import pytest

import serving
from kagimori.deployment.opened import opened, with_hsm
from kagimori.entities.tables import ACCESS_KEYS
from kagimori.machinery.store.database import Fact
from kagimori.machinery.store.sqlite import SqliteDatabase, connect
from kagimori.rules.records.service_event import ServiceRecord
from kagimori_boundary import commands
from kagimori_boundary.commands import AccessKeyProof, BoundToken, SessionProof
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.frames import FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Bytes, Failed, Failure, NewKey, NewSession

YEAR_9999 = 253_402_300_000
FORBIDDEN = Failed(Failure.FORBIDDEN)
MALFORMED = Failed(Failure.MALFORMED)
OTHER = "444455556666"


class Worker:
    """The socket of the HSM, and the store: all that a worker has."""

    def __init__(self, server):
        self.server = server
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(server.data / "run" / "hsm.sock"))
        self.cutter, self.asked = FrameCutter(), 0
        self.account = server.account

    def ask(self, command):
        self.asked += 1
        self.socket.sendall(frame_of(self.asked, command))
        frames = []
        while not frames:
            frames = self.cutter.feed(self.socket.recv(65536))
        return decode_reply(frames[0][1])

    def stolen(self):
        """What the store has of the root access key."""
        connection = connect(self.server.data / "kagimori.db", read_only=True)
        try:
            database = SqliteDatabase(connection, "", (ACCESS_KEYS,))
            key = database.one(ACCESS_KEYS, (self.server.made["access_key_id"],))
        finally:
            connection.close()
        return AccessKeyProof(self.account, key.access_key_id, key.holder, key.sealed_secret)

    def session(self, kind, principal, seconds, proof, *, account=None, key="ASIATAKENOVER0000000"):
        now = int(time.time())
        account = account or self.account
        return self.ask(
            commands.CreateSession(
                key, kind, account, principal, now, now + seconds, b"claims", proof
            )
        )


@pytest.fixture(scope="module")
def server():
    with serving.served() as running:
        yield running


@pytest.fixture(scope="module")
def worker(server):
    taken_over = Worker(server)
    yield taken_over
    taken_over.socket.close()


def test_no_root_session_without_an_end(worker):
    proof = worker.stolen()
    assert proof.holder == ROOT_HOLDER
    for seconds in (YEAR_9999 - int(time.time()), 36 * 3600, 3601):
        assert worker.session("root", ROOT_HOLDER, seconds, proof) == FORBIDDEN
        assert worker.session("root", ROOT_HOLDER, seconds, None) == FORBIDDEN


def test_no_session_of_an_account_that_it_has_nothing_of(worker):
    proof = worker.stolen()
    for kind in ("root", "user", "federated"):
        for shown in (proof, None, SessionProof("ASIAEXAMPLE", b"x" * 200)):
            made = worker.session(kind, ROOT_HOLDER, 900, shown, account=OTHER)
            assert isinstance(made, Failed)
    elsewhere = AccessKeyProof(OTHER, *msgspec.structs.astuple(proof)[1:])
    made = worker.session("root", ROOT_HOLDER, 900, elsewhere, account=OTHER)
    assert made == Failed(Failure.TOKEN_REFUSED)
    secret = commands.CreateSecretOnBehalf(OTHER, "AKIANEW", ROOT_HOLDER, proof)
    assert worker.ask(secret) == FORBIDDEN


def name_operators(data, account_id):
    """Change the store's note as one who has its key, which workers have."""
    with opened(data) as deployment:
        with_hsm(deployment, lambda ask: None)
        before = deployment.store.facts()["operator_account_id"]
        named = Fact("operator_account_id", json.dumps(account_id), before)
        deployment.store.commit([named], ServiceRecord("theirs", b'{"eventID":"theirs"}'))


def test_naming_other_operators_in_the_store_makes_none():
    """A worker can write the store; the HSM believes what it has sealed."""
    with serving.temporary_folder() as data:
        made = serving.init(data)
        account = json.loads(
            serving.run("account", "create", "--data", data, "--output", "json", check=True).stdout
        )
        name_operators(data, account["account_id"])
        with serving.served(data=data) as server:
            admin = server.client(
                "kagimori",
                access_key=account["access_key_id"],
                secret=account["secret_access_key"],
            )
            with serving.refused("AccessDeniedException"):
                admin.create_account()
            admin = server.client(
                "kagimori", access_key=made["access_key_id"], secret=made["secret_access_key"]
            )
            assert admin.get_status()["OperatorAccountId"] == made["account_id"]


@pytest.mark.parametrize("ahead", [2, 30, 3650])
def test_no_signing_keys_for_days_to_come(worker, ahead):
    proof = worker.stolen()

    def derive(days):
        date = time.strftime("%Y%m%d", time.gmtime(time.time() + days * 86_400))
        return worker.ask(
            commands.DeriveSigningKey(*msgspec.structs.astuple(proof), date, "us-east-1", "kms")
        )

    assert isinstance(derive(0), Bytes)
    assert derive(ahead) == FORBIDDEN


def test_no_command_of_another_role(worker):
    for command in (
        commands.CreateSecret(worker.account, "AKIANEW", ROOT_HOLDER),
        commands.Unseal(b""),
        commands.CreateDomains(["x"]),
        commands.AdoptDomains(b""),
        commands.AdmitFollower(os.getpid()),
        commands.Zeroize(),
        commands.CreateAuditKey(),
        commands.SignDigest(b"", "", "", "", b"", b""),
        commands.StoreMaterial(
            worker.account, "us-east-1", "k", "HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS", b"x"
        ),
    ):
        assert worker.ask(command) == MALFORMED


def test_a_key_made_to_encrypt_does_not_sign(worker):
    kind = ("RSA_2048", "ENCRYPT_DECRYPT", "AWS_KMS")
    new = worker.ask(commands.GenerateKey(worker.account, "us-east-1", "k", *kind))
    assert isinstance(new, NewKey)
    bound = BoundToken(worker.account, "us-east-1", "k", *kind, new.material_id, new.key_token)
    token = msgspec.msgpack.encode(bound)
    sign = commands.Sign(token, "RSASSA_PSS_SHA_256", "RAW", b"x")
    assert worker.ask(sign) == FORBIDDEN
    changed = msgspec.structs.replace(bound, key_usage="SIGN_VERIFY")
    sign = msgspec.structs.replace(sign, bound_token=msgspec.msgpack.encode(changed))
    assert worker.ask(sign) == Failed(Failure.TOKEN_REFUSED)


# --- what it may touch ----------------------------------------------------------------------------

TRIES = """
import json, os, sys
from pathlib import Path
import msgspec
from kagimori.server.confinement import Confinement
from kagimori.server.worker_config import WorkerConfig

data = Path(sys.argv[1])
held = Confinement(WorkerConfig(
    data=str(data), stream="w0", streams=("w0",), hsm_socket="", listen_fd=-1, control_fd=-1,
    regions=("us-east-1",),
))
seal, journal = data / "seal.key", data / "hsm" / "journal.jsonl"
hsm = int(sys.argv[2])
inside = data / "audit" / "stolen"
tries = {
    "read": lambda: seal.read_text(),
    "read through /proc": lambda: Path(f"/proc/self/cwd/{os.path.relpath(seal)}").read_text(),
    "read through another's root": lambda: Path(f"/proc/{hsm}/root{seal}").read_text(),
    "link": lambda: os.link(seal, inside),
    "rename": lambda: os.rename(seal, inside),
    "write": lambda: seal.write_text("00"),
    "remove": lambda: seal.unlink(),
    "read the HSM's memory": lambda: open(f"/proc/{hsm}/mem", "rb").read(1),
    "read the HSM's descriptors": lambda: os.listdir(f"/proc/{hsm}/fd"),
    "end the HSM": lambda: os.kill(hsm, 0),
    "write the HSM's journal": lambda: journal.open("ab"),
    "read the root access key": lambda: (data / "root-access-key.json").read_text(),
    "make a file beside": lambda: (data / "x").write_text("x"),
    "start a server": lambda: __import__("socket").create_server(("127.0.0.1", 0)),
}
def tried(one):
    try:
        one()
    except OSError:
        return False
    return True
print(json.dumps([held.keeps_the_seal_hidden, [name for name, one in tries.items() if tried(one)]]))
(data / "audit" / "mine").write_text("a worker's own files are its own")
(data / "audit" / "mine").unlink()
"""


def landlock_version():
    import ctypes

    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)


@pytest.mark.skipif(landlock_version() < 6, reason="this kernel has no, or an older, Landlock")
def test_a_worker_cannot_reach_the_seal_or_the_hsm(server):
    done = subprocess.run(
        [sys.executable, "-c", TRIES, str(server.data), str(server.pids["hsm"])],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=server.data,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hidden, succeeded = json.loads(done.stdout)
    assert hidden
    assert not succeeded


@pytest.mark.skipif(landlock_version() < 6, reason="this kernel has no, or an older, Landlock")
def test_the_server_says_that_its_processes_are_confined(server):
    status, _, body = serving.get(server.running["admin_url"] + "/status")
    assert status == 200
    sandbox = json.loads(body)["sandbox"]
    assert sandbox["workers"] is True
    assert sandbox["hsm"][0] == "landlock"


# --- what it leaves behind ------------------------------------------------------------------------


def verified(server):
    done = serving.run("audit", "verify", "--data", server.data, "--output", "json")
    return done.returncode, json.loads(done.stdout)


def test_credentials_without_a_record_are_found_even_after_a_restart():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        with serving.served(data=data) as server:
            server.client("sts").get_session_token()
            user = server.client("iam").create_user(UserName="alice")["User"]["UserName"]
            server.client("iam").create_access_key(UserName=user)
            assert verified(server)[0] == 0
            taken_over = Worker(server)
            made = taken_over.session("role", "AROAEXAMPLE", 900, None)
            assert isinstance(made, NewSession)
            taken_over.socket.close()
            code, found = verified(server)
            assert code == 1
        with serving.served(data=data) as server:
            server.client("sts").get_session_token()
            code, found = verified(server)
        assert code == 1
        assert [finding["kind"] for finding in found["findings"]] == [
            "credentials without a record"
        ]
        assert "ASIATAKENOVER0000000" in found["findings"][0]["message"]
        journal = data / "hsm" / "journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        assert len(lines) == 4
        journal.write_bytes(b"".join(lines[:1] + lines[2:]))  # its line is taken out
        code, found = verified(server)
        assert code == 1
        assert found["findings"][0]["kind"] == "changed HSM journal"
