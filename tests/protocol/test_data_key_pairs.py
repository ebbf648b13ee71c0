"""GenerateDataKeyPair: pairs that others can use, and a private key only we give back. Reference: 3.8."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa

import outside
from serving import refused

RSA = ["RSA_2048", "RSA_3072", "RSA_4096"]
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
KEMS = {"ML_KEM_768": mlkem.MLKEM768PrivateKey, "ML_KEM_1024": mlkem.MLKEM1024PrivateKey}
SPECS = [*RSA, *CURVES, "ECC_NIST_EDWARDS25519", *KEMS]
EVERY = pytest.mark.parametrize("spec", SPECS)
CONTEXT = {"for": "pairs"}


def material_of(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


@EVERY
def test_pair_belongs_together_and_works(kms, shared_key, spec):
    made = kms.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    made.pop("ResponseMetadata")
    blob, private_der = made.pop("PrivateKeyCiphertextBlob"), made.pop("PrivateKeyPlaintext")
    public_der = made.pop("PublicKey")
    assert made == {
        "KeyId": shared_key,
        "KeyPairSpec": spec,
        "KeyMaterialId": material_of(kms, shared_key),
    }
    private_key = serialization.load_der_private_key(private_der, None)
    public_key = serialization.load_der_public_key(public_der)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    assert private_key.public_key().public_bytes(serialization.Encoding.DER, form) == public_der
    check_pair(spec, private_key, public_key)
    if spec not in KEMS:
        assert outside.public_key_of(private_der) == public_der
    decrypted = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert decrypted["Plaintext"] == private_der
    assert decrypted["KeyId"] == shared_key
    for context in ({}, {"for": "Pairs"}, {**CONTEXT, "more": ""}):
        with refused("InvalidCiphertextException", ""):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)


def check_pair(spec, private_key, public_key):
    if spec in RSA:
        assert isinstance(private_key, rsa.RSAPrivateKey)
        assert private_key.key_size == int(spec[4:])
        pkcs1 = (padding.PKCS1v15(), hashes.SHA256())
        public_key.verify(private_key.sign(b"m", *pkcs1), b"m", *pkcs1)
    elif spec in CURVES:
        assert isinstance(private_key.curve, CURVES[spec])
        ecdsa = ec.ECDSA(hashes.SHA256())
        public_key.verify(private_key.sign(b"m", ecdsa), b"m", ecdsa)
    elif spec in KEMS:
        assert isinstance(private_key, KEMS[spec])
        secrets = public_key.encapsulate()
        secret, blob = sorted(secrets, key=len)
        assert private_key.decapsulate(blob) == secret
    else:
        assert isinstance(private_key, ed25519.Ed25519PrivateKey)
        public_key.verify(private_key.sign(b"m"), b"m")


@pytest.mark.parametrize(
    "spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "ML_KEM_768"]
)
def test_pair_without_plaintext(kms, shared_key, spec):
    made = kms.generate_data_key_pair_without_plaintext(KeyId=shared_key, KeyPairSpec=spec)
    made.pop("ResponseMetadata")
    blob, public_der = made.pop("PrivateKeyCiphertextBlob"), made.pop("PublicKey")
    assert made == {
        "KeyId": shared_key,
        "KeyPairSpec": spec,
        "KeyMaterialId": material_of(kms, shared_key),
    }
    private_key = kms.decrypt(CiphertextBlob=blob)["Plaintext"]
    loaded = serialization.load_der_private_key(private_key, None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    assert loaded.public_bytes(serialization.Encoding.DER, form) == public_der


@pytest.mark.parametrize("spec", RSA[:1] + list(CURVES)[:3] + ["ECC_NIST_EDWARDS25519"])
def test_private_key_of_a_pair_may_be_imported(kms, shared_key, spec):
    made = kms.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec)
    key = outside.new_imported_key(kms, made["PrivateKeyPlaintext"], spec)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == made["PublicKey"]


def test_no_two_pairs_are_the_same(kms, shared_key):
    given = {"KeyId": shared_key, "KeyPairSpec": "ECC_NIST_P256"}
    pairs = [kms.generate_data_key_pair(**given)["PublicKey"] for _ in range(20)]
    assert len(set(pairs)) == 20


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_specs_that_are_not_offered(kms, shared_key, spec):
    with refused("UnsupportedOperationException"):
        kms.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec)


@pytest.mark.parametrize("spec", ["AES_256", "HMAC_256", "ML_DSA_44", ""])
def test_specs_that_are_none(kms, shared_key, spec):
    with refused("ValidationException"):
        kms.generate_data_key_pair(KeyId=shared_key, KeyPairSpec=spec)


def test_wrapping_key_must_be_symmetric(kms):
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    text = f"{key} key usage is SIGN_VERIFY which is not valid for GenerateDataKeyPair."
    for call in (kms.generate_data_key_pair, kms.generate_data_key_pair_without_plaintext):
        with refused("InvalidKeyUsageException", text):
            call(KeyId=key, KeyPairSpec="ECC_NIST_P256")


def test_states(kms, key):
    kms.disable_key(KeyId=key)
    for call in (kms.generate_data_key_pair, kms.generate_data_key_pair_without_plaintext):
        with refused("DisabledException", f"{key} is disabled."):
            call(KeyId=key, KeyPairSpec="ECC_NIST_P256")
