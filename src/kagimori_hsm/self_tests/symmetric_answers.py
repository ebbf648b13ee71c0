"""Known answers without key pairs: hashes, MACs, key derivation, AES, one-time codes.

Each library that computes it here is asked: Python's hashes are another implementation than those
of `cryptography`, and both are in use.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from kagimori_hsm.algorithms import totp
from kagimori_hsm.self_tests.known_answer import HASHES, KnownAnswer, spoilt


class Digest(KnownAnswer, frozen=True, kw_only=True, tag="digest"):
    hash: str
    message: bytes
    digest: bytes

    def check(self) -> None:
        running = hashes.Hash(HASHES[self.hash])
        running.update(self.message)
        self.expect(running.finalize(), self.digest)
        self.expect(hashlib.new(self.hash, self.message).digest(), self.digest)


class Mac(KnownAnswer, frozen=True, kw_only=True, tag="mac"):
    hash: str
    key: bytes
    message: bytes
    mac: bytes

    def check(self) -> None:
        running = HMAC(self.key, HASHES[self.hash])
        running.update(self.message)
        self.expect(running.finalize(), self.mac)
        self.expect(hmac.digest(self.key, self.message, self.hash), self.mac)


class CounterKdf(KnownAnswer, frozen=True, kw_only=True, tag="counter-kdf"):
    key: bytes
    fixed: bytes
    output: bytes

    def check(self) -> None:
        kdf = KBKDFHMAC(
            algorithm=hashes.SHA256(),
            mode=Mode.CounterMode,
            length=len(self.output),
            rlen=4,
            llen=None,
            location=CounterLocation.BeforeFixed,
            label=None,
            context=None,
            fixed=self.fixed,
        )
        self.expect(kdf.derive(self.key), self.output)
        # As `algorithms/symmetric.py` has it: the first block, by an HMAC that is keyed before.
        running = HMAC(self.key, hashes.SHA256()).copy()
        running.update(b"\x00\x00\x00\x01" + self.fixed)
        self.expect(running.finalize()[: len(self.output)], self.output)


class ExtractAndExpand(KnownAnswer, frozen=True, kw_only=True, tag="hkdf"):
    key: bytes
    salt: bytes
    info: bytes
    output: bytes

    def check(self) -> None:
        kdf = HKDF(hashes.SHA256(), len(self.output), salt=self.salt, info=self.info)
        self.expect(kdf.derive(self.key), self.output)


class Scrypt(KnownAnswer, frozen=True, kw_only=True, tag="scrypt"):
    password: bytes
    salt: bytes
    cost: int
    blocks: int
    lanes: int
    output: bytes

    def check(self) -> None:
        got = hashlib.scrypt(
            self.password,
            salt=self.salt,
            n=self.cost,
            r=self.blocks,
            p=self.lanes,
            dklen=len(self.output),
        )
        self.expect(got, self.output)


class Argon2(KnownAnswer, frozen=True, kw_only=True, tag="argon2id"):
    password: bytes
    salt: bytes
    secret: bytes
    data: bytes
    passes: int
    lanes: int
    memory_kib: int
    output: bytes

    def check(self) -> None:
        kdf = Argon2id(
            salt=self.salt,
            length=len(self.output),
            iterations=self.passes,
            lanes=self.lanes,
            memory_cost=self.memory_kib,
            ad=self.data,
            secret=self.secret,
        )
        self.expect(kdf.derive(self.password), self.output)


class Gcm(KnownAnswer, frozen=True, kw_only=True, tag="gcm"):
    key: bytes
    iv: bytes
    data: bytes
    plaintext: bytes
    ciphertext: bytes

    def check(self) -> None:
        cipher = AESGCM(self.key)
        self.expect(cipher.encrypt(self.iv, self.plaintext, self.data), self.ciphertext)
        self.expect(cipher.decrypt(self.iv, self.ciphertext, self.data), self.plaintext)
        false = spoilt(self.ciphertext)
        self.expect_refusal(lambda: cipher.decrypt(self.iv, false, self.data))


class Cbc(KnownAnswer, frozen=True, kw_only=True, tag="cbc"):
    key: bytes
    iv: bytes
    plaintext: bytes
    ciphertext: bytes

    def check(self) -> None:
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(self.iv)).encryptor()
        self.expect(encryptor.update(self.plaintext) + encryptor.finalize(), self.ciphertext)


class KeyUnwrap(KnownAnswer, frozen=True, kw_only=True, tag="key-unwrap"):
    key: bytes
    wrapped: bytes
    plaintext: bytes

    def check(self) -> None:
        self.expect(aes_key_unwrap_with_padding(self.key, self.wrapped), self.plaintext)
        false = spoilt(self.wrapped)
        self.expect_refusal(lambda: aes_key_unwrap_with_padding(self.key, false))


class OneTimeCode(KnownAnswer, frozen=True, kw_only=True, tag="totp"):
    seed: bytes
    time: int
    code: str

    def check(self) -> None:
        self.expect(totp.code_at(self.seed, totp.step_at(self.time)), self.code)
