"""The self-tests' known answers: as they were published, and one for every algorithm in use."""

import ast
import importlib.util
from pathlib import Path

import pytest

from kagimori_boundary.key_specs import SPECS, Family
from kagimori_hsm.self_tests.known_answers import ANSWERS, FILE, check_answers

ROOT = Path(__file__).resolve().parents[2]
HSM = ROOT / "src" / "kagimori_hsm"

HPKE = "HPKE with X25519, HKDF-SHA-256, AES-256-GCM"
# What a name from a library computes, for those that compute: by the names of known answers.
# A name that is imported from `cryptography`, `nacl`, `hashlib` or `hmac` and is not here, or in
# NOTHING_COMPUTED, needs a known answer first.
TESTED_BY = {
    "hashlib.sha256": ["SHA-256"],
    "hashlib.new": ["SHA-1", "SHA-256", "SHA-512"],
    "hashlib.scrypt": ["scrypt"],
    "hmac.digest": ["HMAC-SHA-1", "HMAC-SHA-256"],
    "hashes.Hash": ["SHA-256"],
    "hashes.SHA1": ["SHA-1"],
    "hashes.SHA224": ["SHA-224"],
    "hashes.SHA256": ["SHA-256"],
    "hashes.SHA384": ["SHA-384"],
    "hashes.SHA512": ["SHA-512"],
    "hmac.HMAC": ["HMAC-SHA-224", "HMAC-SHA-256", "HMAC-SHA-384", "HMAC-SHA-512"],
    "aead.AESGCM": ["AES-256-GCM"],
    "ciphers.Cipher": ["AES-256-CBC"],
    "algorithms.AES": ["AES-256-CBC"],
    "modes.CBC": ["AES-256-CBC"],
    "kbkdf.KBKDFHMAC": ["SP 800-108 KDF"],
    "hkdf.HKDF": ["HKDF-SHA-256"],
    "hkdf.HKDFExpand": ["HKDF-SHA-256"],
    "argon2.Argon2id": ["Argon2id"],
    "keywrap.aes_key_unwrap_with_padding": ["AES-256-KWP"],
    "asymmetric.ec": ["ECDSA on P-256 with SHA-256", "ECDH on P-256", "ECDSA signing on P-256"],
    "asymmetric.ed25519": ["Ed25519"],
    "asymmetric.mldsa": ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"],
    "asymmetric.mlkem": ["ML-KEM-768", "ML-KEM-1024"],
    "asymmetric.padding": [
        "RSASSA-PKCS1-v1_5 with SHA-256", "RSASSA-PSS with SHA-256", "RSAES-OAEP with SHA-256",
    ],
    "asymmetric.rsa": ["RSASSA-PKCS1-v1_5 with SHA-256"],
    "ed25519.Ed25519PublicKey": ["Ed25519"],
    "x25519.X25519PrivateKey": [HPKE],
    "x25519.X25519PublicKey": [HPKE],
    "hpke.Suite": [HPKE],
    "hpke.KEM": [HPKE],
    "hpke.KDF": [HPKE],
    "hpke.AEAD": [HPKE],
    "bindings.crypto_core_ed25519_is_valid_point": ["Ed25519ph"],
    "rsa.RSAPublicKey": ["RSAES-OAEP with SHA-256"],
    "bindings.crypto_sign_ed25519ph_final_create": ["Ed25519ph"],
    "bindings.crypto_sign_ed25519ph_final_verify": ["Ed25519ph"],
    "bindings.crypto_sign_ed25519ph_state": ["Ed25519ph"],
    "bindings.crypto_sign_ed25519ph_update": ["Ed25519ph"],
}  # fmt: skip
NOTHING_COMPUTED = {
    "cryptography.x509", "exceptions.BadSignatureError", "exceptions.InvalidSignature",
    "exceptions.InvalidTag", "exceptions.UnsupportedAlgorithm", "hmac.compare_digest",
    "kbkdf.CounterLocation", "kbkdf.Mode", "keywrap.InvalidUnwrap", "primitives.padding",
    "primitives.serialization", "primitives.hashes", "utils.Prehashed", "ciphers.algorithms",
    "ciphers.modes",
}  # fmt: skip
MODULES = {"hashlib", "hmac"}  # their functions are used by the module's name


def imported():
    """Every name that the HSM takes from a library that computes, as `module.name`."""
    found = set()
    for file in sorted(HSM.rglob("*.py")):
        if file.parent.name == "self_tests":
            continue
        tree = ast.parse(file.read_text())
        modules = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                if node.module.partition(".")[0] in {"cryptography", "nacl", *MODULES}:
                    last = node.module.rpartition(".")[2]
                    found |= {f"{last}.{name.name}" for name in node.names}
                    if any(name.name == "hashes" for name in node.names):
                        modules.add("hashes")
            elif isinstance(node, ast.Import):
                modules |= {name.name for name in node.names} & MODULES
        found |= {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        }
    return found - {"hashes.HashAlgorithm"}


def test_they_are_what_was_published():
    spec = importlib.util.spec_from_file_location("made", ROOT / "specs/vectors/self_tests.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    rows = [made.encoded(row) for row in made.answers()]
    assert FILE.read_text() == "[\n" + ",\n".join(rows) + "\n]\n"


def test_they_all_pass_and_say_their_source():
    passed = check_answers(ANSWERS)
    assert [name for name, _ in passed] == [answer.name for answer in ANSWERS]
    assert all(answer.source for answer in ANSWERS)


@pytest.mark.parametrize("name", sorted(imported()))
def test_what_the_hsm_computes_with_has_a_known_answer(name):
    if name not in NOTHING_COMPUTED:
        assert set(TESTED_BY[name]) <= {answer.name for answer in ANSWERS}


def test_every_algorithm_of_every_kms_key_has_one():
    known = {
        (answer.spec if answer.spec.startswith(("ECC", "ML")) else "", answer.algorithm)
        for answer in ANSWERS
        if hasattr(answer, "algorithm")
    }
    known |= {("", f"HMAC_SHA_{bits}") for bits in (224, 256, 384, 512)}  # by name below
    known |= {("", "SYMMETRIC_DEFAULT"), ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512")}
    names = {answer.name for answer in ANSWERS}
    assert {"AES-256-GCM", "SP 800-108 KDF", "Ed25519ph"} <= names
    assert {f"HMAC-SHA-{bits}" for bits in (224, 256, 384, 512)} <= names
    missing = [
        (spec.name, algorithm)
        for spec in SPECS.values()
        for algorithms in spec.algorithms.values()
        for algorithm in algorithms
        if (spec.name if spec.family not in (Family.RSA, Family.MAC, Family.SYMMETRIC) else "",
            algorithm) not in known
    ]  # fmt: skip
    assert missing == []
