"""Sign, Verify and GetPublicKey against openssl, cryptography and PyNaCl. Reference: 3.2, 3.4, 3.8."""

import hashlib
import os

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa, utils
from nacl.bindings import (
    crypto_sign_ed25519ph_final_verify,
    crypto_sign_ed25519ph_state,
    crypto_sign_ed25519ph_update,
)
from nacl.signing import SigningKey, VerifyKey

import outside
from serving import refused

RSA_ALGORITHMS = [
    f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
]
ALGORITHMS = {
    "RSA_2048": RSA_ALGORITHMS,
    "RSA_3072": RSA_ALGORITHMS,
    "RSA_4096": RSA_ALGORITHMS,
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    "ML_DSA_44": ["ML_DSA_SHAKE_256"],
    "ML_DSA_65": ["ML_DSA_SHAKE_256"],
    "ML_DSA_87": ["ML_DSA_SHAKE_256"],
}
ML_DSA_BYTES = {"ML_DSA_44": 2420, "ML_DSA_65": 3309, "ML_DSA_87": 4627}
NEWER = ("ML_DSA", "ECC_NIST_EDWARDS")
# Those with a hash that callers may apply themselves.
HASHED = [(s, a) for s, names in ALGORITHMS.items() for a in names if a[:3] in ("RSA", "ECD")]
OPENSSL = [*HASHED, ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512")]
IMPORTABLE = [(s, a) for s, a in OPENSSL if s not in ("RSA_3072", "RSA_4096")]
EVERY = [(s, a) for s, names in ALGORITHMS.items() for a in names]
MESSAGE = b"what is to be signed"


def digest(algorithm, message=MESSAGE):
    return hashlib.new(f"sha{algorithm[-3:]}", message).digest()


def readings(algorithm):
    """Message types and messages that an algorithm takes."""
    if algorithm == "ED25519_PH_SHA_512":
        return [("DIGEST", digest(algorithm))]
    if algorithm.startswith("ML_DSA"):
        return [("RAW", MESSAGE), ("EXTERNAL_MU", os.urandom(64))]
    if algorithm == "ED25519_SHA_512":
        return [("RAW", MESSAGE)]
    return [("RAW", MESSAGE), ("DIGEST", digest(algorithm))]


@pytest.fixture(scope="module")
def signers(kms):
    """ARNs of KMS keys made here, by key spec."""
    return Signers(
        lambda spec: kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    )


@pytest.fixture(scope="module")
def shared(kms):
    """By key spec: a private key made by openssl (PKCS#8), and the ARN of a KMS key that has it."""

    def make(spec):
        private_key = outside.new_private_key(spec)
        return private_key, outside.new_imported_key(kms, private_key, spec)

    return Signers(make)


class Signers(dict):
    def __init__(self, make):
        super().__init__()
        self._make = make

    def __missing__(self, spec):
        self[spec] = self._make(spec)
        return self[spec]


@pytest.mark.parametrize("spec", ALGORITHMS)
def test_public_key_is_what_openssl_and_cryptography_read(kms, signers, spec):
    answer = kms.get_public_key(KeyId=signers[spec])
    answer.pop("ResponseMetadata")
    public_key = answer.pop("PublicKey")
    members = {
        "KeyId": signers[spec],
        "KeySpec": spec,
        "KeyUsage": "SIGN_VERIFY",
        "SigningAlgorithms": ALGORITHMS[spec],
    }
    if not spec.startswith(NEWER):
        members["CustomerMasterKeySpec"] = spec
    assert answer == members
    loaded = serialization.load_der_public_key(public_key)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert loaded.public_bytes(*form) == public_key
    if not spec.startswith("ML_DSA"):
        text = outside.openssl(
            "pkey", "-pubin", "-inform", "DER", "-in", "key", "-noout", "-text", key=public_key
        )
        expected = spec[4:] if spec.startswith("RSA") else outside.CURVES.get(spec, "ED25519")
        assert expected.encode() in text
    if isinstance(loaded, rsa.RSAPublicKey):
        assert loaded.public_numbers().e == 65537
        assert loaded.key_size == int(spec[4:])


@pytest.mark.parametrize(("spec", "algorithm"), EVERY)
def test_own_signatures_verify(kms, signers, spec, algorithm):
    key = signers[spec]
    for kind, message in readings(algorithm):
        signed = kms.sign(KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=algorithm)
        assert (signed["KeyId"], signed["SigningAlgorithm"]) == (key, algorithm)
        given = {"KeyId": key, "MessageType": kind, "SigningAlgorithm": algorithm}
        verified = kms.verify(Message=message, Signature=signed["Signature"], **given)
        verified.pop("ResponseMetadata")
        assert verified == {"KeyId": key, "SigningAlgorithm": algorithm, "SignatureValid": True}
        other = bytes([message[0] ^ 1]) + message[1:]
        with refused("KMSInvalidSignatureException", ""):
            kms.verify(Message=other, Signature=signed["Signature"], **given)
        spoilt = bytearray(signed["Signature"])
        spoilt[len(spoilt) // 2] ^= 0x40
        for signature in (
            bytes(spoilt),
            b"x",
            signed["Signature"] + b"x",
            signed["Signature"][:-1],
        ):
            with refused("KMSInvalidSignatureException", ""):
                kms.verify(Message=message, Signature=signature, **given)


@pytest.mark.parametrize(("spec", "algorithm"), OPENSSL)
def test_openssl_verifies_ours(kms, signers, spec, algorithm):
    public_key = kms.get_public_key(KeyId=signers[spec])["PublicKey"]
    for kind, message in readings(algorithm):
        signature = kms.sign(
            KeyId=signers[spec], Message=message, MessageType=kind, SigningAlgorithm=algorithm
        )["Signature"]
        if spec.startswith("RSA"):
            assert len(signature) == int(spec[4:]) // 8
        assert outside.verifies(public_key, algorithm, MESSAGE, signature)
        assert not outside.verifies(public_key, algorithm, MESSAGE + b".", signature)


@pytest.mark.parametrize(("spec", "algorithm"), IMPORTABLE)
def test_ours_verifies_openssl(kms, shared, spec, algorithm):
    private_key, key = shared[spec]
    signature = outside.sign(private_key, algorithm, MESSAGE)
    for kind, message in readings(algorithm):
        given = {"KeyId": key, "MessageType": kind, "SigningAlgorithm": algorithm}
        assert kms.verify(Message=message, Signature=signature, **given)["SignatureValid"] is True
    assert kms.get_public_key(KeyId=key)["PublicKey"] == outside.public_key_of(private_key)


@pytest.mark.parametrize("salt", [0, 20, 31, 33, padding.PSS.MAX_LENGTH])
def test_pss_takes_salt_of_hash_length_alone(kms, shared, salt):
    private_key, key = shared["RSA_2048"]
    theirs = serialization.load_der_private_key(private_key, None)
    given = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}

    def signature(length):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), length)
        return theirs.sign(MESSAGE, pss, hashes.SHA256())

    assert kms.verify(Signature=signature(32), **given)["SignatureValid"]
    with refused("KMSInvalidSignatureException", ""):
        kms.verify(Signature=signature(salt), **given)


