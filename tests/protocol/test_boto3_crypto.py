"""boto3 and cryptography: Encrypt, Decrypt, ReEncrypt, data keys, random bytes. Reference: 1.5, 5, 11."""

import base64
import re

import pytest

from serving import Signed, refused

VERSION, MATERIAL, NONCE, IV, HEADER, TAG = 1, 32, 16, 12, 61, 16
IS_GONE = (
    "User: arn:aws:iam::{account}:root is not authorized to perform: {action} on the resource "
    "associated with this ciphertext because the resource does not exist in this Region, no "
    "resource-based policies allow access, or a resource-based policy explicitly denies access"
)
WRONG_KEY = "The key ID in the request does not identify a CMK that can perform this operation."
WOULD_WORK = "The request would have succeeded, but the DryRun option is set."


@pytest.fixture(scope="module")
def other_key(kms):
    return kms.create_key(Description="other")["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def names(kms, shared_key):
    """The four forms of one key's name."""
    kms.create_alias(AliasName="alias/crypto/names", TargetKeyId=shared_key)
    prefix, _, key_id = shared_key.rpartition("key/")
    return {
        "id": key_id,
        "arn": shared_key,
        "alias": "alias/crypto/names",
        "alias-arn": f"{prefix}alias/crypto/names",
    }


FORMS = pytest.mark.parametrize("form", ["id", "arn", "alias", "alias-arn"])


def material_of(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


# --- Encrypt and Decrypt --------------------------------------------------------------------------


@FORMS
def test_encrypt_and_decrypt_take_every_name(kms, names, form):
    encrypted = without_metadata(kms.encrypt(KeyId=names[form], Plaintext=b"a secret"))
    blob = encrypted.pop("CiphertextBlob")
    assert encrypted == {"KeyId": names["arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    decrypted = without_metadata(kms.decrypt(CiphertextBlob=blob, KeyId=names[form]))
    assert decrypted == {
        "KeyId": names["arn"],
        "Plaintext": b"a secret",
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": material_of(kms, names["arn"]),
    }


def test_decrypt_finds_the_key_in_the_ciphertext(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"\x00")["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    assert (answer["Plaintext"], answer["KeyId"]) == (b"\x00", shared_key)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 4095, 4096])
def test_every_size_comes_back(kms, shared_key, size):
    plaintext = bytes(range(256)) * 16
    blob = kms.encrypt(KeyId=shared_key, Plaintext=plaintext[:size])["CiphertextBlob"]
    assert len(blob) == HEADER + size + TAG
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext[:size]


@pytest.mark.parametrize(
    ("size", "constraint"),
    [
        (0, "Member must have length greater than or equal to 1"),
        (4097, "Member must have length less than or equal to 4096"),
    ],
)
def test_a_plaintext_that_does_not_fit_is_not_repeated(server, shared_key, size, constraint):
    body = {"KeyId": shared_key, "Plaintext": base64.b64encode(b"s" * size).decode()}
    answer = server.send(Signed(server, "Encrypt", body))
    assert answer.json == {
        "__type": "ValidationException",
        "message": "1 validation error detected: Value at 'plaintext' failed to satisfy "
        f"constraint: {constraint}",
    }


def test_no_ciphertext_is_made_twice(kms, shared_key):
    blobs = {kms.encrypt(KeyId=shared_key, Plaintext=b"same")["CiphertextBlob"] for _ in range(20)}
    assert len(blobs) == 20
    assert len({blob[33:61] for blob in blobs}) == 20


def test_the_header_names_the_material(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    assert blob[1:33].hex() == material_of(kms, shared_key)


@pytest.mark.parametrize("text", ["YWJj=", "****", "YQ", "YWJ\nj"])
def test_what_is_no_base64_is_refused(server, shared_key, text):
    answer = server.send(Signed(server, "Encrypt", {"KeyId": shared_key, "Plaintext": text}))
    assert (answer.status, answer.json["__type"]) == (400, "SerializationException")


# --- encryption context: reference, 11 ------------------------------------------------------------

CONTEXT = {"tenant": "Müller", "purpose": "鍵", "empty": ""}


def test_the_context_must_be_the_same_in_any_order(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionContext=CONTEXT)
    shuffled = dict(reversed(CONTEXT.items()))
    answer = kms.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=shuffled)
    assert answer["Plaintext"] == b"x"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({}, id="none"),
        pytest.param({"tenant": "Müller"}, id="part"),
        pytest.param({**CONTEXT, "more": "x"}, id="more"),
        pytest.param({**CONTEXT, "tenant": "müller"}, id="letter-case-of-value"),
        pytest.param({"Tenant": "Müller", "purpose": "鍵", "empty": ""}, id="letter-case-of-key"),
        pytest.param({**CONTEXT, "tenant": "Mu\u0308ller"}, id="other-normal-form"),
        pytest.param({**CONTEXT, "empty": " "}, id="white-space"),
        pytest.param({"tenant": "鍵", "purpose": "Müller", "empty": ""}, id="swapped"),
        pytest.param({"tenantMüller": "", "purpose": "鍵", "empty": ""}, id="border-moved"),
    ],
)
def test_another_context_does_not_open(kms, shared_key, wrong):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionContext=CONTEXT)
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=wrong)


def test_a_context_where_none_was(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionContext={})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})


