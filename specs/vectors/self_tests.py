# ruff: noqa: INP001
"""Print the known answers of the HSM's self-tests anew.

    .venv/bin/python specs/vectors/self_tests.py > src/kagimori_hsm/self_tests/known_answers.json

They are read from the files of the package `cryptography-vectors` (see SOURCES.md); what stands in
a document that it does not carry is written here. tests/vectors/test_self_tests.py compares.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography_vectors
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

VECTORS = Path(cryptography_vectors.__file__).parent
CAVP = "NIST CAVP"
SPEC_OF = {"P-256": "ECC_NIST_P256", "P-384": "ECC_NIST_P384", "P-521": "ECC_NIST_P521"}
CURVE_OF = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "K-256": ec.SECP256K1(),
}
BITS_OF = {"P-256": 256, "P-384": 384, "P-521": 512}
RSA_BITS = 2048
MAC_SOURCE = "NIST CSRC, Examples with Intermediate Values, HMAC, Sample #1"
MACS = {
    "sha1": ("5fd596ee78d5553c8ff4e72d266dfd192366da29", 64),
    "sha224": ("c7405e3ae058e8cd30b08b4140248581ed174cb34e1224bcc1efc81b", 64),
    "sha256": ("8bb9a1db9806f20df7f77b82138c7914d174d59e13dc4d0169c9057b133e1d62", 64),
    "sha384": (
        (
            "63c5daa5e651847ca897c95814ab830bededc7d25e83eef9195cd45857a37f448947858f5af50cc2"
            "b1b730ddf29671a9"
        ),
        128,
    ),
    "sha512": (
        (
            "fc25e240658ca785b7a811a8d3f7b4ca48cfa26a8a366bf2cd1f836b05fcb024bd36853081811d6c"
            "ea4216ebad79da1cfcb95ea4586b8a0ce356596a55fb1347"
        ),
        128,
    ),
}


def main() -> None:
    """Print the file."""
    rows = [encoded(row) for row in answers()]
    sys.stdout.write("[\n" + ",\n".join(rows) + "\n]\n")


def encoded(row: dict[str, Any]) -> str:
    """Return a row as JSON, bytes in base64 as `msgspec` reads them."""
    plain = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    return json.dumps(plain)


def answers() -> Iterator[dict[str, Any]]:
    """Yield each known answer."""
    yield from digests()
    yield from macs()
    yield from derivations()
    yield from ciphers()
    yield from rsa_signatures()
    yield from rsa_decryptions()
    yield from curves()
    yield from hpke()
    yield from edwards()
    yield from lattices()


def digests() -> Iterator[dict[str, Any]]:
    for name, file in (
        ("sha1", "SHA1/SHA1ShortMsg"),
        *((f"sha{bits}", f"SHA2/SHA{bits}ShortMsg") for bits in (224, 256, 384, 512)),
    ):
        text = read(f"hashes/{file}.rsp")
        found = re.search(r"^Len = 8\s+Msg = (\w+)\s+MD = (\w+)", text, re.MULTILINE)
        message, digest = groups(found)
        yield row(
            "digest", title(name), f"{CAVP}, {file.split('/')[1]}.rsp, Len 8",
            hash=name, message=message, digest=digest,
        )  # fmt: skip


def macs() -> Iterator[dict[str, Any]]:
    for name, (mac, length) in MACS.items():
        yield row(
            "mac", f"HMAC-{title(name)}", MAC_SOURCE, hash=name, key=bytes(range(length)),
            message=b"Sample message for keylen=blocklen", mac=bytes.fromhex(mac),
        )  # fmt: skip
    yield row(
        "totp", "TOTP", "RFC 6238, appendix B, SHA-1, the last six of eight digits",
        seed=b"12345678901234567890", time=1111111109, code="081804",
    )  # fmt: skip


def derivations() -> Iterator[dict[str, Any]]:
    text = read("KDF/nist-800-108-KBKDF-CTR.txt")
    block = text.split("[PRF=HMAC_SHA256]\n[CTRLOCATION=BEFORE_FIXED]\n[RLEN=32_BITS]")[1]
    key, fixed, output = groups(
        re.search(r"KI = (\w+)\n.*?FixedInputData = (\w+)\n.*?KO = (\w+)", block, re.DOTALL)
    )
    yield row(
        "counter-kdf", "SP 800-108 KDF",
        f"{CAVP}, KBKDF counter mode, HMAC-SHA-256, 32-bit counter before the fixed input, COUNT 0",
        key=key, fixed=fixed, output=output,
    )  # fmt: skip
    text = read("KDF/rfc-5869-HKDF-SHA256.txt").split("A.2.")[0]
    fields = dict(re.findall(r"^(\w+) *= (\w+)$", text, re.MULTILINE))
    yield row(
        "hkdf", "HKDF-SHA-256", "RFC 5869, appendix A.1",
        key=bytes.fromhex(fields["IKM"]), salt=bytes.fromhex(fields["salt"]),
        info=bytes.fromhex(fields["info"]), output=bytes.fromhex(fields["OKM"]),
    )  # fmt: skip
    (output,) = groups(
        re.search(r"N = 16\nr = 1\np = 1\n.*\nDERIVED_KEY = (\w+)", read("KDF/scrypt.txt"))
    )
    yield row(
        "scrypt", "scrypt", "RFC 7914, section 12, the first",
        password=b"", salt=b"", cost=16, blocks=1, lanes=1, output=output,
    )  # fmt: skip
    fields = dict(
        re.findall(r"^(\w+) = (\w+)", read("KDF/argon2id.txt").split("\n\n")[1], re.MULTILINE)
    )
    yield row(
        "argon2id", "Argon2id", "RFC 9106, section 5.3",
        password=bytes.fromhex(fields["pass"]), salt=bytes.fromhex(fields["salt"]),
        secret=bytes.fromhex(fields["secret"]), data=bytes.fromhex(fields["ad"]),
        passes=int(fields["iter"]), lanes=int(fields["lanes"]), memory_kib=int(fields["memcost"]),
        output=bytes.fromhex(fields["output"]),
    )  # fmt: skip


def ciphers() -> Iterator[dict[str, Any]]:
    text = read("ciphers/AES/GCM/gcmEncryptExtIV256.rsp")
    block = text.split("[IVlen = 96]\n[PTlen = 128]\n[AADlen = 128]\n[Taglen = 128]")[1]
    key, iv, plain, data, sealed, tag = groups(
        re.search(
            r"Key = (\w+)\nIV = (\w+)\nPT = (\w+)\nAAD = (\w+)\nCT = (\w+)\nTag = (\w+)", block
        )
    )
    yield row(
        "gcm", "AES-256-GCM",
        f"{CAVP}, gcmEncryptExtIV256.rsp, IVlen 96, PTlen 128, AADlen 128, Taglen 128, Count 0",
        key=key, iv=iv, plaintext=plain, data=data, ciphertext=sealed + tag,
    )  # fmt: skip
    key, iv, plain, sealed = groups(
        re.search(
            r"COUNT = 0\nKEY = (\w+)\nIV = (\w+)\nPLAINTEXT = (\w+)\nCIPHERTEXT = (\w+)",
            read("ciphers/AES/CBC/CBCMMT256.rsp"),
        )
    )
    yield row(
        "cbc", "AES-256-CBC", f"{CAVP}, CBCMMT256.rsp, ENCRYPT, COUNT 0",
        key=key, iv=iv, plaintext=plain, ciphertext=sealed,
    )  # fmt: skip
    key, wrapped, plain = groups(
        re.search(r"K = (\w+)\nC = (\w+)\nP = (\w+)", read("keywrap/kwtestvectors/KWP_AD_256.txt"))
    )
    yield row(
        "key-unwrap", "AES-256-KWP", f"{CAVP}, KWP_AD_256.txt, the first that opens",
        key=key, wrapped=wrapped, plaintext=plain,
    )  # fmt: skip


def rsa_signatures() -> Iterator[dict[str, Any]]:
    for file, check in (("SigVer15_186-3", "signature"), ("SigVerPSS_186-3", "pss")):
        text = read(f"asymmetric/RSA/FIPS_186-2/{file}.rsp")
        for bits in (256, 384, 512):
            material, fields = rsa_record(text, bits)
            known = {
                "spec": "RSA_2048", "material": material,
                "message": bytes.fromhex(fields["Msg"]), "signature": bytes.fromhex(fields["S"]),
            }  # fmt: skip
            source = f"{CAVP}, {file}.rsp, mod 2048, SHA{bits}, the first of result P"
            if check == "signature":
                yield row(
                    check, f"RSASSA-PKCS1-v1_5 with SHA-{bits}", source,
                    algorithm=f"RSASSA_PKCS1_V1_5_SHA_{bits}", message_type="RAW",
                    is_repeatable=True, **known,
                )  # fmt: skip
            else:
                yield row(
                    check, f"RSASSA-PSS with SHA-{bits}", source, hash=f"sha{bits}",
                    algorithm=f"RSASSA_PSS_SHA_{bits}",
                    salt_bytes=len(fields["SaltVal"]) // 2, **known,
                )  # fmt: skip


def rsa_record(text: str, bits: int) -> tuple[bytes, dict[str, str]]:
    """Return the private key and the fields of the first right signature with this hash."""
    part = text.split("[mod = 2048]")[1].split("[mod =", maxsplit=1)[0]
    numbers: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", part):
        fields = dict(re.findall(r"^(\w+) = ?(.*)$", block, re.MULTILINE))
        numbers |= {name: fields[name] for name in ("n", "p", "q") if name in fields}
        if fields.get("SHAAlg") == f"SHA{bits}" and fields.get("Result", "").startswith("P"):
            n, p, q, e, d = (int({**numbers, **fields}[name], 16) for name in "npqed")
            return rsa_material(n=n, e=e, d=d, p=p, q=q), fields
    raise ValueError(bits)


def rsa_material(*, n: int, e: int, d: int, p: int, q: int) -> bytes:
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(e, n),
    )  # fmt: skip
    return pkcs8(numbers.private_key())


def rsa_decryptions() -> Iterator[dict[str, Any]]:
    for file, algorithm, name, source in (
        (
            "pkcs-1v2-1d2-vec/oaep-vect.txt", "RSAES_OAEP_SHA_1", "RSAES-OAEP with SHA-1",
            "RSA Laboratories, oaep-vect.txt, example 10.1",
        ),
        (
            "oaep-custom/oaep-sha256-sha256.txt", "RSAES_OAEP_SHA_256", "RSAES-OAEP with SHA-256",
            ("pyca/cryptography, oaep-sha256-sha256.txt (checked against Bouncy Castle), first "
            "of 2048 bits"),
        ),
    ):  # fmt: skip
        for block in re.split(r"# Public key", read(f"asymmetric/RSA/{file}"))[1:]:
            fields: dict[str, list[str]] = {}
            for head, lines in re.findall(r"# ([A-Z][\w ]+):\s*\n((?:[0-9a-f ]+\n)+)", block):
                fields.setdefault(head, []).append(re.sub(r"\s", "", lines))
            n = int(fields["Modulus"][0], 16)
            if n.bit_length() == RSA_BITS:
                e, d = int(fields["Public exponent"][0], 16), int(fields["Exponent"][-1], 16)
                p, q = int(fields["Prime 1"][0], 16), int(fields["Prime 2"][0], 16)
                yield row(
                    "decryption", name, source, spec="RSA_2048", algorithm=algorithm,
                    material=rsa_material(n=n, e=e, d=d, p=p, q=q),
                    ciphertext=bytes.fromhex(fields["Encryption"][0]),
                    plaintext=bytes.fromhex(fields["Message"][0]),
                )  # fmt: skip
                break


def curves() -> Iterator[dict[str, Any]]:
    cases = [("FIPS_186-3", curve, spec, BITS_OF[curve]) for curve, spec in SPEC_OF.items()]
    for folder, curve, spec, bits in [*cases, ("SECP256K1", "K-256", "ECC_SECG_P256K1", 256)]:
        block = read(f"asymmetric/ECDSA/{folder}/SigGen.txt").split(f"[{curve},SHA-{bits}]")[1]
        message, d, r, s = groups(
            re.search(
                r"Msg = (\w+)\nd = (\w+)\nQx = \w+\nQy = \w+\n(?:k = \w+\n)?R = (\w+)\nS = (\w+)",
                block,
            ),
            odd=True,
        )
        by = CAVP if folder != "SECP256K1" else "pyca/cryptography, SECP256K1 in the form of CAVP"
        yield row(
            "signature", f"ECDSA on {curve} with SHA-{bits}",
            f"{by}, SigGen.txt, {curve},SHA-{bits}, the first",
            spec=spec, material=curve_material(d, curve), algorithm=f"ECDSA_SHA_{bits}",
            message_type="RAW", message=message, is_repeatable=False,
            signature=encode_dss_signature(*(int.from_bytes(number, "big") for number in (r, s))),
        )  # fmt: skip
    text = read("asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt")
    for curve, spec in SPEC_OF.items():
        pem = re.search(
            rf"PrivateKey ?= ?{curve}_PRIV\n(-+BEGIN.*?END PRIVATE KEY-+)", text, re.DOTALL
        )
        key = serialization.load_pem_private_key((pem[1] if pem else "").encode(), None)
        (signature,) = groups(
            re.search(
                rf"DigestSign = SHA{BITS_OF[curve]}\nKey = {curve}_PRIV\n"
                r'NonceType = deterministic\nInput = "sample"\nOutput = (\w+)',
                text,
            )
        )
        yield row(
            "repeatable-ecdsa", f"ECDSA signing on {curve}",
            'RFC 6979, appendix A.2, message "sample"', spec=spec,
            hash=f"sha{BITS_OF[curve]}", material=pkcs8(key), message=b"sample",
            signature=signature,
        )  # fmt: skip
    yield from agreements()


def hpke() -> Iterator[dict[str, Any]]:
    wanted = {"mode": 0, "kem_id": 0x20, "kdf_id": 1, "aead_id": 2}
    found = next(
        vector
        for vector in json.loads(read("HPKE/test-vectors.json"))
        if wanted.items() <= vector.items()
    )
    yield row(
        "hpke", "HPKE with X25519, HKDF-SHA-256, AES-256-GCM",
        "RFC 9180, test-vectors.json, base mode: key and nonce",
        private_key=bytes.fromhex(found["skRm"]), encapsulated=bytes.fromhex(found["enc"]),
        info=bytes.fromhex(found["info"]), key=bytes.fromhex(found["key"]),
        nonce=bytes.fromhex(found["base_nonce"]),
        plaintext=bytes.fromhex(found["encryptions"][0]["pt"]),
    )  # fmt: skip


def agreements() -> Iterator[dict[str, Any]]:
    file = "KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax"
    text = read(f"asymmetric/ECDH/{file}")
    for section, curve in (("EC", "P-256"), ("ED", "P-384"), ("EE", "P-521")):
        block = re.split(rf"\[{section} - SHA\d+\]", text)[1]
        x, y, d, secret = groups(
            re.search(
                r"QsCAVSx = (\w+)\nQsCAVSy = (\w+)\ndsIUT = (\w+)\nQsIUTx = \w+\nQsIUTy = \w+\n"
                r"Z = (\w+)\nCAVSHashZZ = \w+\nResult = P \(0",
                block,
            ),
            odd=True,
        )
        numbers = (int.from_bytes(number, "big") for number in (x, y))
        peer = ec.EllipticCurvePublicNumbers(*numbers, CURVE_OF[curve]).public_key()
        yield row(
            "agreement", f"ECDH on {curve}", f"{CAVP}, {file}, {section}, the first of result P",
            spec=SPEC_OF[curve], material=curve_material(d, curve), algorithm="ECDH",
            peer_public_key=spki(peer),
            secret=secret.rjust((CURVE_OF[curve].key_size + 7) // 8, b"\0"),
        )  # fmt: skip


def edwards() -> Iterator[dict[str, Any]]:
    line = read("asymmetric/Ed25519/sign.input").splitlines()[2]
    private, _, message, signed = line.split(":")[:4]
    yield row(
        "signature", "Ed25519", "RFC 8032, section 7.1, test 3",
        spec="ECC_NIST_EDWARDS25519", material=edwards_material(private[:64]),
        algorithm="ED25519_SHA_512", message_type="RAW", message=bytes.fromhex(message),
        signature=bytes.fromhex(signed[:128]), is_repeatable=True,
    )  # fmt: skip
    yield row(
        "ed25519ph", "Ed25519ph", "RFC 8032, section 7.3",
        material=edwards_material(
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
        ),
        message=b"abc",
        signature=bytes.fromhex(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ),
    )  # fmt: skip


def lattices() -> Iterator[dict[str, Any]]:
    for number in (44, 65, 87):
        file = f"kat_MLDSA_{number}_det_pure.rsp"
        seed, public, message, signed, context = first_record(
            f"asymmetric/MLDSA/{file}", ("xi", "pk", "msg", "sm", "ctx")
        )
        key = getattr(mldsa, f"MLDSA{number}PrivateKey").from_seed_bytes(seed)
        framed = bytes((0, len(context))) + context + message
        mu = hashlib.shake_256(hashlib.shake_256(public).digest(64) + framed).digest(64)
        yield row(
            "signature", f"ML-DSA-{number}",
            f"FIPS 204, post-quantum-cryptography/KAT, {file}, count 0 (mu by algorithm 7)",
            spec=f"ML_DSA_{number}", material=pkcs8(key), algorithm="ML_DSA_SHAKE_256",
            message_type="EXTERNAL_MU", message=mu, signature=signed[: -len(message)],
            is_repeatable=False, public_key_digest=digest_of(key, public),
        )  # fmt: skip
    for number in (768, 1024):
        file = f"kat_MLKEM_{number}.rsp"
        d, z, public, sealed, secret = first_record(
            f"asymmetric/MLKEM/{file}", ("d", "z", "pk", "ct", "ss")
        )
        key = getattr(mlkem, f"MLKEM{number}PrivateKey").from_seed_bytes(d + z)
        yield row(
            "encapsulation", f"ML-KEM-{number}",
            f"FIPS 203, post-quantum-cryptography/KAT, {file}, count 0",
            spec=f"ML_KEM_{number}", material=pkcs8(key), algorithm="ML_KEM", ciphertext=sealed,
            secret=secret, public_key_digest=digest_of(key, public),
        )  # fmt: skip


def digest_of(key: Any, published: bytes) -> bytes:
    """Return the digest of the public key's encoding, which must hold the published bytes."""
    encoding = spki(key.public_key())
    if not encoding.endswith(published):
        raise ValueError("another public key than the published one")
    return hashlib.sha256(encoding).digest()


