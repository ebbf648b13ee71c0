"""The opener: secrets wrapped by a key in a token, or of another KMS, and every way that fails."""

import base64
import http.server
import json
import socket
import threading

import pytest

from kagimori.hsm.opener_process import OpenerProcess
from kagimori_boundary.opener import Done, NotDone, Trouble, Unwrap, Wrap
from kagimori_boundary.opener_options import KmsOptions, OpenerOptions
from kagimori_hsm.roots.opener import Opener
from kagimori_hsm.roots.secrets import SecretRefused
from kagimori_opener.kms_root import CONTEXT, KmsRoot
from kagimori_opener.service import answer_to
from kagimori_opener.token_root import TokenRoot
from kit.softhsm import needs_softhsm, soft_tokens

ARN = "arn:aws:kms:eu-west-1:111122223333:key/12345678-90ab-cdef-1234-567890abcdef"
SECRET = bytes(range(32))
KEY = {"root": "elsewhere", "key": ARN}


class FakeKms(http.server.BaseHTTPRequestHandler):
    """Answers Encrypt with the bytes reversed, and keeps what it was asked."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        server.asked.append((self.headers["x-amz-target"], self.headers["authorization"], body))
        status, answer = server.answer or (200, self._reversed(body))
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reversed(self, body):
        member, given = (
            ("CiphertextBlob", "Plaintext")
            if "Plaintext" in body
            else ("Plaintext", "CiphertextBlob")
        )
        return {member: base64.b64encode(base64.b64decode(body[given])[::-1]).decode()}

    def log_message(self, *_):
        pass


@pytest.fixture
def kms():
    server = http.server.HTTPServer(("127.0.0.1", 0), FakeKms)
    server.asked, server.answer = [], None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def root(kms, tmp_path):
    file = tmp_path / "access-key.json"
    file.write_text(json.dumps({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret"}))
    url = f"http://127.0.0.1:{kms.server_port}"
    return {"kms": KmsRoot({"elsewhere": KmsOptions(url, str(file))})}


def test_another_kms_wraps_and_unwraps(root, kms):
    wrapped = answer_to(Wrap(1, "kms", KEY, SECRET), root)
    assert wrapped == Done(1, SECRET[::-1])
    assert answer_to(Unwrap(2, "kms", KEY, wrapped.value), root) == Done(2, SECRET)
    (target, authorization, body), (other, *_) = kms.asked
    assert (target, other) == ("TrentService.Encrypt", "TrentService.Decrypt")
    assert "AKIAEXAMPLE" in authorization
    assert "eu-west-1/kms/aws4_request" in authorization
    assert body["KeyId"] == ARN
    assert body["EncryptionContext"] == CONTEXT


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ((400, {"__type": "com.amazonaws.kms#DisabledException"}), Trouble.REFUSED),
        ((400, {"__type": "AccessDeniedException"}), Trouble.REFUSED),
        ((400, b"\xff not JSON"), Trouble.REFUSED),
        ((500, {"__type": "KMSInternalException"}), Trouble.UNREACHABLE),
        ((503, b""), Trouble.UNREACHABLE),
        ((200, b"[]"), Trouble.UNREACHABLE),
        ((200, {"Plaintext": "***"}), Trouble.UNREACHABLE),
        ((200, {"Plaintext": 5}), Trouble.UNREACHABLE),
    ],
)
def test_what_another_kms_refuses_is_a_trouble_and_the_next_question_is_answered(
    root, kms, answer, trouble, capfd
):
    kms.answer = answer
    failed = answer_to(Unwrap(3, "kms", KEY, b"wrapped"), root)
    assert isinstance(failed, NotDone)
    assert (failed.number, failed.trouble) == (3, trouble)
    kms.answer = None
    assert isinstance(answer_to(Unwrap(4, "kms", KEY, b"wrapped"), root), Done)
    assert "wrapped" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "parameters", [{}, {"root": "nowhere", "key": ARN}, {"root": "elsewhere", "key": "alias/x"}]
)
def test_what_the_settings_do_not_name_is_unknown(root, parameters):
    for kind in ("kms", "tea"):
        assert answer_to(Wrap(1, kind, parameters, SECRET), root).trouble is Trouble.UNKNOWN


def test_a_kms_that_is_not_there_or_has_no_credentials_is_unreachable(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    file = tmp_path / "access-key.json"
    roots = {"kms": KmsRoot({"elsewhere": KmsOptions(url, str(file))})}
    assert answer_to(Wrap(1, "kms", KEY, SECRET), roots).trouble is Trouble.UNREACHABLE
    file.write_text(json.dumps({"access_key_id": "A", "secret_access_key": "s"}))
    assert answer_to(Wrap(1, "kms", KEY, SECRET), roots).trouble is Trouble.UNREACHABLE


@needs_softhsm
def test_a_token_wraps_with_a_key_that_never_leaves_it(tmp_path):
    tokens = soft_tokens(tmp_path / "soft", "vault", "other")
    named = {name: tokens.options(name) for name in ("vault", "other")}
    environment = dict.fromkeys(named, tokens.environment)
    roots = {"pkcs11": TokenRoot(named, environment)}
    wrapped = answer_to(Wrap(1, "pkcs11", {"root": "vault"}, SECRET), roots)
    assert isinstance(wrapped, Done)
    assert SECRET not in wrapped.value
    # Another process, another session: the key is in the token.
    again = {"pkcs11": TokenRoot(named, environment)}
    assert answer_to(Unwrap(2, "pkcs11", {"root": "vault"}, wrapped.value), again) == Done(
        2, SECRET
    )
    elsewhere = answer_to(Unwrap(3, "pkcs11", {"root": "other"}, wrapped.value), again)
    assert isinstance(elsewhere, NotDone)
    altered = wrapped.value[:-1] + bytes([wrapped.value[-1] ^ 1])
    assert isinstance(answer_to(Unwrap(4, "pkcs11", {"root": "vault"}, altered), again), NotDone)
    tokens.pin_file("vault", "a wrong PIN")
    refused = answer_to(Unwrap(5, "pkcs11", {"root": "vault"}, wrapped.value), again)
    assert isinstance(refused, NotDone)
    tokens.take_away()
    assert isinstance(answer_to(Unwrap(6, "pkcs11", {"root": "other"}, b"x"), again), NotDone)


def test_an_opener_that_ended_is_started_again_and_goes_on_at_the_same_end(kms, tmp_path):
    file = tmp_path / "access-key.json"
    file.write_text(json.dumps({"access_key_id": "A", "secret_access_key": "s"}))
    named = {"elsewhere": KmsOptions(f"http://127.0.0.1:{kms.server_port}", str(file))}
    process = OpenerProcess(OpenerOptions(kms=named))
    try:
        asking = Opener(socket.socket(fileno=socket.dup(process.hsm_fd)), seconds=30)
        assert asking.wrap("kms", KEY, SECRET) == SECRET[::-1]
        process._process.kill()
        process._process.wait()
        process.keep()
        assert asking.unwrap("kms", KEY, SECRET[::-1]) == SECRET
        kms.answer = (400, {"__type": "DisabledException"})
        with pytest.raises(SecretRefused, match="WRONG"):
            asking.unwrap("kms", KEY, b"x")
        asking._connection.close()
    finally:
        process.end()
    assert process._process.returncode == 0
