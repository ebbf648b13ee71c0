"""What somebody else does while Encrypt is measured: one client that asks for slow things only."""

import base64
import json
import os
import threading
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from requests_made import ask
from servers import Server

from kagimori_hsm.algorithms import rsa

KEY_SPEC = "RSA_4096"
WRAPPING = {"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_2048"}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class Beside:
    """A client in a thread that does the same until it is left; `done` counts."""

    what = ""

    def __init__(self, server: Server) -> None:
        self._signer = server.signer()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._once()
            self.done += 1

    def _once(self) -> None:
        raise NotImplementedError

    def _asked(self, operation: str, **members: object) -> dict:
        answer = ask(self._signer, self._signer.kms(operation, **members))
        return json.loads(answer or b"{}")

    def _new_key(self, **members: str) -> str:
        made = self._asked("CreateKey", KeySpec=KEY_SPEC, KeyUsage="SIGN_VERIFY", **members)
        return made["KeyMetadata"]["KeyId"]


class KeysMade(Beside):
    what = f"{KEY_SPEC} keys are made"

    def _once(self) -> None:
        self._asked("ScheduleKeyDeletion", KeyId=self._new_key(), PendingWindowInDays=7)


class KeysImported(Beside):
    """Imports one key's material over and over: it is checked each time."""

    what = f"{KEY_SPEC} keys are imported"

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        key_id = self._new_key(Origin="EXTERNAL")
        given = self._asked("GetParametersForImport", KeyId=key_id, **WRAPPING)
        public_key = serialization.load_der_public_key(base64.b64decode(given["PublicKey"]))
        aes_key = os.urandom(32)
        wrapped = aes_key_wrap_with_padding(aes_key, rsa.generate(KEY_SPEC))
        self._import = {
            "KeyId": key_id,
            "ImportToken": given["ImportToken"],
            "EncryptedKeyMaterial": base64.b64encode(
                public_key.encrypt(aes_key, OAEP) + wrapped
            ).decode("ascii"),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }

    def _once(self) -> None:
        self._asked("ImportKeyMaterial", **self._import)
