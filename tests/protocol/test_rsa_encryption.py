"""Encrypt, Decrypt and ReEncrypt with RSA keys, against openssl. Reference: 3.3, 5.2, 11."""

import pytest

import outside
from serving import refused

LIMITS = {
    ("RSA_2048", "RSAES_OAEP_SHA_1"): 214,
    ("RSA_2048", "RSAES_OAEP_SHA_256"): 190,
    ("RSA_3072", "RSAES_OAEP_SHA_1"): 342,
    ("RSA_3072", "RSAES_OAEP_SHA_256"): 318,
    ("RSA_4096", "RSAES_OAEP_SHA_1"): 470,
    ("RSA_4096", "RSAES_OAEP_SHA_256"): 446,
}
EVERY = pytest.mark.parametrize(("spec", "algorithm"), LIMITS)
ALGORITHMS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
BOTH = pytest.mark.parametrize("algorithm", ALGORITHMS)
SHA_256 = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}


class Keys(dict):
    def __init__(self, kms):
        super().__init__()
        self._kms = kms

    def __missing__(self, spec):
        made = self._kms.create_key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")
        self[spec] = made["KeyMetadata"]["Arn"]
        return self[spec]


@pytest.fixture(scope="module")
def keys(kms):
    return Keys(kms)


@pytest.fixture(scope="module")
def rsa_key(keys):
    return keys["RSA_2048"]


def oaep_options(algorithm):
    digest = "sha1" if algorithm.endswith("_1") else "sha256"
    chosen = ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    return [part for option in chosen for part in ("-pkeyopt", option)]


@EVERY
def test_largest_plaintext_and_one_byte_more(kms, keys, spec, algorithm):
    most = LIMITS[spec, algorithm]
    given = {"KeyId": keys[spec], "EncryptionAlgorithm": algorithm}
    for length in (1, most):
        encrypted = kms.encrypt(Plaintext=b"p" * length, **given)
        assert encrypted["EncryptionAlgorithm"] == algorithm
        blob = encrypted["CiphertextBlob"]
        assert len(blob) == int(spec[4:]) // 8
        decrypted = kms.decrypt(CiphertextBlob=blob, **given)
        decrypted.pop("ResponseMetadata")
        assert decrypted == {
            "KeyId": keys[spec],
            "Plaintext": b"p" * length,
            "EncryptionAlgorithm": algorithm,
        }
    text = (
        f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {most} bytes."
    )
    for length in (most + 1, 4096):
        with refused("ValidationException", text):
            kms.encrypt(Plaintext=b"p" * length, **given)
    text = (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
    with refused("ValidationException", text):
        kms.encrypt(Plaintext=b"p" * 4097, **given)


@BOTH
def test_openssl_encrypts_for_us(kms, rsa_key, algorithm):
    public_key = kms.get_public_key(KeyId=rsa_key)["PublicKey"]
    blob = outside.openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "in",
        "-out", "out", *oaep_options(algorithm), **{"key": public_key, "in": b"from outside"},
    )  # fmt: skip
    answer = kms.decrypt(KeyId=rsa_key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    assert answer["Plaintext"] == b"from outside"


@BOTH
def test_openssl_decrypts_ours(kms, algorithm):
    private_key = outside.new_private_key("RSA_2048")
    key = outside.new_imported_key(kms, private_key, "RSA_2048", "ENCRYPT_DECRYPT")
    blob = kms.encrypt(KeyId=key, Plaintext=b"for outside", EncryptionAlgorithm=algorithm)
    found = outside.openssl(
        "pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", "key", "-in", "in", "-out", "out",
        *oaep_options(algorithm), **{"key": private_key, "in": blob["CiphertextBlob"]},
    )  # fmt: skip
    assert found == b"for outside"


def test_algorithm_of_the_wrong_kind(kms, rsa_key, shared_key):
    text = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."
    for given in ({}, {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}):
        with refused("InvalidKeyUsageException", text):
            kms.encrypt(KeyId=rsa_key, Plaintext=b"p", **given)
    text = "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."
    with refused("InvalidKeyUsageException", text):
        kms.encrypt(KeyId=shared_key, Plaintext=b"p", **SHA_256)
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"p")["CiphertextBlob"]
    with refused("InvalidKeyUsageException", text):
        kms.decrypt(KeyId=shared_key, CiphertextBlob=blob, **SHA_256)
    with refused("InvalidKeyUsageException"):
        kms.encrypt(KeyId=rsa_key, Plaintext=b"p", EncryptionAlgorithm="SM2PKE")


def test_other_algorithm_or_key_does_not_decrypt(kms, keys, rsa_key):
    blob = kms.encrypt(KeyId=rsa_key, Plaintext=b"p", **SHA_256)["CiphertextBlob"]
    other = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    cases = [
        (rsa_key, "RSAES_OAEP_SHA_1", blob),
        (other, "RSAES_OAEP_SHA_256", blob),
        (keys["RSA_3072"], "RSAES_OAEP_SHA_256", blob),
        (rsa_key, "RSAES_OAEP_SHA_256", blob[:-1]),
        (rsa_key, "RSAES_OAEP_SHA_256", blob + b"\0"),
        (rsa_key, "RSAES_OAEP_SHA_256", bytes(256)),
        (rsa_key, "RSAES_OAEP_SHA_256", b"\xff" * 256),
        (rsa_key, "RSAES_OAEP_SHA_256", b"x"),
        (rsa_key, "RSAES_OAEP_SHA_256", bytes(6144)),
    ]
    for key, algorithm, text in cases:
        with refused("InvalidCiphertextException", ""):
            kms.decrypt(KeyId=key, CiphertextBlob=text, EncryptionAlgorithm=algorithm)
    # Without an algorithm it would have to be a symmetric ciphertext, which it is not.
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(KeyId=rsa_key, CiphertextBlob=blob)


