"""Attested recipients: who opens the answer, and who gets none. Reference: 19.5."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import attested
import serving
from serving import refused

DOCUMENT = "The attestation document is not valid: "


@pytest.fixture(scope="module")
def recipient():
    return attested.Recipient()


@pytest.fixture(scope="module")
def trusting(recipient, tmp_path_factory):
    """A server that trusts the recipient's root."""
    root = tmp_path_factory.mktemp("root") / "root.pem"
    root.write_bytes(recipient.root.pem)
    with serving.served("--attestation-root", root) as server:
        yield server


@pytest.fixture(scope="module")
def kms_trusting(trusting):
    client = trusting.client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def trusted_key(kms_trusting):
    return kms_trusting.create_key()["KeyMetadata"]["Arn"]


def test_data_key(kms_trusting, trusted_key, recipient):
    made = kms_trusting.generate_data_key(
        KeyId=trusted_key, KeySpec="AES_256", Recipient=recipient.asks()
    )
    assert not made.get("Plaintext")
    assert "KeyMaterialId" not in made
    data_key = recipient.opened(made["CiphertextForRecipient"])
    assert len(data_key) == 32
    blob = made["CiphertextBlob"]
    assert kms_trusting.decrypt(CiphertextBlob=blob)["Plaintext"] == data_key


def test_decrypt(kms_trusting, trusted_key, recipient):
    blob = kms_trusting.encrypt(
        KeyId=trusted_key, Plaintext=b"for the enclave", EncryptionContext={"a": "b"}
    )["CiphertextBlob"]
    found = kms_trusting.decrypt(
        CiphertextBlob=blob, EncryptionContext={"a": "b"}, Recipient=recipient.asks()
    )
    assert not found.get("Plaintext")
    assert "KeyMaterialId" not in found
    assert (found["KeyId"], found["EncryptionAlgorithm"]) == (trusted_key, "SYMMETRIC_DEFAULT")
    assert recipient.opened(found["CiphertextForRecipient"]) == b"for the enclave"


def test_decrypt_with_an_rsa_key(kms_trusting, recipient):
    key = kms_trusting.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"][
        "Arn"
    ]
    given = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms_trusting.encrypt(Plaintext=b"p", **given)["CiphertextBlob"]
    found = kms_trusting.decrypt(CiphertextBlob=blob, Recipient=recipient.asks(), **given)
    assert not found.get("Plaintext")
    assert recipient.opened(found["CiphertextForRecipient"]) == b"p"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_4096", "ML_KEM_768"])
def test_data_key_pair(kms_trusting, trusted_key, recipient, spec):
    made = kms_trusting.generate_data_key_pair(
        KeyId=trusted_key, KeyPairSpec=spec, Recipient=recipient.asks()
    )
    assert not made.get("PrivateKeyPlaintext")
    private_key = recipient.opened(made["CiphertextForRecipient"])
    blob = made["PrivateKeyCiphertextBlob"]
    assert kms_trusting.decrypt(CiphertextBlob=blob)["Plaintext"] == private_key
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public_key = serialization.load_der_private_key(private_key, None).public_key()
    assert public_key.public_bytes(serialization.Encoding.DER, form) == made["PublicKey"]


def test_shared_secret(kms_trusting, recipient):
    key = kms_trusting.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"][
        "Arn"
    ]
    theirs = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    given = {
        "KeyId": key,
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": theirs.public_key().public_bytes(serialization.Encoding.DER, form),
    }
    plain = kms_trusting.derive_shared_secret(**given)["SharedSecret"]
    found = kms_trusting.derive_shared_secret(Recipient=recipient.asks(), **given)
    assert not found.get("SharedSecret")
    assert recipient.opened(found["CiphertextForRecipient"]) == plain


def test_random(kms_trusting, recipient):
    made = kms_trusting.generate_random(NumberOfBytes=1024, Recipient=recipient.asks())
    assert not made.get("Plaintext")
    assert len(recipient.opened(made["CiphertextForRecipient"])) == 1024


STALE = {"timestamp": 1_000_000_000_000}


@pytest.mark.parametrize("claims", [STALE, {"pcrs": {}}, {"cabundle": []}, {"module_id": ""}])
def test_documents_that_prove_nothing(kms_trusting, trusted_key, recipient, claims):
    given = {"KeyId": trusted_key, "KeySpec": "AES_256", "Recipient": recipient.asks(**claims)}
    with refused("ValidationException"):
        kms_trusting.generate_data_key(**given)
    # A dry run tells the same.
    with refused("ValidationException"):
        kms_trusting.generate_data_key(DryRun=True, **given)


def test_document_without_a_public_key(kms_trusting, trusted_key, recipient):
    with refused("ValidationException", "The attestation document has no public key."):
        kms_trusting.generate_data_key(
            KeyId=trusted_key, KeySpec="AES_256", Recipient=recipient.asks(public_key=None)
        )


def test_document_with_another_kind_of_key(kms_trusting, trusted_key, recipient):
    with refused("ValidationException"):
        kms_trusting.generate_data_key(
            KeyId=trusted_key, KeySpec="AES_256", Recipient=recipient.asks(public_key=b"\x30\x00")
        )


@pytest.mark.parametrize("missing", ["KeyEncryptionAlgorithm", "AttestationDocument"])
def test_half_a_recipient(kms_trusting, trusted_key, recipient, missing):
    asks = recipient.asks()
    del asks[missing]
    with refused("ValidationException"):
        kms_trusting.generate_data_key(KeyId=trusted_key, KeySpec="AES_256", Recipient=asks)


