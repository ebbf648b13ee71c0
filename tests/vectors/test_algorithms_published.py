"""The algorithms against published vectors, as the `cryptography-vectors` package carries them.

What is tested, where each file comes from and under which licence: specs/vectors/SOURCES.md. Huge
files are read from their beginning, or every n-th record is taken: always the same ones.
"""

import hashlib
import itertools
import re
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    mldsa,
    mlkem,
    padding,
)
from cryptography.hazmat.primitives.asymmetric import (
    rsa as keys,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from nacl.bindings import crypto_sign_ed25519ph_final_create, crypto_sign_ed25519ph_final_verify

from kagimori_hsm.algorithms import (
    edwards,
    elliptic,
    importing,
    mac,
    ml_dsa,
    ml_kem,
    rsa,
    symmetric,
)
from kagimori_hsm.refused import Reason, Refused

VECTORS = Path(cryptography_vectors.__file__).parent
PKCS8 = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
CURVE_OF = {"P-256": "ECC_NIST_P256", "P-384": "ECC_NIST_P384", "P-521": "ECC_NIST_P521"}


class OnlyPublic:
    """A public key where our functions take a private one, to verify with."""

    def __init__(self, public):
        self.public_key = lambda: public


def records(name, *, ends_with, limit=None):
    """Yield (section headers in force, record) of a CAVP file; a record ends with a line's name."""
    sections, fields, fresh = [], {}, False
    found = 0
    with (VECTORS / name).open() as lines:
        for line in map(str.strip, lines):
            if line.startswith("["):
                sections, fresh = ([] if fresh else sections), False
                sections = [*sections, line.strip("[]")]
                continue
            if line and not line.startswith("#"):
                fresh = True
            head, _, value = line.partition(" = ") if " = " in line else line.partition(" =")
            fields[head.strip()] = value.strip()
            if head.strip() in ends_with:
                yield sections, dict(fields)
                for end in ends_with:
                    fields.pop(end, None)
                found += 1
                if found == limit:
                    return


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


def test_aes_256_gcm_of_cavp():
    name = "ciphers/AES/GCM/gcmEncryptExtIV256.rsp"
    tested = 0
    for sections, record in itertools.islice(records(name, ends_with={"Tag"}), 0, None, 23):
        if "IVlen = 96" not in sections or "Taglen = 128" not in sections:
            continue
        key, iv, plain, aad, sealed, tag = (
            bytes.fromhex(record[f]) for f in ("Key", "IV", "PT", "AAD", "CT", "Tag")
        )
        assert AESGCM(key).encrypt(iv, plain, aad) == sealed + tag
        tested += 1
    assert tested >= 10


def test_kdf_in_counter_mode_of_cavp():
    sections, tested = "", 0
    text = (VECTORS / "KDF/nist-800-108-KBKDF-CTR.txt").read_text()
    for block in re.split(r"(?=\[PRF=)", text):
        if not block.startswith("[PRF=HMAC_SHA256]"):
            continue
        for sections in re.split(r"(?=\[CTRLOCATION=)", block):
            if not sections.startswith("[CTRLOCATION=BEFORE_FIXED]\n[RLEN=32_BITS]"):
                continue
            for key, fixed, output in re.findall(
                r"KI = (\w+)\n.*?FixedInputData = (\w+)\n.*?KO = (\w+)", sections, re.DOTALL
            ):
                kdf = KBKDFHMAC(
                    hashes.SHA256(), Mode.CounterMode, len(output) // 2, 4, None,
                    CounterLocation.BeforeFixed, None, None, bytes.fromhex(fixed),
                )  # fmt: skip
                assert kdf.derive(bytes.fromhex(key)).hex() == output
                tested += 1
    assert tested == 40


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_hmac_of_rfc_4231(bits):
    tested = 0
    for _, record in records(f"HMAC/rfc-4231-sha{bits}.txt", ends_with={"MD"}):
        key, message, tag = (bytes.fromhex(record[f]) for f in ("Key", "Msg", "MD"))
        assert mac.mac(key, f"HMAC_SHA_{bits}", message) == tag
        mac.verify(key, f"HMAC_SHA_{bits}", message, tag)
        tested += 1
    assert tested >= 5


@pytest.mark.parametrize(
    ("name", "section", "spec", "hash_bits"),
    [
        ("FIPS_186-3/SigGen.txt", "P-256,SHA-256", "ECC_NIST_P256", 256),
        ("FIPS_186-3/SigGen.txt", "P-384,SHA-384", "ECC_NIST_P384", 384),
        ("FIPS_186-3/SigGen.txt", "P-521,SHA-512", "ECC_NIST_P521", 512),
        ("SECP256K1/SigGen.txt", "K-256,SHA-256", "ECC_SECG_P256K1", 256),
    ],
)
def test_ecdsa_signatures_of_cavp(name, section, spec, hash_bits):
    text = (VECTORS / "asymmetric/ECDSA" / name).read_text()
    block = text.split(f"[{section}]")[1].split("\n[")[0]
    algorithm, tested = f"ECDSA_SHA_{hash_bits}", 0
    for message, d, x, r, s in re.findall(
        r"Msg = (\w+)\nd = (\w+)\nQx = (\w+)\nQy = \w+\n(?:k = \w+\n)?R = (\w+)\nS = (\w+)", block
    ):
        private = ec.derive_private_key(int(d, 16), elliptic.CURVES[spec]())
        key = elliptic.load(spec, private.private_bytes(*PKCS8))
        assert key.public_key().public_numbers().x == int(x, 16)
        signature = encode_dss_signature(int(r, 16), int(s, 16))
        raw = bytes.fromhex(message)
        digest = hashlib.new(f"sha{hash_bits}", raw).digest()
        elliptic.verify(key, algorithm, "RAW", raw, signature)
        elliptic.verify(key, algorithm, "DIGEST", digest, signature)
        spoilt = raw + b"\0"
        assert (
            reason_of(elliptic.verify, key, algorithm, "RAW", spoilt, signature)
            is Reason.INVALID_SIGNATURE
        )
        tested += 1
    assert tested >= 10


@pytest.mark.parametrize("curve", CURVE_OF)
def test_ecdsa_verification_of_cavp(curve):
    bits = {"P-256": 256, "P-384": 384, "P-521": 512}[curve]
    tested = set()
    for sections, record in records("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp", ends_with={"Result"}):
        if sections != [f"{curve},SHA-{bits}"]:
            continue
        x, y, r, s = (int(record[f], 16) for f in ("Qx", "Qy", "R", "S"))
        public = ec.EllipticCurvePublicNumbers(x, y, elliptic.CURVES[CURVE_OF[curve]]())
        key = OnlyPublic(public.public_key())
        key.curve = public.curve
        args = (key, f"ECDSA_SHA_{bits}", "RAW", bytes.fromhex(record["Msg"]))
        signature = encode_dss_signature(r, s)
        if record["Result"].startswith("P"):
            elliptic.verify(*args, signature)
        else:
            assert reason_of(elliptic.verify, *args, signature) is Reason.INVALID_SIGNATURE
        tested.add(record["Result"][0])
    assert tested == {"P", "F"}


def test_ecdh_of_cavp():
    """The records of P-256, P-384 and P-521: right ones agree, false ones do not."""
    spec_of = {"EC": "ECC_NIST_P256", "ED": "ECC_NIST_P384", "EE": "ECC_NIST_P521"}
    agreed, refused, zeros = 0, 0, 0
    for sections, record in records(
        "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax",
        ends_with={"Result"},
    ):
        spec = spec_of.get(sections[-1].split(" ")[0])
        if spec is None or not re.match(r"P|F \([12] ", record["Result"]):
            continue
        curve = elliptic.CURVES[spec]()
        key = ec.derive_private_key(int(record["dsIUT"], 16), curve)
        numbers = ec.EllipticCurvePublicNumbers(
            int(record["QsCAVSx"], 16), int(record["QsCAVSy"], 16), curve
        )
        shared = bytes.fromhex(record["Z"])
        size = (curve.key_size + 7) // 8
        if record["Result"].startswith("P"):
            got = elliptic.derive(key, "ECDH", numbers.public_key().public_bytes(*SPKI))
            assert got == shared.rjust(size, b"\0")
            assert len(got) == size
            agreed += 1
            zeros += got[0] == 0
        elif "CAVS's Static public key" in record["Result"]:
            # Off the curve, so the library cannot write it: put it into a right key's encoding.
            whole = key.public_key().public_bytes(*SPKI)
            point = numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
            false = whole[: -2 * size] + point
            assert reason_of(elliptic.derive, key, "ECDH", false) is Reason.INVALID_PUBLIC_KEY
            refused += 1
    assert agreed >= 40
    assert refused >= 10
    assert zeros >= 1


@pytest.mark.parametrize("mod", [2048, 3072])
def test_rsa_pkcs1_verification_of_cavp(mod):
    tested = set()
    name = "asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp"
    for sections, record in records(name, ends_with={"Result"}):
        bits = record["SHAAlg"].removeprefix("SHA")
        if sections != [f"mod = {mod}"] or bits not in {"256", "384", "512"}:
            continue
        n, e = int(record["n"], 16), int(record["e"], 16)
        key = OnlyPublic(keys.RSAPublicNumbers(e, n).public_key())
        algorithm = f"RSASSA_PKCS1_V1_5_SHA_{bits}"
        message, signature = bytes.fromhex(record["Msg"]), bytes.fromhex(record["S"])
        if record["Result"].startswith("P"):
            rsa.verify(key, algorithm, "RAW", message, signature)
            digest = hashlib.new(f"sha{bits}", message).digest()
            rsa.verify(key, algorithm, "DIGEST", digest, signature)
        else:
            assert (
                reason_of(rsa.verify, key, algorithm, "RAW", message, signature)
                is Reason.INVALID_SIGNATURE
            )
        tested.add(record["Result"][0])
    assert tested == {"P", "F"}


def test_rsa_pss_with_another_salt_length_is_refused():
    """CAVP's PSS signatures have salts of 10 bytes: right for the library, never for AWS KMS."""
    right = 0
    name = "asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp"
    for sections, record in records(name, ends_with={"Result"}):
        bits = record["SHAAlg"].removeprefix("SHA")
        if sections != ["mod = 2048"] or bits not in {"256", "384", "512"}:
            continue
        public = keys.RSAPublicNumbers(int(record["e"], 16), int(record["n"], 16)).public_key()
        message, signature = bytes.fromhex(record["Msg"]), bytes.fromhex(record["S"])
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[bits]
        if record["Result"].startswith("P"):
            public.verify(signature, message, padding.PSS(padding.MGF1(digest), 10), digest)
            right += 1
        assert (
            reason_of(
                rsa.verify,
                OnlyPublic(public),
                f"RSASSA_PSS_SHA_{bits}",
                "RAW",
                message,
                signature,
            )
            is Reason.INVALID_SIGNATURE
        )
    assert right >= 3


@pytest.mark.parametrize(
    ("name", "algorithm", "at_least"),
    [
        ("pkcs-1v2-1d2-vec/oaep-vect.txt", "RSAES_OAEP_SHA_1", 20),
        ("oaep-custom/oaep-sha256-sha256.txt", "RSAES_OAEP_SHA_256", 20),
    ],
)
def test_rsa_oaep_decryption(name, algorithm, at_least):
    text = (VECTORS / "asymmetric/RSA" / name).read_text()
    tested = 0
    for block in re.split(r"# Public key", text)[1:]:
        fields = {}
        for head, lines in re.findall(r"# ([A-Z][\w ]+):\s*\n((?:[0-9a-f ]+\n)+)", block):
            value = re.sub(r"\s", "", lines)
            fields.setdefault(head, []).append(value)
        n, e, d, p, q, dp, dq, qi = (
            int(fields[f][0], 16)
            for f in (
                "Modulus", "Public exponent", "Exponent", "Prime 1", "Prime 2",
                "Prime exponent 1", "Prime exponent 2", "Coefficient",
            )
        )  # fmt: skip
        d = int(fields["Exponent"][-1], 16)
        if n.bit_length() < 1024:
            continue
        key = keys.RSAPrivateNumbers(p, q, d, dp, dq, qi, keys.RSAPublicNumbers(e, n)).private_key(
            unsafe_skip_rsa_key_validation=True
        )
        for message, sealed in zip(fields["Message"], fields["Encryption"], strict=True):
            assert rsa.decrypt(key, algorithm, bytes.fromhex(sealed)) == bytes.fromhex(message)
            tested += 1
    assert tested >= at_least


@pytest.mark.parametrize("name", ["KWP_AD_256.txt", "KWP_AD_256_inv.txt"])
def test_aes_key_wrap_with_padding_of_cavp(name):
    """KWP records in the dress of RSA_AES_KEY_WRAP: OAEP of the key, then the wrapped bytes."""
    wrapping = keys.generate_private_key(65537, 2048)
    tested = set()
    text = (VECTORS / "keywrap/kwtestvectors" / name).read_text()
    found = re.findall(r"K = (\w+)\nC = (\w+)\n(?:P = (\w+)|FAIL)", text)
    for key, wrapped, plain in found[::9]:
        aes_key = rsa.encrypt(wrapping, "RSAES_OAEP_SHA_256", bytes.fromhex(key))
        args = (wrapping, "RSA_AES_KEY_WRAP_SHA_256", aes_key + bytes.fromhex(wrapped))
        if plain and name == "KWP_AD_256.txt":
            assert importing.unwrap(*args).hex() == plain
        elif not plain and name == "KWP_AD_256.txt":
            assert reason_of(importing.unwrap, *args) is Reason.INVALID_CIPHERTEXT
        else:  # the inverse cipher: another algorithm, which must not open
            assert reason_of(importing.unwrap, *args) is Reason.INVALID_CIPHERTEXT
        tested.add(bool(plain))
    assert tested == {True, False}


def test_ed25519_of_the_authors():
    text = (VECTORS / "asymmetric/Ed25519/sign.input").read_text().splitlines()
    for line in text[:3] + text[::37]:
        private, public, message, signed = line.split(":")[:4]
        raw = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private[:64]))
        key = edwards.load("ECC_NIST_EDWARDS25519", raw.private_bytes(*PKCS8))
        assert edwards.public_key_der(key)[-32:].hex() == public
        signature = edwards.sign(key, "ED25519_SHA_512", "RAW", bytes.fromhex(message))
        assert signature.hex() == signed[:128]
        edwards.verify(key, "ED25519_SHA_512", "RAW", bytes.fromhex(message), signature)


