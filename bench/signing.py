"""Requests as an SDK sends them, signed and ready as bytes. Signature Version 4, header form."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

JSON = "application/x-amz-json-1.1"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
# As long as the headers of the real thing, since they are parsed for every request.
USER_AGENT = (
    "Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux#6.12 md/arch#x86_64 lang/python#3.11.7 "
    "md/pyimpl#CPython m/Z,b,D,e cfg/retry-mode#legacy Botocore/1.44.8"
)


@dataclass(frozen=True)
class Signer:
    """An access key, and where its requests go."""

    url: str
    access_key_id: str
    secret_access_key: str
    region: str

    def kms(self, operation: str, **members: object) -> bytes:
        """Return a whole request for a KMS action."""
        headers = {"content-type": JSON, "x-amz-target": f"TrentService.{operation}"}
        return self._signed("kms", headers, json.dumps(members, separators=(",", ":")))

    def iam(self, operation: str, **members: str) -> bytes:
        """Return a whole request for an IAM action."""
        return self.query("iam", operation, **members)

    def query(self, service: str, operation: str, **members: str) -> bytes:
        """Return a whole request for an action of IAM or STS."""
        body = urlencode({"Action": operation, "Version": VERSIONS[service], **members})
        return self._signed(service, {"content-type": FORM}, body)

    def _signed(self, service: str, headers: dict[str, str], body: str) -> bytes:
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{at[:8]}/{self.region}/{service}/aws4_request"
        signed = {**headers, "host": urlsplit(self.url).netloc, "x-amz-date": at}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        payload_hash = hashlib.sha256(body.encode()).hexdigest()
        canonical = f"POST\n/\n\n{lines}\n{names}\n{payload_hash}"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = _hmac(self._signing_key(scope), text).hex()
        sent = {
            **signed,
            "user-agent": USER_AGENT,
            "accept-encoding": "identity",
            "amz-sdk-invocation-id": str(uuid4()),
            "amz-sdk-request": "attempt=1",
            "content-length": str(len(body)),
            "authorization": (
                f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, "
                f"SignedHeaders={names}, Signature={signature}"
            ),
        }
        head = "".join(f"{name.title()}: {value}\r\n" for name, value in sent.items())
        return f"POST / HTTP/1.1\r\n{head}\r\n{body}".encode()

    def _signing_key(self, scope: str) -> bytes:
        key = b"AWS4" + self.secret_access_key.encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
