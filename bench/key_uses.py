"""Uses of keys of other kinds: their requests, and the primitive of each alone.

The primitive is what the HSM calls for it, in this process, with everything loaded: nothing of a
request, of a key's token or of a record is in it.
"""

import base64
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from bare import best_microseconds
from load import Load
from requests_made import REQUESTS, ask
from servers import Server

from kagimori_hsm.algorithms import dispatch, pairs

MESSAGE_BYTES = 32
PAIR_SPEC = "ECC_NIST_P256"


class KeyUse(NamedTuple):
    """One row: an operation with a key of one spec."""

    operation: str
    key_spec: str
    algorithm: str = ""

    @property
    def name(self) -> str:
        return f"{self.operation} {self.key_spec}"


_SIGNING = (
    ("RSA_2048", "RSASSA_PSS_SHA_256"),
    ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
    ("ML_DSA_65", "ML_DSA_SHAKE_256"),
)
USES = (
    *(KeyUse("Sign", *each) for each in _SIGNING),
    *(KeyUse("Verify", *each) for each in _SIGNING),
    KeyUse("GenerateMac", "HMAC_256", "HMAC_SHA_256"),
    KeyUse("GenerateDataKeyPair", PAIR_SPEC),
    KeyUse("DeriveSharedSecret", "ECC_NIST_P256", "ECDH"),
)
_USAGES = {
    "Sign": "SIGN_VERIFY",
    "Verify": "SIGN_VERIFY",
    "GenerateMac": "GENERATE_VERIFY_MAC",
    "GenerateDataKeyPair": "ENCRYPT_DECRYPT",
    "DeriveSharedSecret": "KEY_AGREEMENT",
}


def bare_microseconds_of(use: KeyUse) -> float:
    """Return what the primitive alone takes, in microseconds, in one process."""
    spec, algorithm, message = use.key_spec, use.algorithm, os.urandom(MESSAGE_BYTES)
    loaded = dispatch.load(spec, dispatch.generate(spec))
    work: Callable[[], object]
    if use.operation == "Sign":
        work = lambda: dispatch.sign(spec, loaded, algorithm, "RAW", message)  # noqa: E731
    elif use.operation == "Verify":
        signature = dispatch.sign(spec, loaded, algorithm, "RAW", message)
        work = lambda: dispatch.verify(spec, loaded, algorithm, "RAW", message, signature)  # noqa: E731
    elif use.operation == "GenerateMac":
        work = lambda: dispatch.generate_mac(spec, loaded, algorithm, message)  # noqa: E731
    elif use.operation == "GenerateDataKeyPair":
        work = lambda: pairs.generate_pair(spec)  # noqa: E731
    else:
        peer = dispatch.public_key(spec, dispatch.load(spec, dispatch.generate(spec)))
        work = lambda: dispatch.derive(spec, loaded, algorithm, peer)  # noqa: E731
    return best_microseconds(work)


class KeyUseLoads:
    """Makes loads of these uses against one server, with a key for each."""

    def __init__(self, server: Server) -> None:
        self._signer = server.signer()
        self._keys: dict[tuple[str, str], str] = {}
        self._signed: dict[KeyUse, list[dict[str, Any]]] = {}

    def load(self, use: KeyUse) -> Load:
        """Return a load, after one request of it has been answered with success."""
        requests = [
            self._signer.kms(use.operation, **self._members(use, at)) for at in range(REQUESTS)
        ]
        ask(self._signer, requests[0])
        return Load(requests)

    def _members(self, use: KeyUse, at: int) -> dict[str, Any]:
        key = {"KeyId": self._key(use)}
        if use.operation == "GenerateDataKeyPair":
            context = {"tenant": f"{at:04d}-{os.urandom(4).hex()}"}
            return {**key, "KeyPairSpec": PAIR_SPEC, "EncryptionContext": context}
        if use.operation == "DeriveSharedSecret":
            peer = dispatch.load(PAIR_SPEC, dispatch.generate(PAIR_SPEC))
            public_key = _base64(dispatch.public_key(PAIR_SPEC, peer))
            return {**key, "KeyAgreementAlgorithm": use.algorithm, "PublicKey": public_key}
        message = {"Message": _base64(os.urandom(MESSAGE_BYTES))}
        if use.operation == "GenerateMac":
            return {**key, **message, "MacAlgorithm": use.algorithm}
        if use.operation == "Verify":
            return self._with_signature(use, key["KeyId"], at)
        return {**key, **message, "SigningAlgorithm": use.algorithm}

    def _with_signature(self, use: KeyUse, key_id: str, at: int) -> dict[str, Any]:
        """Return the members of one Verify; what is signed for them is signed once."""
        signed = self._signed.setdefault(use, [])
        while len(signed) <= at:
            members = {
                "KeyId": key_id,
                "Message": _base64(os.urandom(MESSAGE_BYTES)),
                "SigningAlgorithm": use.algorithm,
            }
            answer = json.loads(ask(self._signer, self._signer.kms("Sign", **members)))
            signed.append({**members, "Signature": answer["Signature"]})
        return signed[at]

    def _key(self, use: KeyUse) -> str:
        pair = use.operation == "GenerateDataKeyPair"  # the pair is encrypted under an AES key
        spec, usage = "SYMMETRIC_DEFAULT" if pair else use.key_spec, _USAGES[use.operation]
        if (spec, usage) not in self._keys:
            request = self._signer.kms("CreateKey", KeySpec=spec, KeyUsage=usage)
            made = json.loads(ask(self._signer, request))
            self._keys[spec, usage] = made["KeyMetadata"]["KeyId"]
        return self._keys[spec, usage]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
