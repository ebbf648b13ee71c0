"""Imported material: what tools write is accepted in one normal form; the rest is refused."""

import functools
import hmac
import os
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding
from cryptography.hazmat.primitives.asymmetric import rsa as keys
from cryptography.hazmat.primitives.keywrap import aes_key_wrap, aes_key_wrap_with_padding
from hypothesis import given
from hypothesis import strategies as st

from kagimori_hsm.algorithms import dispatch, encoding, importing, mac, rsa
from kagimori_hsm.algorithms.specs import SPECS
from kagimori_hsm.refused import Reason, Refused

PKCS8 = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
OAEP = {
    "RSAES_OAEP_SHA_1": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSAES_OAEP_SHA_256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}
OAEP_OF = {
    "RSA_AES_KEY_WRAP_SHA_1": "RSAES_OAEP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256": "RSAES_OAEP_SHA_256",
}


@functools.cache
def wrapping_material(spec):
    return rsa.generate(spec)


@functools.cache
def rsa_key(bits=2048):
    return keys.generate_private_key(65537, bits)


@functools.cache
def samples():
    """One right material for every importable spec but the larger RSA ones."""
    return {
        "SYMMETRIC_DEFAULT": bytes(range(32)),
        "HMAC_224": bytes(range(28)),
        "HMAC_256": bytes(range(32)),
        "HMAC_384": bytes(range(48)),
        "HMAC_512": bytes(range(64)),
        "RSA_2048": rsa_key().private_bytes(*PKCS8),
        "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate().private_bytes(*PKCS8),
    } | {s: ec.generate_private_key(c()).private_bytes(*PKCS8) for s, c in CURVES.items()}


def wrapped(material, algorithm, spec="RSA_2048"):
    """Wrap as AWS's guide tells users to."""
    public = serialization.load_der_private_key(wrapping_material(spec), None).public_key()
    if algorithm in OAEP:
        return public.encrypt(material, OAEP[algorithm])
    aes_key = os.urandom(32)
    sealed = public.encrypt(aes_key, OAEP[OAEP_OF[algorithm]])
    return sealed + aes_key_wrap_with_padding(aes_key, material)


def opened(spec, algorithm, encrypted, wrapping="RSA_2048"):
    return importing.import_material(
        spec,
        wrapping_key_spec=wrapping,
        wrapping_key_material=wrapping_material(wrapping),
        wrapping_algorithm=algorithm,
        encrypted=encrypted,
    )


def openssl(*args, stdin=b""):
    done = subprocess.run(
        ["openssl", *map(str, args)], check=False, capture_output=True, input=stdin
    )
    assert done.returncode == 0, done
    return done.stdout