def test_another_recipients_document(kms_trusting, trusted_key):
    stranger = attested.Recipient()
    with refused(
        "ValidationException", DOCUMENT + "its certificates do not lead to a trusted root."
    ):
        kms_trusting.generate_data_key(
            KeyId=trusted_key, KeySpec="AES_256", Recipient=stranger.asks()
        )


def test_dry_run_checks_the_document(kms_trusting, trusted_key, recipient):
    given = {"KeyId": trusted_key, "KeyPairSpec": "ECC_NIST_P256", "DryRun": True}
    with refused("DryRunOperationException"):
        kms_trusting.generate_data_key_pair(Recipient=recipient.asks(), **given)
    with refused("ValidationException"):
        kms_trusting.generate_data_key_pair(Recipient=recipient.asks(**STALE), **given)


def test_secret_never_stands_in_the_answer(kms_trusting, trusting, trusted_key, recipient):
    """Over the wire, not through a client that might drop a member."""
    import base64

    body = {
        "KeyId": trusted_key,
        "NumberOfBytes": 64,
        "Recipient": {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": base64.b64encode(recipient.document()).decode(),
        },
    }
    answer = trusting.send(serving.Signed(trusting, "GenerateDataKey", body))
    assert answer.status == 200
    plain = recipient.opened(base64.b64decode(answer.json["CiphertextForRecipient"]))
    assert base64.b64encode(plain) not in answer.body
    assert set(answer.json) <= {"CiphertextBlob", "CiphertextForRecipient", "KeyId", "Plaintext"}
    assert not answer.json.get("Plaintext")


# --- what policies know of the recipient ---------------------------------------------------------


def key_for(kms, operator, **conditions):
    """A key that its account may use only in answer to such a recipient."""
    account = kms.create_key()["KeyMetadata"]["AWSAccountId"]
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    measured = {f"kms:RecipientAttestation:{name}": value for name, value in conditions.items()}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": root,
                "NotAction": "kms:GenerateDataKey",
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Principal": root,
                "Action": "kms:GenerateDataKey",
                "Resource": "*",
                "Condition": {operator: measured},
            },
        ],
    }
    return kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]


REGISTERS = {index: bytes((index + 1,)) * 48 for index in range(16)}


@pytest.mark.parametrize("name", ["ImageSha384", *(f"PCR{index}" for index in range(16))])
def test_condition_on_a_measurement(kms_trusting, recipient, name):
    index = 0 if name == "ImageSha384" else int(name.removeprefix("PCR"))
    right = key_for(kms_trusting, "StringEqualsIgnoreCase", **{name: REGISTERS[index].hex()})
    given = {"KeyId": right, "KeySpec": "AES_256"}
    made = kms_trusting.generate_data_key(Recipient=recipient.asks(pcrs=REGISTERS), **given)
    assert len(recipient.opened(made["CiphertextForRecipient"])) == 32
    other = REGISTERS | {index: bytes(48)}
    with refused("AccessDeniedException"):
        kms_trusting.generate_data_key(Recipient=recipient.asks(pcrs=other), **given)
    with refused("AccessDeniedException"):
        kms_trusting.generate_data_key(**given)


def test_condition_on_the_registers_of_an_instance(kms_trusting, recipient):
    key = key_for(
        kms_trusting, "StringEquals", NitroTPMPCR4=REGISTERS[4].hex(), NitroTPMPCR12="0c" * 48
    )
    given = {"KeyId": key, "KeySpec": "AES_256"}
    registers = {"pcrs": {}, "nitrotpm_pcrs": REGISTERS | {12: b"\x0c" * 48}}
    kms_trusting.generate_data_key(Recipient=recipient.asks(**registers), **given)
    # An enclave's registers are others, whatever they hold.
    with refused("AccessDeniedException"):
        kms_trusting.generate_data_key(
            Recipient=recipient.asks(pcrs=registers["nitrotpm_pcrs"]), **given
        )


def test_measurements_that_nobody_vouches_for_are_absent(kms_trusting, recipient):
    """A document that proves nothing allows nothing; where all is allowed, it is refused."""
    demanding = key_for(kms_trusting, "StringEquals", ImageSha384=REGISTERS[0].hex())
    absent = key_for(kms_trusting, "Null", ImageSha384="true")
    unknown = key_for(kms_trusting, "Null", PCR32="false")
    stranger = attested.Recipient()
    false = [recipient.asks(pcrs=REGISTERS, **STALE), stranger.asks(pcrs=REGISTERS)]
    for asks in false:
        with refused("AccessDeniedException"):
            kms_trusting.generate_data_key(KeyId=demanding, KeySpec="AES_256", Recipient=asks)
        with refused("ValidationException"):
            kms_trusting.generate_data_key(KeyId=absent, KeySpec="AES_256", Recipient=asks)
    right = recipient.asks(pcrs=REGISTERS)
    for key in (absent, unknown):
        with refused("AccessDeniedException"):
            kms_trusting.generate_data_key(KeyId=key, KeySpec="AES_256", Recipient=right)


# --- without a configured root --------------------------------------------------------------------


def test_nobody_is_trusted_without_a_root(kms, shared_key, recipient):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"p")["CiphertextBlob"]
    text = DOCUMENT + "its certificates do not lead to a trusted root."
    calls = [
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.generate_data_key, {"KeyId": shared_key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyId": shared_key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.generate_random, {"NumberOfBytes": 32}),
    ]
    for call, given in calls:
        with refused("ValidationException", text):
            call(Recipient=recipient.asks(), **given)


@pytest.mark.parametrize("document", [b"\0", b"no document", bytes(262_144)])
def test_no_document(kms, shared_key, document):
    asks = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=shared_key, KeySpec="AES_256", Recipient=asks)


def test_document_too_long(kms, shared_key):
    asks = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": bytes(262_145)}
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=shared_key, KeySpec="AES_256", Recipient=asks)