def first_record(name: str, fields: tuple[str, ...]) -> Iterator[bytes]:
    text = read(name)
    for field in fields:
        found = re.search(rf"^{field} = (\w*)$", text, re.MULTILINE)
        yield bytes.fromhex(found[1] if found else "")


def row(check: str, name: str, source: str, **values: Any) -> dict[str, Any]:
    return {"check": check, "name": name, "source": source, **values}


def title(hash_name: str) -> str:
    return f"SHA-{hash_name.removeprefix('sha')}"


def read(name: str) -> str:
    return (VECTORS / name).read_text().replace("\r\n", "\n")


def groups(found: re.Match[str] | None, *, odd: bool = False) -> list[bytes]:
    """Return the groups as bytes; `odd` numbers lack a leading zero."""
    if found is None:
        raise ValueError("the file has no such record")
    return [bytes.fromhex(("0" * (len(one) % 2 if odd else 0)) + one) for one in found.groups()]


def curve_material(d: bytes, curve: str) -> bytes:
    return pkcs8(ec.derive_private_key(int.from_bytes(d, "big"), CURVE_OF[curve]))


def edwards_material(seed: str) -> bytes:
    return pkcs8(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))


def pkcs8(key: Any) -> bytes:
    encoded: bytes = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return encoded


def spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


if __name__ == "__main__":
    main()