def reason_of(function, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        function(*args, **kwargs)
    return refused.value.reason


@pytest.mark.parametrize("spec", [s for s in SPECS if SPECS[s].importable and s[:4] != "RSA_"])
@pytest.mark.parametrize("algorithm", [*OAEP, *OAEP_OF])
def test_every_allowed_way_opens_and_every_other_is_refused(spec, algorithm):
    aes_only, oaep_only = spec.startswith("RSA"), spec.startswith(("SYMM", "HMAC"))
    allowed = not (aes_only and algorithm in OAEP) and not (oaep_only and algorithm in OAEP_OF)
    if spec == "ECC_NIST_P521" and algorithm in OAEP:
        assert importing.may_wrap(spec, algorithm, "RSA_3072")
        allowed = False
    assert importing.may_wrap(spec, algorithm, "RSA_2048") is allowed
    material = samples()[spec]
    if not allowed:
        assert reason_of(opened, spec, algorithm, bytes(256)) is Reason.UNSUPPORTED
        return
    normal = opened(spec, algorithm, wrapped(material, algorithm))
    assert importing.normalise(spec, normal) == normal
    dispatch.load(spec, normal)


@pytest.mark.parametrize("algorithm", OAEP_OF)
def test_an_rsa_key_is_imported_and_larger_wrapping_keys_work(algorithm):
    material = samples()["RSA_2048"]
    normal = opened("RSA_2048", algorithm, wrapped(material, algorithm, "RSA_3072"), "RSA_3072")
    key = rsa.load("RSA_2048", normal)
    assert key.private_numbers().public_numbers == rsa_key().private_numbers().public_numbers
    assert not importing.may_wrap("RSA_2048", "RSAES_OAEP_SHA_256", "RSA_4096")


def test_a_p521_key_fits_oaep_under_a_larger_key():
    material = samples()["ECC_NIST_P521"]
    sealed = wrapped(material, "RSAES_OAEP_SHA_256", "RSA_3072")
    assert opened("ECC_NIST_P521", "RSAES_OAEP_SHA_256", sealed, "RSA_3072") == material


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_KEM_768"])
def test_specs_that_cannot_be_imported(spec):
    assert not importing.may_wrap(spec, "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    assert reason_of(importing.normalise, spec, b"") is Reason.UNSUPPORTED


def test_what_openssl_wraps_opens(tmp_path):
    (tmp_path / "public").write_bytes(
        rsa.public_key_der(rsa.load("RSA_2048", wrapping_material("RSA_2048")))
    )
    (tmp_path / "material").write_bytes(bytes(range(32)))
    sealed = openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", tmp_path / "public",
        "-in", tmp_path / "material", "-pkeyopt", "rsa_padding_mode:oaep",
        "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256",
    )  # fmt: skip
    assert opened("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", sealed) == bytes(range(32))


def test_false_wrappings_are_invalid_ciphertext():
    material = samples()["ECC_NIST_P256"]
    public = serialization.load_der_private_key(wrapping_material("RSA_2048"), None).public_key()
    good = wrapped(material, "RSA_AES_KEY_WRAP_SHA_256")
    short_key = os.urandom(16)
    of_128_bits = public.encrypt(short_key, OAEP["RSAES_OAEP_SHA_256"])
    aes_key = os.urandom(32)
    of_256_bits = public.encrypt(aes_key, OAEP["RSAES_OAEP_SHA_256"])
    aligned = material + bytes(-len(material) % 8)
    false = {
        "the other hash": wrapped(material, "RSA_AES_KEY_WRAP_SHA_1"),
        "another public key": wrapped(material, "RSA_AES_KEY_WRAP_SHA_256", "RSA_3072"),
        "cut": good[:-1],
        "cut by a block": good[:-8],
        "longer": good + bytes(8),
        "changed": good[:-1] + bytes((good[-1] ^ 1,)),
        "no material": good[:256],
        "empty": b"",
        "AES-128": of_128_bits + aes_key_wrap_with_padding(short_key, material),
        "KW, not KWP": of_256_bits + aes_key_wrap(aes_key, aligned),
        "OAEP alone": public.encrypt(material, OAEP["RSAES_OAEP_SHA_256"]),
    }
    for name, encrypted in false.items():
        refused = reason_of(opened, "ECC_NIST_P256", "RSA_AES_KEY_WRAP_SHA_256", encrypted)
        assert refused is Reason.INVALID_CIPHERTEXT, name


def test_wrong_lengths_of_raw_material():
    for spec, lengths in {
        "SYMMETRIC_DEFAULT": (0, 16, 31, 33, 64),
        "HMAC_224": (0, 27, 129),
        "HMAC_512": (32, 63, 129),
    }.items():
        for length in lengths:
            refused = reason_of(importing.normalise, spec, bytes(length))
            assert refused is Reason.INCORRECT_KEY_MATERIAL, (spec, length)
    for length in (28, 64, 128):
        assert importing.normalise("HMAC_224", bytes(length)) == bytes(length)


def test_an_rsa_key_has_one_normal_form():
    """Primes exchanged, or d taken modulo another number: the same key, the same bytes."""
    numbers = rsa_key().private_numbers()
    p, q, e = numbers.p, numbers.q, 65537
    variants = []
    for one, two, d in [
        (p, q, pow(e, -1, (p - 1) * (q - 1))),
        (q, p, numbers.d),
        (q, p, pow(e, -1, (p - 1) * (q - 1))),
    ]:
        key = keys.RSAPrivateNumbers(
            p=one, q=two, d=d, dmp1=d % (one - 1), dmq1=d % (two - 1),
            iqmp=keys.rsa_crt_iqmp(one, two), public_numbers=numbers.public_numbers,
        ).private_key(unsafe_skip_rsa_key_validation=True)  # fmt: skip
        variants.append(key.private_bytes(*PKCS8))
    normal = {importing.normalise("RSA_2048", v) for v in [*variants, samples()["RSA_2048"]]}
    assert len(set(variants)) > 1
    assert len(normal) == 1


def test_a_curve_key_has_one_normal_form(tmp_path):
    """With and without the public key inside, as openssl writes either."""
    key = ec.generate_private_key(ec.SECP256R1())
    whole = key.private_bytes(*PKCS8)
    (tmp_path / "key").write_bytes(whole)
    bare = openssl("ec", "-inform", "DER", "-in", tmp_path / "key", "-no_public", "-outform", "DER")
    outer = encoding.members(whole)
    bare = encoding.tlv(
        0x30, encoding.tlv(0x02, b"\0"), encoding.tlv(*outer[1]), encoding.tlv(0x04, bare)
    )
    assert len(bare) < len(whole)
    assert importing.normalise("ECC_NIST_P256", bare) == whole
    assert importing.normalise("ECC_NIST_P256", whole) == whole


def as_ber(der, *, inner=False):
    """Return DER as BER: indefinite lengths, octet strings in pieces, lengths of too many bytes."""
    tag, start, end = encoding._header(der, 0)
    content = der[start:end]
    if tag & 0x20:
        body, at = b"", 0
        while at < len(content):
            _, _, after = encoding._header(content, at)
            body += as_ber(content[at:after], inner=inner)
            at = after
        return bytes((tag, 0x80)) + body + b"\0\0"
    if tag == 0x04 and not inner:
        half = len(content) // 2
        return b"\x24\x80" + b"".join(
            b"\x04\x82" + len(piece).to_bytes(2, "big") + piece
            for piece in (content[:half], content[half:])
        ) + b"\0\0"  # fmt: skip
    return bytes((tag, 0x83)) + len(content).to_bytes(3, "big") + content


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"])
def test_ber_is_accepted(spec):
    der = samples()[spec]
    normal = importing.normalise(spec, der)
    assert importing.normalise(spec, as_ber(der)) == normal
    outer = encoding.members(der)
    outer[2] = (0x04, as_ber(outer[2][1], inner=True))
    nested = encoding.tlv(0x30, *(encoding.tlv(tag, content) for tag, content in outer))
    assert importing.normalise(spec, nested) == normal


@given(st.binary(max_size=300))
def test_hostile_material_is_refused(data):
    for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"):
        assert reason_of(importing.normalise, spec, data) is Reason.INCORRECT_KEY_MATERIAL


@given(st.data())
def test_spoilt_keys_are_refused_or_normal(data):
    spec = data.draw(st.sampled_from(["ECC_NIST_P256", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"]))
    material = bytearray(samples()[spec])
    at = data.draw(st.integers(0, len(material) - 1))
    material[at] ^= data.draw(st.integers(1, 255))
    try:
        normal = importing.normalise(spec, bytes(material))
    except Refused as refused:
        assert refused.reason is Reason.INCORRECT_KEY_MATERIAL
    else:
        dispatch.load(spec, normal)


def test_wrong_keys_are_refused(tmp_path):
    openssl("ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout",
            "-out", tmp_path / "explicit")  # fmt: skip
    explicit = openssl("pkcs8", "-topk8", "-nocrypt", "-in", tmp_path / "explicit",
                       "-outform", "DER")  # fmt: skip
    pss = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048",
                  "-outform", "DER")  # fmt: skip
    three = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                    "-pkeyopt", "rsa_keygen_primes:3", "-outform", "DER")  # fmt: skip
    p256 = ec.generate_private_key(ec.SECP256R1())
    whole = bytearray(p256.private_bytes(*PKCS8))
    another_public = bytes(whole[:-65]) + ec.generate_private_key(
        ec.SECP256R1()
    ).public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    pem = p256.private_bytes(serialization.Encoding.PEM, *PKCS8[1:])
    locked = p256.private_bytes(*PKCS8[:2], serialization.BestAvailableEncryption(b"a password"))
    traditional = p256.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    numbers = rsa_key().private_numbers()
    d = numbers.d ^ 2
    false_exponent = keys.RSAPrivateNumbers(
        p=numbers.p, q=numbers.q, d=d, dmp1=numbers.dmp1, dmq1=numbers.dmq1,
        iqmp=numbers.iqmp, public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True).private_bytes(*PKCS8)  # fmt: skip
    false_coefficient = keys.RSAPrivateNumbers(
        p=numbers.p, q=numbers.q, d=numbers.d, dmp1=numbers.dmp1, dmq1=numbers.dmq1,
        iqmp=numbers.iqmp ^ 2, public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True).private_bytes(*PKCS8)  # fmt: skip
    wrong = [
        ("ECC_NIST_P256", explicit),
        ("ECC_NIST_P256", another_public),
        ("ECC_NIST_P256", pem),
        ("ECC_NIST_P256", locked),
        ("ECC_NIST_P256", traditional),
        ("ECC_NIST_P256", bytes(whole) + b"\0"),
        ("ECC_NIST_P256", samples()["ECC_SECG_P256K1"]),
        ("ECC_NIST_P256", samples()["ECC_NIST_P384"]),
        ("ECC_NIST_P256", samples()["RSA_2048"]),
        ("ECC_NIST_P384", ec.generate_private_key(ec.BrainpoolP384R1()).private_bytes(*PKCS8)),
        ("ECC_NIST_EDWARDS25519", ed448.Ed448PrivateKey.generate().private_bytes(*PKCS8)),
        ("ECC_NIST_EDWARDS25519", bytes(32)),
        # X448 and Ed448 by name, 32 bytes by length: the library's own parsers stumble.
        ("ECC_NIST_EDWARDS25519", samples()["ECC_NIST_EDWARDS25519"].replace(b"+ep", b"+eo")),
        ("ECC_NIST_EDWARDS25519", samples()["ECC_NIST_EDWARDS25519"].replace(b"+ep", b"+eq")),
        ("RSA_3072", samples()["RSA_2048"]),
        ("RSA_2048", rsa_key(2056).private_bytes(*PKCS8)),
        ("RSA_2048", rsa_key(2040).private_bytes(*PKCS8)),
        ("RSA_2048", samples()["ECC_NIST_P256"]),
        ("RSA_2048", pss),
        ("RSA_2048", three),
        ("RSA_2048", false_exponent),
        ("RSA_2048", false_coefficient),
    ]
    for number, (spec, material) in enumerate(wrong):
        refused = reason_of(importing.normalise, spec, material)
        assert refused is Reason.INCORRECT_KEY_MATERIAL, (number, spec)


def test_an_rsa_prime_that_is_none_is_refused():
    """p and q consistent, but p a product: no trial of the numbers against each other shows it."""
    while True:
        a, b = (rsa_small().p for _ in range(2))
        q = rsa_key().private_numbers().q
        p = a * b
        n = p * q
        phi = (a - 1) * (b - 1) * (q - 1)
        if n.bit_length() == 2048 and phi % 65537:
            break
    d = pow(65537, -1, phi)
    material = keys.RSAPrivateNumbers(
        p=p, q=q, d=d, dmp1=d % (p - 1), dmq1=d % (q - 1), iqmp=pow(q, -1, p),
        public_numbers=keys.RSAPublicNumbers(65537, n),
    ).private_key(unsafe_skip_rsa_key_validation=True).private_bytes(*PKCS8)  # fmt: skip
    refused = reason_of(importing.normalise, "RSA_2048", material)
    assert refused is Reason.INCORRECT_KEY_MATERIAL


def rsa_small():
    return keys.generate_private_key(65537, 1024).private_numbers()


def test_the_material_id_names_material_and_kms_key():
    one = importing.material_id(bytes(32), b"key 1")
    assert len(one) == 32
    assert importing.material_id(bytes(32), b"key 1") == one
    assert importing.material_id(bytes(32), b"key 2") != one
    assert importing.material_id(b"\1" * 32, b"key 1") != one
    # By hand, RFC 5869: extract with the label, expand with the KMS key's identity.
    extracted = hmac.digest(b"kagimori key material id v1", bytes(32), "sha256")
    assert one == hmac.digest(extracted, b"key 1\x01", "sha256")


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_the_material_id_is_no_mac_under_the_material(bits):
    """An id is no secret; were it a MAC, it would be one that VerifyMac accepts."""
    material = samples()[f"HMAC_{bits}"]
    one = importing.material_id(material, b"key 1")
    for message in (b"key 1", b"kagimori key material id v1key 1", b"key 1\x01"):
        assert mac.mac(material, f"HMAC_SHA_{bits}", message)[: len(one)] != one


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x30", b"\x30\x80", b"\x04\x80\0\0", b"\x1f\x81\x01\0", b"\x30\x84\0\0\0\0",
        b"\x30\x02\x04\x05", b"\x24\x03\x02\x01\0", b"\x23\x03\x03\x01\0", b"\x30\0\0",
        b"\x30\x80" * 20 + b"\0\0" * 20,
    ],
)  # fmt: skip
def test_what_is_no_ber_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        encoding.to_der(data)


@given(st.binary(max_size=100))
def test_reading_ber_ends_in_der_or_a_value_error(data):
    try:
        der = encoding.to_der(data)
    except ValueError:
        return
    assert encoding.to_der(der) == der