def test_a_huge_context_is_refused(kms, shared_key):
    for call in (kms.encrypt, kms.generate_data_key):
        rest = {"Plaintext": b"x"} if call == kms.encrypt else {"KeySpec": "AES_256"}
        with refused("ValidationException", "Invalid EncryptionContext"):
            call(KeyId=shared_key, EncryptionContext={"k": "v" * 8192}, **rest)


# --- ciphertexts that are not as they were made ---------------------------------------------------


def _regions(size):
    spots = {"nonce": 33, "nonce-end": 48, "iv": 49, "iv-end": 60}
    spots |= {"text": 61, "text-end": 61 + size - 1}
    return spots | {"tag": 61 + size, "tag-end": 61 + size + 15}


SIZE = 5


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("spot", _regions(SIZE))
@pytest.mark.parametrize("bit", [0, 7])
def test_a_changed_bit_is_found(kms, shared_key, spot, bit, named):
    blob = bytearray(kms.encrypt(KeyId=shared_key, Plaintext=b"x" * SIZE)["CiphertextBlob"])
    blob[_regions(SIZE)[spot]] ^= 1 << bit
    rest = {"KeyId": shared_key} if named else {}
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=bytes(blob), **rest)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("spot", [1, 17, 32])
def test_a_changed_material_id_names_no_key(kms, server, shared_key, spot, named):
    blob = bytearray(kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"])
    blob[spot] ^= 1
    if named:
        with refused("InvalidCiphertextException", ""):
            kms.decrypt(CiphertextBlob=bytes(blob), KeyId=shared_key)
        return
    message = IS_GONE.format(account=server.account, action="kms:Decrypt")
    with refused("AccessDeniedException", message):
        kms.decrypt(CiphertextBlob=bytes(blob))


def test_a_changed_version_is_no_ciphertext(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    for version in (0, blob[0] ^ 3, 255):
        with refused("InvalidCiphertextException", ""):
            kms.decrypt(CiphertextBlob=bytes([version]) + blob[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda blob: blob[:-1], id="one-short"),
        pytest.param(lambda blob: blob + b"\0", id="one-long"),
        pytest.param(lambda blob: blob[:HEADER], id="header-alone"),
        pytest.param(lambda blob: blob[:HEADER] + blob[-TAG:], id="no-text"),
        pytest.param(lambda blob: blob[:1], id="one-byte"),
        pytest.param(lambda blob: b"not a ciphertext", id="words"),
        pytest.param(lambda blob: blob * 2, id="twice"),
        pytest.param(lambda blob: blob + bytes(6144 - len(blob)), id="longest"),
    ],
)
def test_a_cut_or_padded_ciphertext_is_refused(kms, shared_key, spoil):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"sixteen bytes---")["CiphertextBlob"]
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=spoil(blob))


