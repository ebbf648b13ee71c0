"""A second implementation of everything between a root and a plaintext, reading and writing.

Written from docs/look-up/ciphertext-format.md and docs/look-up/stored-formats.md alone, with
libraries for cryptography, MessagePack and SQLite. It imports nothing of Kagimori: a test holds that.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import unicodedata
from contextlib import closing
from struct import pack

import msgspec
import shamir_mnemonic
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

IDENTITY = "identity"
packed, unpacked = msgspec.msgpack.encode, msgspec.msgpack.decode


def mac(key, *parts):
    return hmac.digest(key, b"".join(parts), "sha256")


def fields(*parts):
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(pack(">I", len(part)) + part for part in raw)


def kdf(secret, label, salt):
    """One block of SP 800-108 in counter mode."""
    return mac(secret, pack(">I", 1), label.encode(), b"\x00", salt, pack(">I", 256))


# --- ciphertexts ----------------------------------------------------------------------------------


def material_id(material, account_id, key_id):
    return mac(mac(b"kagimori key material id v1", material), fields(account_id, key_id), b"\x01")


def context_form(context):
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    return pack(">I", len(pairs)) + b"".join(fields(*pair) for pair in pairs)


def encrypt(material, account_id, key_id, plaintext, context):
    nonce, iv = os.urandom(16), os.urandom(12)
    header = b"\x01" + material_id(material, account_id, key_id) + nonce + iv
    bound = header + fields(account_id, key_id) + context_form(context)
    return header + AESGCM(kdf(material, "kagimori encrypt v1", nonce)).encrypt(
        iv, plaintext, bound
    )


def decrypt(material, account_id, key_id, blob, context):
    header, nonce, iv = blob[:61], blob[33:49], blob[49:61]
    assert header[:33] == b"\x01" + material_id(material, account_id, key_id)
    bound = header + fields(account_id, key_id) + context_form(context)
    return AESGCM(kdf(material, "kagimori encrypt v1", nonce)).decrypt(iv, blob[61:], bound)


def oaep(algorithm):
    kind = {"RSAES_OAEP_SHA_1": hashes.SHA1, "RSAES_OAEP_SHA_256": hashes.SHA256}[algorithm]
    return padding.OAEP(padding.MGF1(kind()), kind(), None)


def private_key(material):
    return serialization.load_der_private_key(material, None)


def decrypt_asymmetric(material, algorithm, blob):
    key = private_key(material)
    if algorithm == "ML_KEM":
        return key.decapsulate(blob)
    return key.decrypt(blob, oaep(algorithm))


# --- sealed boxes and HPKE ------------------------------------------------------------------------


def boxed(plain, secret, label, bound=b""):
    """`salt (16) | IV (12) | ciphertext | tag (16)`."""
    salt, iv = os.urandom(16), os.urandom(12)
    cipher = AESGCM(kdf(secret, label, salt))
    return salt + iv + cipher.encrypt(iv, plain, bound + salt + iv)


def unboxed(box, secret, label, bound=b""):
    salt, iv = box[:16], box[16:28]
    return AESGCM(kdf(secret, label, salt)).decrypt(iv, box[28:], bound + salt + iv)


class Hpke:
    """RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message."""

    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"

    @staticmethod
    def extract(suite, salt, label, secret):
        return mac(salt or bytes(32), b"HPKE-v1", suite, label, secret)

    @staticmethod
    def expand(suite, secret, label, info, length):
        labelled = pack(">H", length) + b"HPKE-v1" + suite + label + info
        return mac(secret, labelled, b"\x01")[:length]  # at most one block

    @classmethod
    def cipher(cls, shared, encapsulated, public_key, info):
        secret = cls.extract(cls.kem, b"", b"eae_prk", shared)
        secret = cls.expand(cls.kem, secret, b"shared_secret", encapsulated + public_key, 32)
        context = (
            b"\x00"
            + cls.extract(cls.suite, b"", b"psk_id_hash", b"")
            + cls.extract(cls.suite, b"", b"info_hash", info)
        )
        secret = cls.extract(cls.suite, secret, b"secret", b"")
        key = cls.expand(cls.suite, secret, b"key", context, 32)
        return AESGCM(key), cls.expand(cls.suite, secret, b"base_nonce", context, 12)

    @classmethod
    def encrypt(cls, public_key, plain, info):
        ours = x25519.X25519PrivateKey.generate()
        encapsulated = ours.public_key().public_bytes_raw()
        shared = ours.exchange(x25519.X25519PublicKey.from_public_bytes(public_key))
        cipher, nonce = cls.cipher(shared, encapsulated, public_key, info)
        return encapsulated + cipher.encrypt(nonce, plain, b"")

    @classmethod
    def decrypt(cls, private, sealed, info):
        key = x25519.X25519PrivateKey.from_private_bytes(private)
        shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(sealed[:32]))
        own = key.public_key().public_bytes_raw()
        cipher, nonce = cls.cipher(shared, sealed[:32], own, info)
        return cipher.decrypt(nonce, sealed[32:], b"")


# --- sealed domains -------------------------------------------------------------------------------

OLDER, NEWER = "kagimori domain seal v1", "kagimori domain seal v3"


class Ring:
    """The domain keys of one domain, by id; new tokens are under the current one."""

    def __init__(self, current, keys, lives=None, step=0):
        self.current, self.keys, self.lives, self.step = current, keys, lives or {}, step

    @classmethod
    def new(cls):
        current = os.urandom(8)
        return cls(current, {current: os.urandom(32)}, {current: (1.8e9, None)})

    def form(self):
        return [self.current, self.keys, self.lives, self.step]

    def wrap(self, secret, binding):
        head = b"\x01" + self.current + os.urandom(12)
        cipher = AESGCM(self.keys[self.current])
        return head + cipher.encrypt(head[9:], secret, head + binding)

    def unwrap(self, token, binding):
        assert token[:1] == b"\x01"
        cipher = AESGCM(self.keys[token[1:9]])
        return cipher.decrypt(token[9:21], token[21:], token[:21] + binding)


class Domains:
    """What sealed domains hold; `opened` reads all versions, `sealed` writes them."""

    def __init__(self, rings, operators="", proof_keys=None, further=None):
        self.rings, self.operators = rings, operators
        self.proof_keys, self.further = proof_keys or {}, further or {}

    @classmethod
    def new(cls, names, operators):
        return cls({name: Ring.new() for name in (IDENTITY, *names)}, operators)

    @classmethod
    def opened(cls, sealed, root_secret):
        """Open with the secret of one root, whichever seal it is of.

        A function is given the seal, and returns its root's secret.
        """
        version = sealed[:1]
        if version == b"\x03":
            return cls._opened_3(sealed, root_secret)
        plain = unpacked(unboxed(sealed[1:], root_secret, OLDER, version))
        operators, rings = ("", plain) if version == b"\x01" else plain
        return cls({name: Ring(*ring) for name, ring in rings.items()}, operators)

    @classmethod
    def _opened_3(cls, sealed, root_secret):
        end = 5 + int.from_bytes(sealed[1:5], "big")
        head = unpacked(sealed[5:end])
        root_key = None
        for seal in head["seals"]:
            try:
                secret = root_secret(seal) if callable(root_secret) else root_secret
                root_key = root_key_in(seal, head["root_key_id"], secret)
            except Exception:
                continue
        assert root_key is not None, "no seal opens with this"
        plain = unpacked(unboxed(sealed[end:], root_key, NEWER, sealed[:end]))
        operators, rings, proof_keys, further = plain
        opened = {name: Ring(*ring) for name, ring in rings.items()}
        return cls(opened, operators, proof_keys, further)

    def sealed(self, root_secret, version=3, kind="file", parameters=None):
        rings = {name: ring.form() for name, ring in self.rings.items()}
        if version == 1:
            older = {name: form[:2] for name, form in rings.items()}
            return b"\x01" + boxed(packed(older), root_secret, OLDER, b"\x01")
        if version == 2:
            plain = packed([self.operators, rings])
            return b"\x02" + boxed(plain, root_secret, OLDER, b"\x02")
        root_key, root_key_id = os.urandom(32), os.urandom(8)
        seal, proof_key = new_seal(root_key, root_key_id, root_secret, kind, parameters or {})
        head = packed({"root_key_id": root_key_id, "step": 0, "seals": [seal]})
        public = b"\x03" + pack(">I", len(head)) + head
        plain = [self.operators, rings, {seal["seal_id"]: proof_key}, self.further]
        return public + boxed(packed(plain), root_key, NEWER, public)

    # --- tokens -----------------------------------------------------------------------------------

    def key_token(self, key, material):
        """Return the token of a KMS key's material; `key` is its entity in the store's form."""
        named = material_id(material, key["account_id"], key["key_id"])
        return named, self.rings[key["region"]].wrap(material, key_binding(key, named))

    def material(self, key, named, token):
        return self.rings[key["region"]].unwrap(token, key_binding(key, named))


def secret_of_passphrase(passphrase, parameters):
    return Argon2id(
        salt=bytes.fromhex(parameters["salt"]),
        length=32,
        iterations=parameters["iterations"],
        lanes=parameters["lanes"],
        memory_cost=parameters["memory_kib"],
    ).derive(unicodedata.normalize("NFKC", passphrase).encode())


def secret_of_shares(shares):
    return shamir_mnemonic.combine_mnemonics(shares)


def new_shares(threshold, count):
    """Return a new secret, its shares, and the parameters of its seal."""
    secret = os.urandom(32)
    (shares,) = shamir_mnemonic.generate_mnemonics(1, [(threshold, count)], secret)
    identifier = shamir_mnemonic.Share.from_mnemonic(shares[0]).identifier
    return secret, shares, {"threshold": threshold, "shares": count, "share_set": identifier}


def new_seal(root_key, root_key_id, root_secret, kind, parameters):
    """Return a seal with the secret of its root, and its proof key."""
    private, proof_key = x25519.X25519PrivateKey.generate(), os.urandom(32)
    seal = {
        "seal_id": os.urandom(6).hex(),
        "kind": kind,
        "label": "second",
        "made_at": 1.8e9,
        "parameters": parameters,
        "public_key": private.public_key().public_bytes_raw(),
    }
    keys = private.private_bytes_raw() + proof_key
    seal["wrapped_keys"] = boxed(keys, root_secret, "kagimori seal keys v1", seal_binding(seal))
    info = fields("kagimori root key v1", seal["seal_id"])
    seal["encrypted_root_key"] = Hpke.encrypt(seal["public_key"], root_key, info)
    seal["proof"] = mac(proof_key, proof_message(seal, root_key_id))
    return seal, proof_key


def root_key_in(seal, root_key_id, root_secret):
    label = "kagimori seal keys v1"
    keys = unboxed(seal["wrapped_keys"], root_secret, label, seal_binding(seal))
    assert mac(keys[32:], proof_message(seal, root_key_id)) == seal["proof"]
    info = fields("kagimori root key v1", seal["seal_id"])
    return Hpke.decrypt(keys[:32], seal["encrypted_root_key"], info)


def seal_binding(seal):
    parameters = packed(dict(sorted(seal["parameters"].items())))
    return fields("seal", seal["seal_id"], seal["kind"], parameters, seal["public_key"])


def proof_message(seal, root_key_id):
    sealed = seal["encrypted_root_key"]
    return fields("root key of a seal", seal["seal_id"], root_key_id, sealed)


# --- what tokens are bound to ---------------------------------------------------------------------


def key_binding(key, named):
    return fields(
        "backing key",
        key["account_id"],
        key["region"],
        key["key_id"],
        key.get("key_spec", "SYMMETRIC_DEFAULT"),
        key.get("key_usage", "ENCRYPT_DECRYPT"),
        key.get("origin", "AWS_KMS"),
        named,
    )


def secret_binding(account_id, access_key_id, holder):
    if not holder:
        return fields("secret access key", account_id, access_key_id)
    return fields("secret access key of", account_id, access_key_id, holder)


def seed_binding(device):
    partition, path = device.get("partition", "aws"), device.get("path", "/")
    return fields(
        "mfa seed", f"arn:{partition}:iam::{device['account_id']}:mfa{path}{device['name']}"
    )


def password_binding(account_id, unique_id):
    return fields("password", account_id, unique_id)


def audit_key_binding():
    return fields("audit key")


def import_binding(key):
    return fields("import token", key["account_id"], key["region"], key["key_id"])


def session_binding(access_key_id):
    return fields("session, held to rules", access_key_id)


def message_binding():
    return fields("claims", "authorization message")


def password_hash(password, salt):
    return hashlib.scrypt(
        password.encode(), salt=salt, n=2**14, r=8, p=5, maxmem=64 * 1024 * 1024, dklen=32
    )


# --- the store ------------------------------------------------------------------------------------


class Store:
    """A copy of a store, opened with the secret of a root."""

    def __init__(self, database, root_secret):
        with closing(sqlite3.connect(database)) as connection:
            (self.schema,) = connection.execute("PRAGMA user_version").fetchone()
            self._rows = {}
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                cursor = connection.execute(f"SELECT * FROM {table}")
                names = [column[0] for column in cursor.description]
                self._rows[table] = [dict(zip(names, row, strict=True)) for row in cursor]
        self.domains = Domains.opened(self._sealed_domains(), root_secret)

    def entities(self, table):
        return [json.loads(row["body"]) for row in self._rows.get(table, ())]

    def _fact(self, name):
        return next((row["value"] for row in self._rows["deployment"] if row["name"] == name), None)

    def _sealed_domains(self):
        if self.schema <= 6:
            return self._fact("sealed_domains")
        (domains,) = self.entities("domains")
        return base64.b64decode(domains["sealed"])

    def audit_key(self):
        """The key that signs digests (PKCS#8, DER), and its public half; None without one."""
        token = self._fact("audit_key")
        if self.schema > 6:
            kept = self.entities("audit_keys")
            token = base64.b64decode(kept[0]["token"]) if kept else None
        return token and self.domains.rings[IDENTITY].unwrap(token, audit_key_binding())

    def secret_access_keys(self):
        ring = self.domains.rings[IDENTITY]
        return {
            key["access_key_id"]: ring.unwrap(
                base64.b64decode(key["sealed_secret"]),
                secret_binding(key["account_id"], key["access_key_id"], key.get("holder", "")),
            ).decode()
            for key in self.entities("access_keys")
        }

    def materials(self):
        """Yield each KMS key with each of its materials: the entity, the id, the bytes."""
        for key in self.entities("kms_keys"):
            for generation in key.get("backing_keys", ()):
                if "key_token" in generation:
                    named = bytes.fromhex(generation["material_id"])
                    token = base64.b64decode(generation["key_token"])
                    yield key, named, self.domains.material(key, named, token)

    def decrypt(self, blob, context, key_id=None, algorithm=None):
        """Open a ciphertext: a symmetric one names its material, others their KMS key."""
        for key, named, material in self.materials():
            if key_id is None and named == blob[1:33]:
                return decrypt(material, key["account_id"], key["key_id"], blob, context)
            if key_id is not None and key["key_id"] == key_id:
                return decrypt_asymmetric(material, algorithm, blob)
        raise AssertionError("no key of this store")
