"""An HSM whose every secret is known to the test, so that the test can look for them outside.

The domains are sealed by the second implementation, and hold a key of each family.
"""

import base64
import contextlib
import io
import os
import struct
import time
from types import SimpleNamespace

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa

import second_hsm
from kagimori_boundary.commands import IDENTITY_DOMAIN, BoundToken, Role
from kagimori_boundary.replies import HsmState, Reply
from kagimori_hsm.door import Connection
from kagimori_hsm.module import Module
from kagimori_hsm.world import World

ACCOUNT, REGION, OTHER_REGION = "111122223333", "eu-west-1", "us-east-1"
KEY_ID = "12345678-90ab-cdef-1234-567890abcdef"
ACCESS_KEY_ID, SESSION_KEY_ID = "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
USER_ID = "AIDA1234567890123456"
SEAL_KEY = os.urandom(32)
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def _pkcs8(key):
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _numbers(*numbers):
    """The first bytes of big numbers: enough to know them by."""
    return [n.to_bytes((n.bit_length() + 7) // 8, "big")[:32] for n in numbers]


def _keys():
    """Yield spec, usage, material, and what of it must never be seen."""
    material = os.urandom(32)
    yield "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", material, [material]
    material = os.urandom(32)
    yield "HMAC_256", "GENERATE_VERIFY_MAC", material, [material]
    for usage in ("ENCRYPT_DECRYPT", "SIGN_VERIFY"):
        key = rsa.generate_private_key(65537, 2048)
        own = key.private_numbers()
        yield "RSA_2048", usage, _pkcs8(key), _numbers(own.p, own.q, own.d)
    for usage in ("SIGN_VERIFY", "KEY_AGREEMENT"):
        key = ec.generate_private_key(ec.SECP256R1())
        secrets = _numbers(key.private_numbers().private_value)
        yield "ECC_NIST_P256", usage, _pkcs8(key), secrets
    key = ed25519.Ed25519PrivateKey.generate()
    yield "ECC_NIST_EDWARDS25519", "SIGN_VERIFY", _pkcs8(key), [key.private_bytes_raw()]
    key = mldsa.MLDSA44PrivateKey.generate()
    yield "ML_DSA_44", "SIGN_VERIFY", _pkcs8(key), [_pkcs8(key)[-32:]]
    key = mlkem.MLKEM768PrivateKey.generate()
    yield "ML_KEM_768", "ENCAPSULATE_DECAPSULATE", _pkcs8(key), [_pkcs8(key)[-32:]]


class Planted:
    """Sealed domains with tokens of every kind, and all secrets in them."""

    def __init__(self):
        self.domains = second_hsm.Domains.new([REGION, OTHER_REGION], ACCOUNT)
        self.secrets = [SEAL_KEY]
        for ring in self.domains.rings.values():
            self.secrets += ring.keys.values()
        self.sealed = [self.domains.sealed(SEAL_KEY, version) for version in (1, 2, 3)]
        self.foreign = self.domains.sealed(os.urandom(32))
        self.bound_tokens, self.ciphertexts, self.public_keys = [], [], []
        for spec, usage, material, secrets in _keys():
            self._plant_key(spec, usage, material)
            self.secrets += secrets
        self._plant_identities()
        end = 5 + int.from_bytes(self.sealed[2][1:5], "big")
        head = second_hsm.unpacked(self.sealed[2][5:end])
        (seal,) = head["seals"]
        label, binding = "kagimori seal keys v1", second_hsm.seal_binding(seal)
        keys = second_hsm.unboxed(seal["wrapped_keys"], SEAL_KEY, label, binding)
        self.secrets += [keys[:32], keys[32:]]
        self.secrets += [second_hsm.root_key_in(seal, head["root_key_id"], SEAL_KEY)]

    def _plant_key(self, spec, usage, material):
        key = {"account_id": ACCOUNT, "region": REGION, "key_id": KEY_ID}
        key |= {"key_spec": spec, "key_usage": usage, "origin": "AWS_KMS"}
        named, token = self.domains.key_token(key, material)
        bound = BoundToken(ACCOUNT, REGION, KEY_ID, spec, usage, "AWS_KMS", named, token)
        self.bound_tokens.append(msgspec.msgpack.encode(bound))
        if spec == "SYMMETRIC_DEFAULT":
            blob = second_hsm.encrypt(material, ACCOUNT, KEY_ID, b"plain", {"a": "b"})
            self.ciphertexts.append(blob)
        elif spec != "HMAC_256":
            public = second_hsm.private_key(material).public_key()
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            self.public_keys.append(public.public_bytes(serialization.Encoding.DER, form))

    def _plant_identities(self):
        ring, now = self.domains.rings[IDENTITY_DOMAIN], int(time.time())
        secret = base64.b64encode(os.urandom(30))
        session_secret, seed = base64.b64encode(os.urandom(30)), os.urandom(40)
        hashed, salt = second_hsm.password_hash("correct", b"s" * 16), b"s" * 16
        audit_key = rsa.generate_private_key(65537, 2048)
        own = audit_key.private_numbers()
        who = ["role", ACCOUNT, "AROA1234567890123456", now, now + 3600, "", b"claims"]
        session = second_hsm.packed([session_secret.decode(), *who])
        self.sealed_secret = ring.wrap(
            secret, second_hsm.secret_binding(ACCOUNT, ACCESS_KEY_ID, "root")
        )
        self.session_token = ring.wrap(session, second_hsm.session_binding(SESSION_KEY_ID))
        device = {"account_id": ACCOUNT, "name": "alice"}
        self.sealed_seed = ring.wrap(seed, second_hsm.seed_binding(device))
        kept = second_hsm.packed([salt, [hashed]])
        self.sealed_password = ring.wrap(kept, second_hsm.password_binding(ACCOUNT, USER_ID))
        self.audit_token = ring.wrap(_pkcs8(audit_key), second_hsm.audit_key_binding())
        self.secrets += [secret, session_secret, seed, base64.b32encode(seed), hashed]
        self.secrets += _numbers(own.p, own.q, own.d)
        self.import_key = rsa.generate_private_key(65537, 2048)
        own = self.import_key.private_numbers()
        content = ["RSAES_OAEP_SHA_256", "RSA_2048", now + 86_400.0, _pkcs8(self.import_key)]
        key = {"account_id": ACCOUNT, "region": REGION, "key_id": KEY_ID}
        self.import_token = self.domains.rings[REGION].wrap(
            second_hsm.packed(content), second_hsm.import_binding(key)
        )
        self.secrets += _numbers(own.p, own.q, own.d)

    @property
    def tokens(self):
        """Every token as the store or a client has it."""
        return [
            *(self.sealed_secret, self.session_token, self.sealed_seed),
            *(self.sealed_password, self.audit_token, self.import_token),
        ]

    def found_in(self, data):
        """Return which planted secrets are in some bytes: as they are, in hex, or in base64."""
        return [
            secret
            for secret in self.secrets
            for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:-2])
            if form in data
        ]