def test_parts_of_two_ciphertexts_do_not_mix(kms, shared_key):
    one = kms.encrypt(KeyId=shared_key, Plaintext=b"one")["CiphertextBlob"]
    two = kms.encrypt(KeyId=shared_key, Plaintext=b"two")["CiphertextBlob"]
    for border in (41, 49, 61, 62, 64):
        with refused("InvalidCiphertextException", ""):
            kms.decrypt(CiphertextBlob=one[:border] + two[border:])


@pytest.mark.parametrize("size", [0, 6145])
def test_ciphertext_sizes_are_the_models(kms, server, size):
    body = {"CiphertextBlob": base64.b64encode(bytes(size)).decode()}
    answer = server.send(Signed(server, "Decrypt", body))
    assert answer.json["__type"] == "ValidationException"
    assert (
        "at 'ciphertextBlob' failed to satisfy constraint: Member must have length"
        in (answer.json["message"])
    )


def test_decrypt_without_a_ciphertext(server):
    answer = server.send(Signed(server, "Decrypt", {}))
    assert answer.json["message"] == (
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
        "constraint: Member must not be null"
    )


# --- between keys ---------------------------------------------------------------------------------


def test_another_key_does_not_open(kms, shared_key, other_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    with refused("IncorrectKeyException", WRONG_KEY):
        kms.decrypt(CiphertextBlob=blob, KeyId=other_key)
    with refused("IncorrectKeyException", WRONG_KEY):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=other_key, DestinationKeyId=shared_key)


def test_a_ciphertext_moved_under_another_material_id_does_not_open(kms, shared_key, other_key):
    mine = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    theirs = kms.encrypt(KeyId=other_key, Plaintext=b"x")["CiphertextBlob"]
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=theirs[:33] + mine[33:])