def test_ed25519ph_of_rfc_8032_section_7_3():
    private = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
    public = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
    signature = (
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    secret = bytes.fromhex(private + public)
    hashed = edwards._hashed(b"abc")
    assert crypto_sign_ed25519ph_final_create(hashed, secret).hex() == signature
    assert crypto_sign_ed25519ph_final_verify(
        edwards._hashed(b"abc"), bytes.fromhex(signature), bytes.fromhex(public)
    )


@pytest.mark.parametrize("set_number", [44, 65, 87])
def test_ml_dsa_known_answers(set_number):
    """The files sign with a context, so their mu is computed here, as FIPS 204 algorithm 7 says."""
    spec, kind = f"ML_DSA_{set_number}", getattr(mldsa, f"MLDSA{set_number}PrivateKey")
    name = f"asymmetric/MLDSA/kat_MLDSA_{set_number}_det_pure.rsp"
    tested = 0
    for _, record in records(name, ends_with={"ctx"}, limit=12):
        seed, public, message, context = (
            bytes.fromhex(record[f]) for f in ("xi", "pk", "msg", "ctx")
        )
        signature = bytes.fromhex(record["sm"])[: -len(message)]
        key = ml_dsa.load(spec, kind.from_seed_bytes(seed).private_bytes(*PKCS8))
        assert ml_dsa.public_key_der(key).endswith(public)
        tr = hashlib.shake_256(public).digest(64)
        framed = bytes((0, len(context))) + context + message
        mu = hashlib.shake_256(tr + framed).digest(64)
        ml_dsa.verify(key, "ML_DSA_SHAKE_256", "EXTERNAL_MU", mu, signature)
        # Our RAW has the empty context: another mu, and this signature is not of it.
        assert (
            reason_of(ml_dsa.verify, key, "ML_DSA_SHAKE_256", "RAW", message, signature)
            is Reason.INVALID_SIGNATURE
        )
        raw = ml_dsa.sign(key, "ML_DSA_SHAKE_256", "RAW", message)
        raw_mu = hashlib.shake_256(tr + b"\0\0" + message).digest(64)
        ml_dsa.verify(key, "ML_DSA_SHAKE_256", "EXTERNAL_MU", raw_mu, raw)
        tested += 1
    assert tested == 12


@pytest.mark.parametrize("set_number", [768, 1024])
def test_ml_kem_known_answers(set_number):
    spec, kind = f"ML_KEM_{set_number}", getattr(mlkem, f"MLKEM{set_number}PrivateKey")
    name = f"asymmetric/MLKEM/kat_MLKEM_{set_number}.rsp"
    tested = 0
    for _, record in records(name, ends_with={"ss"}, limit=20):
        d, z, public, sealed, secret, false_sealed, false_secret = (
            bytes.fromhex(record[f]) for f in ("d", "z", "pk", "ct", "ss", "ct_n", "ss_n")
        )
        key = ml_kem.load(spec, kind.from_seed_bytes(d + z).private_bytes(*PKCS8))
        assert ml_kem.public_key_der(key).endswith(public)
        assert ml_kem.decapsulate(key, "ML_KEM", sealed) == secret
        assert ml_kem.decapsulate(key, "ML_KEM", false_sealed) == false_secret
        tested += 1
    assert tested == 20


def test_our_encryption_is_hmac_and_gcm_by_hand():
    """An independent reading of the construction, and the vector that the format's page shows."""
    backing_key, nonce, iv = bytes(range(32)), bytes(range(16)), bytes(range(12))
    import hmac

    fixed = (1).to_bytes(4, "big") + b"kagimori encrypt v1\0" + nonce + (256).to_bytes(4, "big")
    one_key = hmac.digest(backing_key, fixed, "sha256")
    expected = AESGCM(one_key).encrypt(iv, b"plaintext", b"header" + b"aad")
    got = symmetric.Cipher(backing_key).encrypt(
        header=b"header", aad=b"aad", nonce16=nonce, iv12=iv, plaintext=b"plaintext"
    )
    assert got == expected
