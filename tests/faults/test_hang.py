"""An HSM or a worker that hangs: the supervisor ends it, and another takes its place."""

import os
import signal

import serving
from serving import eventually


def test_an_hsm_that_hangs_is_replaced():
    with serving.served() as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"before")["CiphertextBlob"]
        hangs = server.pids["hsm"]
        os.kill(hangs, signal.SIGSTOP)
        eventually(lambda: server.pids.get("hsm") not in (hangs, None), seconds=60)
        eventually(lambda: serving.get(server.url + "/readyz")[0] == 200, seconds=30)
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"before"
        assert any("it does not answer" in line for line in server.stderr)
        kms.close()


def test_a_worker_whose_loop_stands_still_is_replaced():
    with serving.served("--set", "serve.silent_seconds=3") as server:
        hangs = server.pids["w0"]
        os.kill(hangs, signal.SIGSTOP)
        eventually(lambda: server.pids.get("w0") not in (hangs, None), seconds=60)
        eventually(lambda: serving.get(server.url + "/readyz")[0] == 200, seconds=30)
        assert any("it stands still" in line for line in server.stderr)
        kms = server.client()
        assert kms.list_keys()["Keys"] == []
        kms.close()