def test_another_region_does_not_open(kms, server, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    elsewhere = server.client(region="eu-central-1")
    message = IS_GONE.format(account=server.account, action="kms:Decrypt")
    with refused("AccessDeniedException", message):
        elsewhere.decrypt(CiphertextBlob=blob)
    own = elsewhere.create_key()["KeyMetadata"]["KeyId"]
    with refused("InvalidCiphertextException", ""):
        elsewhere.decrypt(CiphertextBlob=blob, KeyId=own)
    elsewhere.close()


def test_decrypt_with_an_unknown_key(kms, server, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    unknown = "11111111-2222-3333-4444-555555555555"
    arn = f"arn:aws:kms:us-east-1:{server.account}:key/{unknown}"
    with refused("NotFoundException", f"Key '{arn}' does not exist"):
        kms.decrypt(CiphertextBlob=blob, KeyId=unknown)


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"])
def test_an_asymmetric_algorithm_needs_an_asymmetric_key(kms, shared_key, algorithm):
    with refused(
        "InvalidKeyUsageException",
        f"Algorithm {algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.",
    ):
        kms.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionAlgorithm=algorithm)
    with refused("ValidationException"):
        kms.decrypt(CiphertextBlob=b"x" * 256, EncryptionAlgorithm=algorithm)


# --- ReEncrypt ------------------------------------------------------------------------------------


@FORMS
def test_re_encrypt_moves_a_ciphertext(kms, names, other_key, form):
    source = {"from": "here"}
    blob = kms.encrypt(KeyId=other_key, Plaintext=b"moved", EncryptionContext=source)
    moved = without_metadata(
        kms.re_encrypt(
            CiphertextBlob=blob["CiphertextBlob"],
            SourceEncryptionContext=source,
            SourceKeyId=other_key,
            DestinationKeyId=names[form],
            DestinationEncryptionContext={"to": "there"},
            SourceEncryptionAlgorithm="SYMMETRIC_DEFAULT",
            DestinationEncryptionAlgorithm="SYMMETRIC_DEFAULT",
        )
    )
    after = moved.pop("CiphertextBlob")
    assert moved == {
        "SourceKeyId": other_key,
        "KeyId": names["arn"],
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": material_of(kms, other_key),
        "DestinationKeyMaterialId": material_of(kms, names["arn"]),
    }
    opened = kms.decrypt(CiphertextBlob=after, EncryptionContext={"to": "there"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"moved", names["arn"])
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=after, EncryptionContext=source)


@FORMS
def test_re_encrypt_takes_every_name_of_the_source(kms, names, other_key, form):
    blob = kms.encrypt(KeyId=names["arn"], Plaintext=b"x")["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=names[form], DestinationKeyId=other_key)
    assert moved["SourceKeyId"] == names["arn"]


def test_re_encrypt_may_stay_with_the_key(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    again = kms.re_encrypt(
        CiphertextBlob=blob,
        DestinationKeyId=shared_key,
        DestinationEncryptionContext={"added": "later"},
    )["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=again, EncryptionContext={"added": "later"})
    assert opened["Plaintext"] == b"x"


def test_re_encrypt_refuses_a_wrong_context_and_a_changed_ciphertext(kms, shared_key, other_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x", EncryptionContext={"a": "b"})
    blob = blob["CiphertextBlob"]
    with refused("InvalidCiphertextException", ""):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other_key)
    with refused("InvalidCiphertextException", ""):
        kms.re_encrypt(
            CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]),
            SourceEncryptionContext={"a": "b"},
            DestinationKeyId=other_key,
        )


def test_re_encrypt_of_nobodys_ciphertext(kms, server, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    message = IS_GONE.format(account=server.account, action="kms:ReEncryptFrom")
    with refused("AccessDeniedException", message):
        kms.re_encrypt(CiphertextBlob=blob[:1] + bytes(32) + blob[33:], DestinationKeyId=shared_key)


def test_re_encrypt_to_a_disabled_key(kms, shared_key, key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)


# --- data keys ------------------------------------------------------------------------------------

SIZES = [
    pytest.param({"KeySpec": "AES_256"}, 32, id="AES_256"),
    pytest.param({"KeySpec": "AES_128"}, 16, id="AES_128"),
    pytest.param({"NumberOfBytes": 1}, 1, id="1"),
    pytest.param({"NumberOfBytes": 64}, 64, id="64"),
    pytest.param({"NumberOfBytes": 1024}, 1024, id="1024"),
]


@pytest.mark.parametrize(("given", "size"), SIZES)
def test_a_data_key(kms, shared_key, given, size):
    answer = without_metadata(
        kms.generate_data_key(KeyId=shared_key, EncryptionContext={"a": "b"}, **given)
    )
    blob, plaintext = answer.pop("CiphertextBlob"), answer.pop("Plaintext")
    assert answer == {"KeyId": shared_key, "KeyMaterialId": material_of(kms, shared_key)}
    assert len(plaintext) == size
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == plaintext
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=blob)


@pytest.mark.parametrize(("given", "size"), SIZES)
def test_a_data_key_without_its_plaintext(kms, shared_key, given, size):
    answer = without_metadata(kms.generate_data_key_without_plaintext(KeyId=shared_key, **given))
    blob = answer.pop("CiphertextBlob")
    assert answer == {"KeyId": shared_key, "KeyMaterialId": material_of(kms, shared_key)}
    assert len(kms.decrypt(CiphertextBlob=blob)["Plaintext"]) == size


@FORMS
def test_data_keys_take_every_name(kms, names, form):
    for call in (kms.generate_data_key, kms.generate_data_key_without_plaintext):
        assert call(KeyId=names[form], KeySpec="AES_256")["KeyId"] == names["arn"]


def test_no_data_key_is_made_twice(kms, shared_key):
    made = [kms.generate_data_key(KeyId=shared_key, KeySpec="AES_256") for _ in range(20)]
    assert len({answer["Plaintext"] for answer in made}) == 20


@pytest.mark.parametrize("given", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
def test_a_data_key_needs_one_size(kms, shared_key, given):
    for call in (kms.generate_data_key, kms.generate_data_key_without_plaintext):
        with refused("ValidationException", "Please specify either number of bytes or key spec."):
            call(KeyId=shared_key, **given)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"NumberOfBytes": 0}, "numberOfBytes"),
        ({"NumberOfBytes": 1025}, "numberOfBytes"),
        ({"KeySpec": "AES_192"}, "keySpec"),
    ],
)
def test_data_key_sizes_are_the_models(server, shared_key, given, place):
    answer = server.send(Signed(server, "GenerateDataKey", {"KeyId": shared_key, **given}))
    assert answer.json["__type"] == "ValidationException"
    value = next(iter(given.values()))
    assert answer.json["message"].startswith(
        f"1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: "
    )


