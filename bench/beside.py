"""Encrypt while somebody else makes RSA_4096 keys, one after the other."""

import json
import threading
from typing import Self

from requests_made import ask
from servers import Server


class RsaKeysMade:
    """A client in a thread that makes keys until it is left; `made` counts them."""

    def __init__(self, server: Server) -> None:
        self._signer = server.signer()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.made = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            request = self._signer.kms("CreateKey", KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY")
            made = json.loads(ask(self._signer, request))["KeyMetadata"]["KeyId"]
            remove = self._signer.kms("ScheduleKeyDeletion", KeyId=made, PendingWindowInDays=7)
            ask(self._signer, remove)
            self.made += 1