@pytest.mark.parametrize("form", ["raw", "other-der", "negative"])
def test_ecdsa_takes_der_alone(kms, signers, form):
    key = signers["ECC_NIST_P256"]
    given = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**given)["Signature"]
    r, s = utils.decode_dss_signature(signature)
    order = ec.SECP256R1().group_order
    # What follows (r, -s) is a valid signature as well, and is accepted everywhere.
    assert kms.verify(Signature=utils.encode_dss_signature(r, order - s), **given)["SignatureValid"]
    forms = {
        "raw": r.to_bytes(32) + s.to_bytes(32),
        "other-der": b"\x31" + signature[1:],
        "negative": utils.encode_dss_signature(r, s + order),
    }
    with refused("KMSInvalidSignatureException", ""):
        kms.verify(Signature=forms[form], **given)


def test_ed25519_and_ed25519ph_as_nacl_has_them(kms, signers, shared):
    key = signers["ECC_NIST_EDWARDS25519"]
    public_key = kms.get_public_key(KeyId=key)["PublicKey"][-32:]
    pure = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="ED25519_SHA_512")["Signature"]
    assert VerifyKey(public_key).verify(MESSAGE, pure) == MESSAGE
    hashed = digest("ED25519_PH_SHA_512")
    signature = kms.sign(
        KeyId=key, Message=hashed, MessageType="DIGEST", SigningAlgorithm="ED25519_PH_SHA_512"
    )["Signature"]
    # The digest is hashed again: it is the message of Ed25519ph (reference, 3.4).
    state = crypto_sign_ed25519ph_state()
    crypto_sign_ed25519ph_update(state, hashed)
    assert crypto_sign_ed25519ph_final_verify(state, signature, public_key)
    private_key, key = shared["ECC_NIST_EDWARDS25519"]
    theirs = SigningKey(private_key[-32:]).sign(MESSAGE).signature
    given = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ED25519_SHA_512"}
    assert kms.verify(Signature=theirs, **given)["SignatureValid"]


