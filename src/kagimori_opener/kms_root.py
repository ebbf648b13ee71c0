"""A root that is a key of another KMS: secrets are encrypted and decrypted through the AWS API.

Source: KMS API Reference, "Encrypt" and "Decrypt".
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori_boundary.opener import Parameters, Trouble
from kagimori_boundary.opener_options import KmsOptions
from kagimori_client.connection import Endpoint, Unreachable
from kagimori_client.credentials import Credentials, NoCredentials, find_credentials
from kagimori_client.signing import Request, sign
from kagimori_opener.root import NotReached

SECONDS_MAX: Final = 10.0
# Said in the other KMS's own records, and needed to decrypt.
CONTEXT: Final = {"purpose": "kagimori seal"}
_OK, _FAULT = 200, 500
_ARN_PARTS: Final = 6
_SERVICE: Final = "kms"


class _AccessKey(Struct):
    access_key_id: str
    secret_access_key: str


class KmsRoot:
    """Keys of the KMSs that the settings name."""

    def __init__(self, named: Mapping[str, KmsOptions]) -> None:
        self._named = named

    def wrap(self, parameters: Parameters, secret: bytes) -> bytes:
        """Return a secret, encrypted under the key that the parameters name.

        Raises:
            NotReached: it was not.
        """
        answer = self._call("Encrypt", parameters, Plaintext=_text(secret))
        return _bytes(answer, "CiphertextBlob")

    def unwrap(self, parameters: Parameters, wrapped: bytes) -> bytes:
        """Return the secret.

        Raises:
            NotReached: it was not decrypted.
        """
        answer = self._call("Decrypt", parameters, CiphertextBlob=_text(wrapped))
        return _bytes(answer, "Plaintext")

    def _call(self, action: str, parameters: Parameters, **members: str) -> dict[str, Any]:
        root, key = str(parameters.get("root", "")), str(parameters.get("key", ""))
        options = self._named.get(root)
        if options is None:
            raise NotReached(Trouble.UNKNOWN, f"the settings name no KMS {root!r}")
        arn = key.split(":")
        if len(arn) < _ARN_PARTS:
            raise NotReached(Trouble.UNKNOWN, "the key must be named by its ARN")
        body = json.dumps({"KeyId": key, "EncryptionContext": CONTEXT, **members}).encode()
        endpoint = Endpoint(options.url, options.ca_bundle)
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"TrentService.{action}",
        }
        try:
            request = Request("POST", endpoint.host, "/", headers, body)
            signed = sign(
                request,
                _credentials(options),
                region=arn[3],
                service=_SERVICE,
                now=datetime.now(UTC),
            )
            status, _, content = endpoint.send(
                "POST", "/", signed.headers, body, seconds=SECONDS_MAX
            )
        except (Unreachable, NoCredentials) as reason:
            raise NotReached(Trouble.UNREACHABLE, str(reason)) from None
        answer = _decoded(content)
        if status == _OK:
            return answer
        code = str(answer.get("__type", "")).rpartition("#")[2]
        trouble = Trouble.UNREACHABLE if status >= _FAULT else Trouble.REFUSED
        raise NotReached(trouble, f"{options.url} refused {action}: {code[:100]}")


def _credentials(options: KmsOptions) -> Credentials:
    if options.credentials_file is None:
        return find_credentials()
    try:
        found = msgspec.json.decode(Path(options.credentials_file).read_bytes(), type=_AccessKey)
    except (OSError, ValueError):
        raise NoCredentials(f"{options.credentials_file} holds no access key") from None
    return Credentials(found.access_key_id, found.secret_access_key)


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(answer: dict[str, Any], member: str) -> bytes:
    try:
        return base64.b64decode(answer[member], validate=True)
    except (KeyError, ValueError, TypeError):
        raise NotReached(Trouble.UNREACHABLE, "the KMS answered something else") from None
