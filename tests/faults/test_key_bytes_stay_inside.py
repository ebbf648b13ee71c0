"""Backing keys, domain keys and the root key are in the HSM's memory and nowhere else.

The memory of every other process, its core files, all files, logs and answers are searched for
them; the same search finds them in the HSM. Promise: plain-keys-stay-inside.
"""

import gzip
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

import outside
import serving
from kit.key_bytes import found_in, found_in_memory, needles_of, secrets_of
from serving import eventually

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="reading the memory of processes that are not dumpable needs Linux and root",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A deployment whose keys of several kinds were made, imported, rotated and used."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch, serving.temporary_folder() as folder:
        patch.chdir(elsewhere)  # where core files would be
        data = folder / "data"
        made = serving.init(data)
        arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--workers", "2"]
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # as much as is allowed here
        try:
            started = serving.Server(arguments, data=data, made=made, TMPDIR=str(elsewhere))
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        started.wait_ready()
        started.elsewhere, started.answers = elsewhere, use_keys(started)
        try:
            yield started
        finally:
            started.stop()


def use_keys(server):
    """Make and use keys; return all answers as text."""
    kms, answers = server.client(), []
    server.material = os.urandom(32)
    symmetric = kms.create_key()["KeyMetadata"]["KeyId"]
    external = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    given = kms.get_parameters_for_import(
        KeyId=external, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    kms.import_key_material(
        KeyId=external,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=outside.wrapped(
            given["PublicKey"], "RSAES_OAEP_SHA_256", server.material
        ),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    for key in (symmetric, external):
        answers += [kms.encrypt(KeyId=key, Plaintext=b"x") for _ in range(4)]  # on both workers
        answers.append(kms.decrypt(CiphertextBlob=answers[-1]["CiphertextBlob"]))
        answers.append(kms.generate_data_key(KeyId=key, KeySpec="AES_256"))
    kms.rotate_key_on_demand(KeyId=symmetric)
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    answers.append(kms.sign(KeyId=signing["KeyId"], Message=b"x", SigningAlgorithm="ECDSA_SHA_256"))
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    answers.append(kms.generate_mac(KeyId=mac["KeyId"], Message=b"x", MacAlgorithm="HMAC_SHA_256"))
    server.keys = [symmetric, external]
    serving.run("domain", "rotate", "--data", server.data, check=True)
    answers.append(kms.encrypt(KeyId=symmetric, Plaintext=b"x"))
    kms.close()
    return [value for answer in answers for value in answer.values() if isinstance(value, bytes)]


@pytest.fixture
def secrets(server):
    """The secrets there are now; the key of the file is none that the file itself may not hold."""
    return secrets_of(server.data)


def processes(server):
    return {"supervisor": server.running["pid"], **server.running["processes"]}


def children_of(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_there_is_enough_to_search_for(server, secrets):
    kinds = [name.split(" ")[0] for name in secrets]
    assert kinds.count("domain") >= 3
    assert kinds.count("backing") >= 5
    assert server.material in secrets.values()


def test_the_search_finds_them_in_the_hsm(server, secrets):
    kms = server.client()
    for key in server.keys:  # opened keys stay for some minutes
        kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.close()
    found = found_in_memory(server.running["processes"]["hsm"], secrets)
    assert {name for name in secrets if not name.startswith("backing")} <= found
    assert sum(name.startswith("backing") for name in found) >= 2
    imported = next(name for name, secret in secrets.items() if secret == server.material)
    assert imported in found


def test_no_other_process_has_them_in_its_memory(server, secrets):
    others = {name: pid for name, pid in processes(server).items() if name != "hsm"}
    assert {"supervisor", "w0", "w1", "trail"} <= set(others)
    for child in children_of(server.running["processes"]["hsm"]):
        others[f"child {child} of the HSM"] = child
    assert {name: found_in_memory(pid, secrets) for name, pid in others.items()} == {
        name: set() for name in others
    }


def test_nor_are_they_in_files_logs_and_answers(server, secrets):
    places = {"log": "".join(server.stderr).encode(), "output": "".join(server.stdout).encode()}
    places |= {f"answer {number}": answer for number, answer in enumerate(server.answers)}
    places["metrics"] = serving.get(server.running["admin_url"] + "/metrics")[2]
    places["status"] = serving.get(server.running["admin_url"] + "/status")[2]
    places["hsm"] = serving.get(server.running["admin_url"] + "/hsm")[2]
    for folder in (server.data, server.elsewhere):
        for file in folder.rglob("*"):
            if file.is_file() and file != server.data / "seal.key":
                content = file.read_bytes()
                places[str(file)] = gzip.decompress(content) if file.suffix == ".gz" else content
    assert any(name.endswith("kagimori.db") for name in places)
    assert any(name.endswith(".jsonl") for name in places)
    assert {name: found for name, one in places.items() if (found := found_in(one, secrets))} == {}
    assert found_in((server.data / "seal.key").read_bytes(), secrets) == {"seal key"}


@pytest.mark.parametrize("process", ["hsm", "w0"])
def test_a_process_that_crashes_leaves_none_behind(server, secrets, process):
    """Not even with core files allowed: the HSM is not dumpable, and a worker's core has none."""
    pid = processes(server)[process]
    if process == "hsm":
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
    os.kill(pid, signal.SIGSEGV)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    eventually(lambda: serving.get(server.url + "/readyz")[0] == 200, seconds=30)
    cores = [file for file in server.elsewhere.rglob("*") if "core" in file.name]
    if process == "hsm":
        assert cores == []
    assert {str(file): found_in(file.read_bytes(), secrets) for file in cores} == {
        str(file): set() for file in cores
    }


def test_the_search_knows_every_form():
    secret = os.urandom(32)
    for form in (
        secret, secret.hex().encode(), secret.hex().upper().encode(),
        *(outside_base64(bytes(offset) + secret) for offset in range(3)),
    ):  # fmt: skip
        assert found_in(b"before" + form + b"after", {"it": secret}) == {"it"}
    assert found_in(os.urandom(4096), {"it": secret}) == set()
    assert all(len(form) >= 12 for form in needles_of(secret))


def outside_base64(value):
    import base64

    return base64.b64encode(value)
