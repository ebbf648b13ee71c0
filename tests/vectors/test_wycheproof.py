"""The algorithms against Project Wycheproof's vectors: what is valid works, what is not is refused.

Where the files come from, their licence and their digests: specs/vectors/SOURCES.md. Of an
"acceptable" vector both outcomes are right, but a wrong result or another exception never is.
"""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as keys

from kagimori_hsm.algorithms import edwards, elliptic, importing, mac, ml_dsa, rsa, symmetric
from kagimori_hsm.refused import Reason, Refused

VECTORS = Path(__file__).parents[2] / "specs" / "vectors"
FOLDER = VECTORS / "wycheproof"
FILES = sorted(path.name.removesuffix(".gz") for path in FOLDER.glob("*.json.gz"))
SPECS = {
    "secp256r1": "ECC_NIST_P256",
    "secp384r1": "ECC_NIST_P384",
    "secp521r1": "ECC_NIST_P521",
    "secp256k1": "ECC_SECG_P256K1",
}


class OnlyPublic:
    """A public key where our functions take a private one, to verify with."""

    def __init__(self, der):
        public = serialization.load_der_public_key(der)
        self.public_key = lambda: public
        self.curve = getattr(public, "curve", None)


def content(name):
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes())


def cases(name):
    """Yield each test of a file with its group; bytes are given in hex."""
    for group in json.loads(content(name))["testGroups"]:
        for test in group["tests"]:
            yield group, test


def data(record, *names):
    return [bytes.fromhex(record[name]) for name in names]


REFUSED = object()


def judged(test, reason, function, *args, **kwargs):
    """Return what the function returns, or REFUSED; fails if it should not, or for another reason."""
    try:
        result = function(*args, **kwargs)
    except Refused as refused:
        assert refused.reason is reason, test
        assert test["result"] != "valid", test
        return REFUSED
    assert test["result"] != "invalid", test
    return result


def of_family(prefix):
    found = [name for name in FILES if name.startswith(prefix)]
    assert found
    return pytest.mark.parametrize("name", found)


def test_the_files_are_those_that_the_sources_name():
    rows = re.findall(r"\| `(\w+\.json)` \| [AB] \| (\d+) \| `(\w{64})` \|", _sources())
    assert [name for name, _, _ in rows] == sorted(FILES)
    for name, number, digest in rows:
        whole = content(name)
        assert hashlib.sha256(whole).hexdigest() == digest, name
        assert json.loads(whole)["numberOfTests"] == int(number) == len(list(cases(name))), name


def _sources():
    return (VECTORS / "SOURCES.md").read_text(encoding="utf-8")


class Underived(symmetric.Cipher):
    """Encrypts under the key itself, where the service derives one."""

    def __init__(self, key):
        super().__init__(key)
        self.key = key

    def _one_key(self, _):
        return self.key


def test_aes_256_gcm():
    """The key of each message stands for the derived one: what is tested is what comes after it."""
    outcomes = set()
    for group, test in cases("aes_gcm_test.json"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        key, iv, aad, plain, sealed, tag = data(test, "key", "iv", "aad", "msg", "ct", "tag")
        parts = {"header": b"", "aad": aad, "nonce16": bytes(16), "iv12": iv}
        result = judged(
            test,
            Reason.INVALID_CIPHERTEXT,
            Underived(key).decrypt,
            ciphertext=sealed + tag,
            **parts,
        )
        if result is not REFUSED:
            assert result == plain
            assert Underived(key).encrypt(plaintext=plain, **parts) == sealed + tag
        outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}


def test_aes_256_key_wrap_with_padding():
    """In the dress of RSA_AES_KEY_WRAP: OAEP of the key, then the wrapped bytes."""
    wrapping, outcomes = keys.generate_private_key(65537, 2048), set()
    for group, test in cases("aes_kwp_test.json"):
        if group["keySize"] != 256:
            continue
        key, plain, sealed = data(test, "key", "msg", "ct")
        encrypted = rsa.encrypt(wrapping, "RSAES_OAEP_SHA_256", key) + sealed
        result = judged(
            test,
            Reason.INVALID_CIPHERTEXT,
            importing.unwrap,
            wrapping,
            "RSA_AES_KEY_WRAP_SHA_256",
            encrypted,
        )
        assert result in (plain, REFUSED)
        outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}