def test_key_must_be_named(kms, rsa_key):
    blob = kms.encrypt(KeyId=rsa_key, Plaintext=b"p", **SHA_256)["CiphertextBlob"]
    with refused("ValidationException"):
        kms.decrypt(CiphertextBlob=blob, **SHA_256)
    with refused("InvalidCiphertextException", ""):
        # One blob in 256 begins like a symmetric ciphertext; this one does not.
        kms.decrypt(CiphertextBlob=b"\xff" + blob[1:])


def test_context_is_refused(kms, rsa_key, shared_key):
    context = {"EncryptionContext": {"a": "b"}}
    with refused("ValidationException"):
        kms.encrypt(KeyId=rsa_key, Plaintext=b"p", **SHA_256, **context)
    blob = kms.encrypt(KeyId=rsa_key, Plaintext=b"p", EncryptionContext={}, **SHA_256)[
        "CiphertextBlob"
    ]
    with refused("ValidationException"):
        kms.decrypt(KeyId=rsa_key, CiphertextBlob=blob, **SHA_256, **context)
    symmetric = kms.encrypt(KeyId=shared_key, Plaintext=b"p")["CiphertextBlob"]
    with refused("ValidationException"):
        kms.re_encrypt(
            CiphertextBlob=symmetric,
            DestinationKeyId=rsa_key,
            DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256",
            DestinationEncryptionContext={"a": "b"},
        )
    with refused("ValidationException"):
        kms.re_encrypt(
            CiphertextBlob=blob,
            SourceKeyId=rsa_key,
            SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
            SourceEncryptionContext={"a": "b"},
            DestinationKeyId=shared_key,
        )


def test_re_encrypt_both_ways(kms, keys, rsa_key, shared_key):
    context = {"purpose": "test"}
    symmetric = kms.encrypt(KeyId=shared_key, Plaintext=b"there", EncryptionContext=context)
    there = kms.re_encrypt(
        CiphertextBlob=symmetric["CiphertextBlob"],
        SourceEncryptionContext=context,
        DestinationKeyId=rsa_key,
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1",
    )
    there.pop("ResponseMetadata")
    blob = there.pop("CiphertextBlob")
    material = kms.describe_key(KeyId=shared_key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert there == {
        "SourceKeyId": shared_key,
        "KeyId": rsa_key,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_1",
        "SourceKeyMaterialId": material,
    }
    given = {"KeyId": rsa_key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
    assert kms.decrypt(CiphertextBlob=blob, **given)["Plaintext"] == b"there"
    between = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceKeyId=rsa_key,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_1",
        DestinationKeyId=keys["RSA_3072"],
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256",
    )
    assert not {"SourceKeyMaterialId", "DestinationKeyMaterialId"} & set(between)
    back = kms.re_encrypt(
        CiphertextBlob=between["CiphertextBlob"],
        SourceKeyId=keys["RSA_3072"],
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
        DestinationKeyId=shared_key,
        DestinationEncryptionContext=context,
    )
    assert back["DestinationKeyMaterialId"] == material
    assert "SourceKeyMaterialId" not in back
    decrypted = kms.decrypt(CiphertextBlob=back["CiphertextBlob"], EncryptionContext=context)
    assert decrypted["Plaintext"] == b"there"


def test_re_encrypt_of_more_than_rsa_takes(kms, rsa_key, shared_key):
    given = {"DestinationKeyId": rsa_key, "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    fits = kms.encrypt(KeyId=shared_key, Plaintext=bytes(190))["CiphertextBlob"]
    assert kms.re_encrypt(CiphertextBlob=fits, **given)["CiphertextBlob"]
    large = kms.encrypt(KeyId=shared_key, Plaintext=bytes(191))["CiphertextBlob"]
    text = (
        "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than "
        "190 bytes."
    )
    with refused("ValidationException", text):
        kms.re_encrypt(CiphertextBlob=large, **given)


def test_re_encrypt_between_rsa_keys_of_more_than_the_other_takes(kms, keys):
    """Nothing but the HSM can know how long it is."""
    given = {
        "SourceKeyId": keys["RSA_3072"],
        "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_1",
        "DestinationKeyId": keys["RSA_2048"],
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    }

    def encrypted(size):
        return kms.encrypt(
            KeyId=keys["RSA_3072"], EncryptionAlgorithm="RSAES_OAEP_SHA_1", Plaintext=bytes(size)
        )["CiphertextBlob"]

    assert kms.re_encrypt(CiphertextBlob=encrypted(190), **given)["CiphertextBlob"]
    text = (
        "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than "
        "190 bytes."
    )
    with refused("ValidationException", text):
        kms.re_encrypt(CiphertextBlob=encrypted(191), **given)


def test_re_encrypt_names_itself(kms, rsa_key, shared_key):
    signer = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    text = f"{signer} key usage is SIGN_VERIFY which is not valid for ReEncrypt."
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"p")["CiphertextBlob"]
    with refused("InvalidKeyUsageException", text):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=signer)
    text = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."
    with refused("InvalidKeyUsageException", text):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=rsa_key)


def test_rsa_keys_make_no_data_keys(kms, rsa_key):
    text = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."
    with refused("InvalidKeyUsageException", text):
        kms.generate_data_key(KeyId=rsa_key, KeySpec="AES_256")
    with refused("InvalidKeyUsageException", text):
        kms.generate_data_key_without_plaintext(KeyId=rsa_key, KeySpec="AES_256")
    with refused("InvalidKeyUsageException", text):
        kms.generate_data_key_pair(KeyId=rsa_key, KeyPairSpec="ECC_NIST_P256")