# --- GenerateRandom -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 32, 1024])
def test_random_bytes(kms, size):
    answer = without_metadata(kms.generate_random(NumberOfBytes=size))
    assert set(answer) == {"Plaintext"}
    assert len(answer["Plaintext"]) == size


def test_random_bytes_differ_and_are_spread(kms):
    drawn = [kms.generate_random(NumberOfBytes=1024)["Plaintext"] for _ in range(8)]
    assert len(set(drawn)) == 8
    assert len(set(b"".join(drawn))) == 256


def test_random_bytes_need_a_number(kms, server):
    with refused("ValidationException", "NumberOfBytes is required."):
        kms.generate_random()
    for size in (0, 1025):
        answer = server.send(Signed(server, "GenerateRandom", {"NumberOfBytes": size}))
        assert answer.json["__type"] == "ValidationException"
        assert f"Value '{size}' at 'numberOfBytes'" in answer.json["message"]


# --- DryRun: reference, 19.4 ----------------------------------------------------------------------


def _dry_calls(key, blob):
    return {
        "encrypt": {"KeyId": key, "Plaintext": b"x"},
        "decrypt": {"CiphertextBlob": blob},
        "re_encrypt": {"CiphertextBlob": blob, "DestinationKeyId": key},
        "generate_data_key": {"KeyId": key, "KeySpec": "AES_256"},
        "generate_data_key_without_plaintext": {"KeyId": key, "KeySpec": "AES_256"},
    }


@pytest.mark.parametrize("method", _dry_calls("", b""))
def test_a_dry_run_checks_and_does_nothing(kms, key, method):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    call, given = getattr(kms, method), _dry_calls(key, blob)[method]
    with refused("DryRunOperationException", WOULD_WORK):
        call(DryRun=True, **given)
    call(DryRun=False, **given)
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        call(DryRun=True, **given)


def test_a_dry_run_may_go_without_a_ciphertext(kms, shared_key):
    with refused("DryRunOperationException", WOULD_WORK):
        kms.decrypt(KeyId=shared_key, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    with refused("ValidationException"):
        kms.decrypt(KeyId=shared_key, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    with refused("ValidationException"):
        kms.decrypt(DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])


# --- attested recipients and grant tokens ---------------------------------------------------------

RECIPIENT = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"forged"}


def test_a_forged_attestation_gets_nothing(kms, shared_key):
    blob = kms.encrypt(KeyId=shared_key, Plaintext=b"x")["CiphertextBlob"]
    with refused("ValidationException"):
        kms.decrypt(CiphertextBlob=blob, Recipient=RECIPIENT)
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=shared_key, KeySpec="AES_256", Recipient=RECIPIENT)
    with refused("ValidationException"):
        kms.generate_random(NumberOfBytes=8, Recipient=RECIPIENT)


def test_blobs_are_plain_base64_on_the_wire(server, shared_key):
    body = {"KeyId": shared_key, "Plaintext": "+/+/", "EncryptionContext": {"k": "v"}}
    answer = server.send(Signed(server, "Encrypt", body))
    text = answer.json["CiphertextBlob"]
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text)
    assert len(text) % 4 == 0
    body = {"CiphertextBlob": text, "EncryptionContext": {"k": "v"}}
    assert server.send(Signed(server, "Decrypt", body)).json["Plaintext"] == "+/+/"