@pytest.mark.parametrize("spec", ML_DSA_BYTES)
def test_ml_dsa_as_cryptography_has_it(kms, signers, spec):
    given = {"KeyId": signers[spec], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    public_key = serialization.load_der_public_key(
        kms.get_public_key(KeyId=signers[spec])["PublicKey"]
    )
    signature = kms.sign(Message=MESSAGE, **given)["Signature"]
    assert len(signature) == ML_DSA_BYTES[spec]
    public_key.verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        public_key.verify(signature, MESSAGE + b".")
    # mu = SHAKE256(SHAKE256(public key, 64) || 0 || 0 || message, 64): FIPS 204, algorithms 2 and 7.
    tr = hashlib.shake_256(public_key.public_bytes_raw()).digest(64)
    mu = hashlib.shake_256(tr + b"\0\0" + MESSAGE).digest(64)
    signature = kms.sign(Message=mu, MessageType="EXTERNAL_MU", **given)["Signature"]
    public_key.verify(signature, MESSAGE)
    assert kms.verify(Message=MESSAGE, Signature=signature, **given)["SignatureValid"]
    assert isinstance(
        public_key, mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
    )


@pytest.mark.parametrize(("spec", "algorithm"), HASHED)
def test_digest_is_no_message(kms, signers, spec, algorithm):
    given = {"KeyId": signers[spec], "SigningAlgorithm": algorithm}
    signature = kms.sign(Message=MESSAGE, **given)["Signature"]
    with refused("KMSInvalidSignatureException", ""):
        kms.verify(Message=digest(algorithm), MessageType="RAW", Signature=signature, **given)


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        *HASHED[:9],
        ("ECC_NIST_P384", "ECDSA_SHA_384"),
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512"),
    ],
)
def test_digest_has_the_length_of_its_hash(kms, signers, spec, algorithm):
    given = {"KeyId": signers[spec], "MessageType": "DIGEST", "SigningAlgorithm": algorithm}
    right = len(digest(algorithm))
    for length in {1, 20, 28, 32, 48, 64, 128, right - 1, right + 1} - {right}:
        text = f"Digest is invalid length for algorithm {algorithm}."
        with refused("ValidationException", text):
            kms.sign(Message=bytes(length), **given)
        with refused("ValidationException", text):
            kms.verify(Message=bytes(length), Signature=b"x", **given)


@pytest.mark.parametrize("length", [1, 32, 63, 65, 4096])
def test_mu_has_64_bytes(kms, signers, length):
    with refused("ValidationException"):
        kms.sign(
            KeyId=signers["ML_DSA_44"],
            Message=bytes(length),
            MessageType="EXTERNAL_MU",
            SigningAlgorithm="ML_DSA_SHAKE_256",
        )


