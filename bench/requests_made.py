"""The requests of a load: several hundred, no two alike, signed when they are asked for.

A signature holds for five minutes, so a load is made right before its run.
"""

import base64
import http.client
import json
import os
from urllib.parse import urlsplit

from load import Load
from servers import Server
from signing import Signer

REQUESTS = 500
PLAINTEXT_BYTES = 32


class LoadMaker:
    """Makes loads against one server, with one KMS key and one caller of its own."""

    def __init__(self, server: Server) -> None:
        self.root = server.signer()
        user = _iam_user(self.root) if server.checks_policies else None
        self._signer = user or self.root
        self.caller = "an IAM user with an identity policy" if user else "the account's root user"
        made = json.loads(ask(self.root, self.root.kms("CreateKey")))
        self.key_id = made["KeyMetadata"]["KeyId"]
        self._ciphertexts: list[tuple[str, dict[str, str]]] = []

    def load(self, operation: str) -> Load:
        """Return a load, after one request of it has been answered with success."""
        requests = getattr(self, f"_{operation}")()
        ask(self._signer, requests[0])
        return Load(requests)

    def _Encrypt(self) -> list[bytes]:  # noqa: N802 - AWS's names
        return [self._encrypt(_context(number)) for number in range(REQUESTS)]

    def _Decrypt(self) -> list[bytes]:  # noqa: N802
        if not self._ciphertexts:
            for number in range(REQUESTS):
                context = _context(number)
                answer = json.loads(ask(self._signer, self._encrypt(context)))
                self._ciphertexts.append((answer["CiphertextBlob"], context))
        return [
            self._signer.kms("Decrypt", CiphertextBlob=blob, EncryptionContext=context)
            for blob, context in self._ciphertexts
        ]

    def _GenerateDataKey(self) -> list[bytes]:  # noqa: N802
        return [
            self._signer.kms(
                "GenerateDataKey",
                KeyId=self.key_id,
                KeySpec="AES_256",
                EncryptionContext=_context(number),
            )
            for number in range(REQUESTS)
        ]

    def _encrypt(self, context: dict[str, str]) -> bytes:
        plaintext = base64.b64encode(os.urandom(PLAINTEXT_BYTES)).decode()
        return self._signer.kms(
            "Encrypt", KeyId=self.key_id, Plaintext=plaintext, EncryptionContext=context
        )


def ask(signer: Signer, request: bytes) -> bytes:
    """Send one request; return the body of its answer, which must be a success."""
    status, answer = _send(signer, request)
    if status != http.HTTPStatus.OK:
        raise SystemExit(f"refused before the run: {status} {answer.decode()}")
    return answer


def _send(signer: Signer, request: bytes) -> tuple[int, bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    connection = http.client.HTTPConnection(urlsplit(signer.url).netloc, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _context(number: int) -> dict[str, str]:
    return {"tenant": f"{number:04d}-{os.urandom(4).hex()}"}


def _iam_user(root: Signer) -> Signer | None:
    """Return the signer of a new IAM user that one identity policy lets use every key.

    None if the server has no IAM users.
    """
    name = f"bench-{os.urandom(4).hex()}"
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    status, _ = _send(root, root.iam("CreateUser", UserName=name))
    if status != http.HTTPStatus.OK:
        return None
    ask(root, root.iam("PutUserPolicy", UserName=name, PolicyName="use", PolicyDocument=policy))
    answer = ask(root, root.iam("CreateAccessKey", UserName=name)).decode()
    return Signer(
        root.url, _element(answer, "AccessKeyId"), _element(answer, "SecretAccessKey"), root.region
    )


def _element(xml: str, name: str) -> str:
    return xml.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
