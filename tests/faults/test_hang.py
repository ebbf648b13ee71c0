"""An HSM that hangs: its supervisor ends it, and what was asked of it is asked again."""

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