class AtOnce:
    """A slow lane and a journal that do their work at once."""

    def submit(self, account, work, done):
        done(work())
        return True

    def when_written(self, done):
        done(True)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.sent, self.aborted = b"", False

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.sent += data

    def abort(self):
        self.aborted = True


class Hsm:
    """A module behind its door, with a connection of each role."""

    def __init__(self, *, dev=False, self_tests=list):
        self.module = Module(
            SEAL_KEY, memory_locked=False, world=World(dev=dev), self_tests=self_tests
        )
        self.errors = io.StringIO()
        with contextlib.redirect_stderr(self.errors):
            self.module.self_test()
        self._lines = {role: self._connected(role) for role in Role}

    def _connected(self, role):
        at_once, wire = AtOnce(), Wire()
        connection = Connection(self.module.perform, at_once, lambda _: role, at_once)
        connection.connection_made(wire)
        return SimpleNamespace(connection=connection, wire=wire)

    def send(self, role, data):
        """Send bytes on the connection of a role; return the bytes that came back."""
        line = self._lines[role]
        line.wire.sent = b""
        with contextlib.redirect_stderr(self.errors):
            line.connection.data_received(data)
        sent = line.wire.sent
        if line.wire.aborted:
            self._lines[role] = self._connected(role)
        return sent

    def ask(self, role, body):
        """Send one frame; return the bytes that came back, and the reply in them."""
        sent = self.send(role, struct.pack(">II", len(body) + 4, 7) + body)
        length, number = struct.unpack_from(">II", sent)
        assert number == 7
        assert len(sent) == length + 4, "one frame, one answer"
        return sent, decode_reply(sent[8:])

    @property
    def state(self) -> HsmState:
        return self.module.state