@pytest.mark.parametrize(
    ("spec", "algorithm", "kind"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256", "EXTERNAL_MU"),
        ("ECC_NIST_P256", "ECDSA_SHA_256", "EXTERNAL_MU"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "DIGEST"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "EXTERNAL_MU"),
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "RAW"),
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", None),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST"),
    ],
)
def test_message_types_that_an_algorithm_does_not_have(kms, signers, spec, algorithm, kind):
    given = {"KeyId": signers[spec], "Message": bytes(64), "SigningAlgorithm": algorithm}
    given |= {"MessageType": kind} if kind else {}
    with refused("ValidationException"):
        kms.sign(**given)
    with refused("ValidationException"):
        kms.verify(Signature=b"x", **given)


@pytest.mark.parametrize("spec", ALGORITHMS)
def test_algorithms_of_other_specs_are_refused(kms, signers, spec):
    every = {algorithm for names in ALGORITHMS.values() for algorithm in names} | {"SM2DSA"}
    for algorithm in every - set(ALGORITHMS[spec]):
        text = f"Algorithm {algorithm} is incompatible with key spec {spec}."
        with refused("InvalidKeyUsageException", text):
            kms.sign(KeyId=signers[spec], Message=b"m", SigningAlgorithm=algorithm)
        with refused("InvalidKeyUsageException", text):
            kms.verify(
                KeyId=signers[spec], Message=b"m", Signature=b"s", SigningAlgorithm=algorithm
            )


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    ],
)
def test_keys_of_another_usage_are_refused_before_their_algorithm(kms, spec, usage):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    given = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    with refused(
        "InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for Sign."
    ):
        kms.sign(**given)
    with refused(
        "InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for Verify."
    ):
        kms.verify(Signature=b"s", **given)


def test_signing_key_is_for_nothing_else(kms, signers):
    key = signers["RSA_2048"]
    usage = f"{key} key usage is SIGN_VERIFY which is not valid for "
    with refused("InvalidKeyUsageException", usage + "Encrypt."):
        kms.encrypt(KeyId=key, Plaintext=b"p")
    with refused("InvalidKeyUsageException", usage + "Decrypt."):
        kms.decrypt(KeyId=key, CiphertextBlob=bytes(256), EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    with refused("InvalidKeyUsageException", usage + "GenerateDataKey."):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    with refused("InvalidKeyUsageException", usage + "GenerateMac."):
        kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")
    with refused("InvalidKeyUsageException", usage + "DeriveSharedSecret."):
        kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=b"k")


@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "HMAC_256"])
def test_keys_without_a_public_part(kms, spec):
    usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "GENERATE_VERIFY_MAC"
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    with refused("UnsupportedOperationException", ""):
        kms.get_public_key(KeyId=key)


@pytest.mark.parametrize("length", [1, 4096])
def test_message_sizes(kms, signers, length):
    given = {"KeyId": signers["ECC_NIST_P256"], "SigningAlgorithm": "ECDSA_SHA_256"}
    message = bytes(length)
    signature = kms.sign(Message=message, **given)["Signature"]
    assert kms.verify(Message=message, Signature=signature, **given)["SignatureValid"]
    with refused("ValidationException"):
        kms.sign(Message=bytes(4097), **given)


def test_states_of_a_signing_key(kms):
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    given = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**given)["Signature"]
    public_key = kms.get_public_key(KeyId=key)["PublicKey"]
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.sign(**given)
    with refused("DisabledException", f"{key} is disabled."):
        kms.verify(Signature=signature, **given)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == public_key
    kms.schedule_key_deletion(KeyId=key)
    for call in (kms.sign, lambda **members: kms.verify(Signature=signature, **members)):
        with refused("KMSInvalidStateException", f"{key} is pending deletion."):
            call(**given)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        kms.get_public_key(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.verify(Signature=signature, **given)["SignatureValid"]


def test_asymmetric_keys_do_not_rotate(kms, signers):
    key = signers["ECC_NIST_P256"]
    status = kms.get_key_rotation_status(KeyId=key)
    status.pop("ResponseMetadata")
    assert status == {"KeyId": key, "KeyRotationEnabled": False}
    for call in (
        kms.enable_key_rotation,
        kms.disable_key_rotation,
        kms.rotate_key_on_demand,
        kms.list_key_rotations,
    ):
        with refused("UnsupportedOperationException", ""):
            call(KeyId=key)