@of_family("rsa_oaep_")
def test_rsa_oaep(name):
    outcomes = set()
    for group, test in cases(name):
        assert group["sha"] == group["mgfSha"]
        algorithm = f"RSAES_OAEP_{group['sha'].replace('-', '_')}"
        key = rsa.load(f"RSA_{group['keySize']}", bytes.fromhex(group["privateKeyPkcs8"]))
        plain, sealed = data(test, "msg", "ct")
        if test["label"]:  # KMS has none, so that this is another scheme
            test["result"] = "invalid"
        result = judged(test, Reason.INVALID_CIPHERTEXT, rsa.decrypt, key, algorithm, sealed)
        assert result in (plain, REFUSED)
        outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}


@of_family("rsa_signature_")
def test_rsa_pkcs1_signatures(name):
    assert outcomes_of_verifying(rsa, name, "RSASSA_PKCS1_V1_5") == {True, False}


@of_family("rsa_pss_")
def test_rsa_pss_signatures(name):
    for group, _ in cases(name):
        assert group["sLen"] * 8 == int(group["sha"].removeprefix("SHA-"))
    assert outcomes_of_verifying(rsa, name, "RSASSA_PSS") == {True, False}


@of_family("ecdsa_")
def test_ecdsa_signatures(name):
    assert outcomes_of_verifying(elliptic, name, "ECDSA") == {True, False}


def test_ed25519_signatures():
    outcomes = outcomes_of_verifying(edwards, "ed25519_test.json", "ED25519_SHA_512")
    assert outcomes == {True, False}


def outcomes_of_verifying(family, name, algorithm):
    """Verify every signature of a file, RAW and (where there is one) as a DIGEST."""
    outcomes = set()
    for group, test in cases(name):
        key = OnlyPublic(bytes.fromhex(group["publicKeyDer"]))
        message, signature = data(test, "msg", "sig")
        forms = [("RAW", message)]
        scheme = algorithm
        if "sha" in group:
            digest = hashlib.new(group["sha"].replace("-", ""), message).digest()
            forms.append(("DIGEST", digest))
            scheme = f"{algorithm}_{group['sha'].replace('-', '_')}"
        for form, given in forms:
            result = judged(
                test, Reason.INVALID_SIGNATURE, family.verify, key, scheme, form, given, signature
            )
            outcomes.add(result is not REFUSED)
    return outcomes


@of_family("mldsa_")
def test_ml_dsa_signatures(name):
    """KMS's context is empty; a vector with one is verified through the mu that belongs to it."""
    outcomes = set()
    for group, test in cases(name):
        public, message, signature = *data(group, "publicKey"), *data(test, "msg", "sig")
        context = bytes.fromhex(test.get("ctx", ""))
        if len(context) > 255 or group["publicKeyDer"] is None:
            assert test["result"] == "invalid", test  # neither a mu nor a key can be made of it
            continue
        try:
            key = OnlyPublic(bytes.fromhex(group["publicKeyDer"]))
        except ValueError:
            assert test["result"] == "invalid", test
            continue
        tr = hashlib.shake_256(public).digest(64)
        framed = bytes((0, len(context))) + context + message
        forms = [("EXTERNAL_MU", hashlib.shake_256(tr + framed).digest(64))]
        if not context:
            forms.append(("RAW", message))
        for form, given in forms:
            result = judged(
                test,
                Reason.INVALID_SIGNATURE,
                ml_dsa.verify,
                key,
                "ML_DSA_SHAKE_256",
                form,
                given,
                signature,
            )
            outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}


@of_family("ecdh_")
def test_ecdh(name):
    outcomes = set()
    for group, test in cases(name):
        curve = elliptic.CURVES[SPECS[group["curve"]]]()
        key = ec.derive_private_key(int(test["private"], 16), curve)
        peer, shared = data(test, "public", "shared")
        result = judged(test, Reason.INVALID_PUBLIC_KEY, elliptic.derive, key, "ECDH", peer)
        assert result in (shared, REFUSED), test
        outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}


@of_family("hmac_")
def test_hmac(name):
    outcomes = set()
    for group, test in cases(name):
        algorithm = f"HMAC_SHA_{name.removeprefix('hmac_sha').removesuffix('_test.json')}"
        key, message, tag = data(test, "key", "msg", "tag")
        whole = mac.mac(key, algorithm, message)
        is_right = whole[: len(tag)] == tag
        assert is_right is (test["result"] == "valid"), test
        if group["tagSize"] < 8 * len(whole):  # KMS takes whole MACs alone
            test["result"] = "invalid"
        result = judged(test, Reason.INVALID_MAC, mac.verify, key, algorithm, message, tag)
        outcomes.add(result is not REFUSED)
    assert outcomes == {True, False}
