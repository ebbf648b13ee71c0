"""An external key store proxy of our own for tests: TLS, Signature Version 4, AES-GCM, and faults.

Written from the AWS KMS External Key Store Proxy API specification, version 1; nothing in it is
the service's code.
"""

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import ssl
import struct
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kagimori.deployment.certificates import make_certificate_authority

HOST = "xks.example.com"
ENDPOINT = f"https://{HOST}"
PATH = "/example/kms/xks/v1"
OTHER_PATH = "/other/kms/xks/v1"
THIRD_PATH = "/third/kms/xks/v1"
ACCESS_KEY_ID = "BETWPKZ2IPPVDMYBSH2Q"
SECRET = "PKV3QRSfUIGXNwMhVGcMDnQxBKWhIvKeFqMfWZ6ZG8tS"
CREDENTIAL = {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET}
STATUS = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
    "InternalException": 500,
}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z2-7]+)/([0-9]{8})/([a-z0-9-]+)/kms-xks-proxy/aws4_request, "
    r"SignedHeaders=host;x-amz-date, Signature=([0-9a-f]{64})"
)


def b64(value):
    return base64.b64encode(value).decode()


class Refused(Exception):
    """What the proxy answers instead: one of the specification's errors."""


class Key:
    """An external key."""

    def __init__(self, **facts):
        self.material = AESGCM(os.urandom(32))
        self.facts = {
            "keySpec": "AES_256",
            "keyUsage": ["ENCRYPT", "DECRYPT"],
            "keyStatus": "ENABLED",
            **facts,
        }


class Proxy:
    """A running proxy. `fault` decides what is answered instead: see `_Handler.do_POST`."""

    def __init__(self, folder, host=HOST):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = make_certificate_authority(folder, [host]).authority
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.secrets = {ACCESS_KEY_ID: SECRET}
        self.keys = {}
        self.asked = []
        self.connections = 0
        self.fault = None
        self.released = threading.Event()
        self.health = {
            "xksProxyFleetSize": 2,
            "xksProxyVendor": "Example",
            "xksProxyModel": "Proxy 1",
            "ekmVendor": "Example",
            "ekmFleetDetails": [{"id": "hsm-1", "model": "Vault 1", "healthStatus": "ACTIVE"}],
        }
        self._port = 0
        self._server = None
        self.start()

    @property
    def place(self):
        return f"127.0.0.1:{self._port}"

    def start(self):
        """Serve, at the same port as before if there was one."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), _Handler)
        server.daemon_threads = True
        server.proxy = self
        server.socket = self._context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server, self._port = server, server.server_port
        self._open = set()
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self):
        """Be gone: whoever is connected is cut off."""
        self.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server = None

    def answer(self, path, body):
        """Return what is answered to an operation below the path, or raise `Refused`."""
        if path == "/health":
            return self.health
        found = re.fullmatch(r"/keys/([A-Za-z0-9._-]{1,128})/(metadata|encrypt|decrypt)", path)
        if found is None:
            raise Refused("InvalidUriPathException")
        key = self.keys.get(found[1])
        if key is None:
            raise Refused("KeyNotFoundException")
        if found[2] == "metadata":
            return key.facts
        if key.facts["keyStatus"] != "ENABLED":
            raise Refused("InvalidStateException")
        assert re.fullmatch(r"arn:aws:kms:\S+:key/\S+", body["requestMetadata"]["kmsKeyArn"])
        assert body["encryptionAlgorithm"] == "AES_GCM"
        return {"encrypt": self._encrypted, "decrypt": self._decrypted}[found[2]](key, body)

    @staticmethod
    def _encrypted(key, body):
        plaintext = base64.b64decode(body["plaintext"])
        assert len(plaintext) <= 4300
        aad = base64.b64decode(body["additionalAuthenticatedData"])
        assert len(aad) <= 8192
        iv, metadata = os.urandom(12), b"v1"
        sealed = key.material.encrypt(iv, plaintext, _whole(aad, metadata))
        ciphertext, tag = sealed[:-16], sealed[-16:]
        answer = {
            "ciphertext": b64(ciphertext),
            "initializationVector": b64(iv),
            "authenticationTag": b64(tag),
            "ciphertextMetadata": b64(metadata),
        }
        if body.get("ciphertextDataIntegrityValueAlgorithm") == "SHA_256":
            proof = hashlib.sha256(aad + metadata + iv + ciphertext + tag).digest()
            answer["ciphertextDataIntegrityValue"] = b64(proof)
        return answer

    @staticmethod
    def _decrypted(key, body):
        aad = base64.b64decode(body["additionalAuthenticatedData"])
        metadata = base64.b64decode(body["ciphertextMetadata"])
        sealed = base64.b64decode(body["ciphertext"]) + base64.b64decode(body["authenticationTag"])
        iv = base64.b64decode(body["initializationVector"])
        try:
            plaintext = key.material.decrypt(iv, sealed, _whole(aad, metadata))
        except InvalidTag:
            raise Refused("InvalidCiphertextException") from None
        return {"plaintext": b64(plaintext)}

    def check_signature(self, path, headers, body):
        """Check Signature Version 4 as the specification has it."""
        parts = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        date = headers.get("x-amz-date", "")
        if parts is None or not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", date):
            raise Refused("AuthenticationFailedException")
        access_key_id, day, region, signature = parts.groups()
        secret = self.secrets.get(access_key_id)
        at = dt.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        is_now = abs((dt.datetime.now(dt.UTC) - at).total_seconds()) <= 300
        if secret is None or day != date[:8] or not is_now:
            raise Refused("AuthenticationFailedException")
        canonical = "\n".join(
            (
                *("POST", path, ""),
                f"host:{headers['host']}",
                f"x-amz-date:{date}",
                *("", "host;x-amz-date", hashlib.sha256(body).hexdigest()),
            )
        )
        scope = f"{day}/{region}/kms-xks-proxy/aws4_request"
        text = "\n".join(
            ("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest())
        )
        key = f"AWS4{secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature):
            raise Refused("AuthenticationFailedException")


def _whole(aad, metadata):
    """Return what the key manager authenticates: the data, then the proxy's own metadata."""
    lengths = struct.pack(">H", len(aad)), struct.pack(">B", len(metadata))
    return lengths[0] + aad + lengths[1] + metadata


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.proxy.connections += 1
        self.server.proxy._open.add(self.connection)

    def handle(self):
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def do_POST(self):
        """Answer, unless `fault` says otherwise.

        It is the name of an error; bytes to send as the body; `hang`; or a function of operation
        and answer.
        """
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.removeprefix(PATH).removeprefix(OTHER_PATH).removeprefix(THIRD_PATH)
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = proxy.fault
        try:
            if path == self.path:
                raise Refused("InvalidUriPathException")
            proxy.check_signature(self.path, headers, body)
            content = json.loads(body)
            proxy.asked.append((path, content))
            if fault == "hang":
                proxy.released.wait()
                return
            if isinstance(fault, str):
                raise Refused(fault)
            answer = proxy.answer(path, content)
            if callable(fault):
                answer = fault(path, answer)
            status = 200
        except Refused as refused:
            name = str(refused)
            status, answer = STATUS[name], {"errorName": name, "errorMessage": "SECRET TEXT"}
        data = fault if isinstance(fault, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass
