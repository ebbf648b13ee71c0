"""Imported key material: in, expired, gone, in again. Reference: 8."""

import os

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

import outside
import serving
from dev_clock import DAY, advance, date, now
from serving import eventually, refused

FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
NEW = {**FOREVER, "ImportType": "NEW_KEY_MATERIAL"}
EXISTING = {**FOREVER, "ImportType": "EXISTING_KEY_MATERIAL"}
OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
AES_WRAP = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
WRAPPING_SPECS = ["RSA_2048", "RSA_3072", "RSA_4096"]
HMAC_BYTES = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
PRIVATE = ["RSA_2048", "RSA_3072", "RSA_4096", *outside.CURVES, "ECC_NIST_EDWARDS25519"]
ALLOWED = {
    "SYMMETRIC_DEFAULT": OAEP,
    **dict.fromkeys(HMAC_BYTES, OAEP),
    **dict.fromkeys(PRIVATE[:3], AES_WRAP),
    **dict.fromkeys(PRIVATE[3:], OAEP + AES_WRAP),
}
USAGES = {"SYM": "ENCRYPT_DECRYPT", "HMA": "GENERATE_VERIFY_MAC"}


@pytest.fixture(scope="module")
def moving():
    """A `dev` server whose clock only these tests move."""
    with serving.dev_served() as server:
        yield server


@pytest.fixture(scope="module")
def kms(moving):
    client = moving.client()
    yield client
    client.close()


def new_key(kms, spec="SYMMETRIC_DEFAULT", **options):
    usage = USAGES.get(spec[:3], "SIGN_VERIFY")
    made = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL", **options)
    return made["KeyMetadata"]["Arn"]


@pytest.fixture
def key(kms):
    return new_key(kms)


def metadata(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def state(kms, key):
    return metadata(kms, key)["KeyState"]


def new_material(spec):
    if spec == "SYMMETRIC_DEFAULT":
        return os.urandom(32)
    if spec in HMAC_BYTES:
        return os.urandom(HMAC_BYTES[spec])
    return outside.new_private_key(spec)


def parameters(kms, key, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    return kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec
    )


def rotate(kms, key):
    """Rotate on demand, to its end."""
    kms.rotate_key_on_demand(KeyId=key)
    eventually(lambda: "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key))


def put(kms, key, given, material, algorithm="RSAES_OAEP_SHA_256", **options):
    """Import with parameters that were got before."""
    return kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=outside.wrapped(given["PublicKey"], algorithm, material),
        **(options or FOREVER),
    )


# --- wrapping -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "algorithm"), [(spec, way) for spec, ways in ALLOWED.items() for way in ways]
)
def test_every_key_spec_and_wrapping_algorithm(kms, spec, algorithm):
    key = new_key(kms, spec)
    found = metadata(kms, key)
    assert (found["KeyState"], found["Enabled"], found["Origin"]) == (
        "PendingImport",
        False,
        "EXTERNAL",
    )
    assert not {"ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} & set(found)
    material = new_material(spec)
    wrapping = "RSA_3072" if spec == "ECC_NIST_P521" and algorithm in OAEP else "RSA_2048"
    answer = put(kms, key, parameters(kms, key, algorithm, wrapping), material, algorithm)
    answer.pop("ResponseMetadata")
    assert answer.pop("KeyId") == key
    found = metadata(kms, key)
    assert (found["KeyState"], found["ExpirationModel"]) == (
        "Enabled",
        "KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    if spec == "SYMMETRIC_DEFAULT":
        assert answer == {"KeyMaterialId": found["CurrentKeyMaterialId"]}
    else:
        assert answer == {}
        assert "CurrentKeyMaterialId" not in found
    if spec in PRIVATE:
        assert kms.get_public_key(KeyId=key)["PublicKey"] == outside.public_key_of(material)


@pytest.mark.parametrize("wrapping", WRAPPING_SPECS)
@pytest.mark.parametrize("algorithm", OAEP)
def test_every_wrapping_key_spec(moving, kms, key, wrapping, algorithm):
    given = parameters(kms, key, algorithm, wrapping)
    assert given["KeyId"] == key
    assert abs(given["ParametersValidTo"].timestamp() - now(moving) - DAY) < 10
    public_key = serialization.load_der_public_key(given["PublicKey"])
    assert public_key.key_size == int(wrapping[4:])
    put(kms, key, given, os.urandom(32), algorithm)
    assert state(kms, key) == "Enabled"


@pytest.mark.parametrize(
    ("spec", "algorithm", "wrapping"),
    [
        *(("SYMMETRIC_DEFAULT", way, "RSA_4096") for way in AES_WRAP),
        *(("HMAC_256", way, "RSA_4096") for way in AES_WRAP),
        *(("RSA_2048", way, "RSA_4096") for way in OAEP),
        *(("ECC_NIST_P521", way, "RSA_2048") for way in OAEP),
        ("SYMMETRIC_DEFAULT", "RSAES_PKCS1_V1_5", "RSA_2048"),
        ("SYMMETRIC_DEFAULT", "SM2PKE", "SM2"),
        ("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", "SM2"),
    ],
)
def test_ways_that_are_not_allowed(kms, spec, algorithm, wrapping):
    key = new_key(kms, spec)
    with pytest.raises(kms.exceptions.ClientError) as problem:
        parameters(kms, key, algorithm, wrapping)
    code = problem.value.response["Error"]["Code"]
    assert code in ("ValidationException", "UnsupportedOperationException")


def test_wrapped_by_openssl(kms):
    """As AWS's guide has it: pkeyutl for OAEP, enc -id-aes256-wrap-pad for the rest."""
    key, private_key = new_key(kms, "RSA_2048"), outside.new_private_key("RSA_2048")
    given = parameters(kms, key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_3072")
    aes_key = os.urandom(32)
    wrapped = outside.openssl(
        "enc", "-id-aes256-wrap-pad", "-K", aes_key.hex(), "-iv", "A65959A6", "-in", "in",
        "-out", "out", **{"in": private_key},
    )  # fmt: skip
    head = outside.openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "in",
        "-out", "out", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
        "-pkeyopt", "rsa_mgf1_md:sha256", **{"key": given["PublicKey"], "in": aes_key},
    )  # fmt: skip
    kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=head + wrapped, **FOREVER
    )
    assert kms.get_public_key(KeyId=key)["PublicKey"] == outside.public_key_of(private_key)


def test_garbled_wrapping(kms, key):
    given = parameters(kms, key)
    whole = outside.wrapped(given["PublicKey"], "RSAES_OAEP_SHA_256", os.urandom(32))
    other = parameters(kms, key)
    cases = [
        whole[:-1] + bytes([whole[-1] ^ 1]),
        whole[:-1],
        whole + b"\0",
        b"x",
        os.urandom(256),
        outside.wrapped(given["PublicKey"], "RSAES_OAEP_SHA_1", os.urandom(32)),
        outside.wrapped(other["PublicKey"], "RSAES_OAEP_SHA_256", os.urandom(32)),
        serialization.load_der_public_key(given["PublicKey"]).encrypt(
            os.urandom(32), padding.PKCS1v15()
        ),
    ]
    for blob in cases:
        with refused("InvalidCiphertextException", ""):
            kms.import_key_material(
                KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=blob, **FOREVER
            )
    assert state(kms, key) == "PendingImport"
    put(kms, key, given, os.urandom(32))
    assert state(kms, key) == "Enabled"


def test_garbled_aes_wrapping(kms):
    key = new_key(kms, "ECC_NIST_P256")
    algorithm = "RSA_AES_KEY_WRAP_SHA_256"
    given = parameters(kms, key, algorithm)
    material = outside.new_private_key("ECC_NIST_P256")
    whole = outside.wrapped(given["PublicKey"], algorithm, material)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    short = serialization.load_der_public_key(given["PublicKey"]).encrypt(os.urandom(16), oaep)
    cases = [
        whole[:-8],
        whole[:256],
        whole[:300],
        whole[:-1],
        short + whole[256:],
        whole + bytes(8),
    ]
    for blob in cases:
        with refused("InvalidCiphertextException", ""):
            kms.import_key_material(
                KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=blob, **FOREVER
            )
    assert state(kms, key) == "PendingImport"


@pytest.mark.parametrize(
    ("spec", "material"),
    [
        ("SYMMETRIC_DEFAULT", lambda: os.urandom(16)),
        ("SYMMETRIC_DEFAULT", lambda: os.urandom(31)),
        ("SYMMETRIC_DEFAULT", lambda: os.urandom(33)),
        ("SYMMETRIC_DEFAULT", lambda: b""),
        ("HMAC_256", lambda: os.urandom(31)),
        ("HMAC_256", lambda: os.urandom(129)),
        ("HMAC_512", lambda: os.urandom(63)),
        ("RSA_2048", lambda: outside.new_private_key("RSA_3072")),
        ("RSA_2048", lambda: outside.new_private_key("ECC_NIST_P256")),
        ("RSA_2048", lambda: os.urandom(1200)),
        ("ECC_NIST_P256", lambda: outside.new_private_key("ECC_SECG_P256K1")),
        ("ECC_NIST_P256", lambda: outside.public_key_of(outside.new_private_key("ECC_NIST_P256"))),
        ("ECC_NIST_P256", lambda: os.urandom(32)),
        ("ECC_NIST_EDWARDS25519", lambda: os.urandom(32)),
        (
            "ECC_NIST_EDWARDS25519",
            lambda: outside.openssl("genpkey", "-algorithm", "X25519", "-outform", "DER"),
        ),
    ],
)
def test_material_of_another_form(kms, spec, material):
    key = new_key(kms, spec)
    algorithm = outside.wrapping_algorithm(spec)
    given = parameters(kms, key, algorithm)
    with refused("IncorrectKeyMaterialException"):
        put(kms, key, given, material(), algorithm)
    assert state(kms, key) == "PendingImport"


def test_curve_spelt_out_is_no_named_curve(kms):
    key = new_key(kms, "ECC_NIST_P256")
    explicit = outside.openssl(
        "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-pkeyopt", "ec_param_enc:explicit", "-out", "out",
    )  # fmt: skip
    material = outside.openssl(
        "pkcs8", "-topk8", "-nocrypt", "-in", "key", "-outform", "DER", "-out", "out", key=explicit
    )
    algorithm = "RSA_AES_KEY_WRAP_SHA_256"
    with refused("IncorrectKeyMaterialException"):
        put(kms, key, parameters(kms, key, algorithm), material, algorithm)


# --- tokens ---------------------------------------------------------------------------------------


def test_token_of_another_key_region_or_nobody(moving, kms, key):
    abroad = moving.client(region="eu-west-1")
    foreign_key = abroad.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    stranger = moving.client(access_key="111122223333")
    strange_key = stranger.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    own = parameters(kms, key)["ImportToken"]
    tokens = [
        parameters(kms, new_key(kms))["ImportToken"],
        parameters(abroad, foreign_key)["ImportToken"],
        parameters(stranger, strange_key)["ImportToken"],
        own[:-1] + bytes([own[-1] ^ 1]),
        own[:-1],
        own + b"\0",
        bytes([own[0] ^ 1]) + own[1:],
        b"x",
        os.urandom(len(own)),
        bytes(6144),
    ]
    given = parameters(kms, key)
    for token in tokens:
        with refused("InvalidImportTokenException"):
            put(kms, key, {**given, "ImportToken": token}, os.urandom(32))
    assert state(kms, key) == "PendingImport"
    for client in (abroad, stranger):
        client.close()


def test_token_of_a_multi_region_key_is_of_one_region(moving, kms):
    primary = new_key(kms, MultiRegion=True)
    material = os.urandom(32)
    outside.imported(kms, primary, material)
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    abroad = moving.client(region="eu-west-1")
    with refused("InvalidImportTokenException"):
        put(abroad, replica, parameters(kms, primary), material)
    put(abroad, replica, parameters(abroad, replica), material)
    abroad.close()


def test_token_expires_after_a_day(moving, kms, key):
    early, material = parameters(kms, key), os.urandom(32)
    advance(moving, seconds=DAY - 60)
    put(kms, key, early, material)
    advance(moving, seconds=61)
    with refused("ExpiredImportTokenException"):
        put(kms, key, early, material)
    put(kms, key, parameters(kms, key), material)


def test_token_may_be_used_again_and_several_at_once(kms, key):
    first, second, material = parameters(kms, key), parameters(kms, key), os.urandom(32)
    assert first["ImportToken"] != second["ImportToken"]
    put(kms, key, second, material)
    put(kms, key, first, material)
    put(kms, key, first, material)


# --- expiry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [None, "KEY_MATERIAL_EXPIRES"])
def test_expiring_material_needs_a_date(kms, key, model):
    text = "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
    given = parameters(kms, key)
    options = {"ExpirationModel": model} if model else {"ImportType": "NEW_KEY_MATERIAL"}
    with refused("ValidationException", text):
        put(kms, key, given, os.urandom(32), **options)


def test_dates_that_cannot_be(moving, kms, key):
    given, today = parameters(kms, key), now(moving)
    for valid_to in (today - 60, today - 400 * DAY, today + 366 * DAY, 0):
        with refused("ValidationException"):
            put(kms, key, given, os.urandom(32), ValidTo=date(valid_to))
    with refused("ValidationException"):
        put(kms, key, given, os.urandom(32), ValidTo=date(today + DAY), **FOREVER)
    put(kms, key, given, os.urandom(32), ValidTo=date(today + 364 * DAY))
    found = metadata(kms, key)
    assert found["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert found["ValidTo"].timestamp() == pytest.approx(today + 364 * DAY, abs=2)


def test_material_expires_and_comes_again(moving, kms, key):
    material = os.urandom(32)
    given = {"ValidTo": date(now(moving) + DAY)}
    material_id = outside.imported(kms, key, material, **given)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    advance(moving, seconds=DAY - 30)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
    advance(moving, seconds=31)
    found = metadata(kms, key)
    assert (found["KeyState"], found["Enabled"]) == ("PendingImport", False)
    assert not {"ExpirationModel", "ValidTo"} & set(found)
    assert found["CurrentKeyMaterialId"] == material_id
    for call in (
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.encrypt(KeyId=key, Plaintext=b"p"),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.enable_key(KeyId=key),
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.rotate_key_on_demand(KeyId=key),
    ):
        with refused("KMSInvalidStateException", f"{key} is pending import."):
            call()
    (entry,) = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert (entry["KeyMaterialId"], entry["ImportState"]) == (material_id, "PENDING_IMPORT")
    assert not {"ExpirationModel", "ValidTo"} & set(entry)
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, os.urandom(32))
    again = outside.imported(kms, key, material)
    assert again["KeyMaterialId"] == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
    assert metadata(kms, key)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"


def test_reimport_changes_the_expiry(moving, kms, key):
    material = os.urandom(32)
    outside.imported(kms, key, material, ValidTo=date(now(moving) + DAY))
    outside.imported(kms, key, material, ValidTo=date(now(moving) + 10 * DAY))
    advance(moving, days=5)
    assert state(kms, key) == "Enabled"
    outside.imported(kms, key, material)
    advance(moving, days=30)
    assert state(kms, key) == "Enabled"
    outside.imported(kms, key, material, ValidTo=date(now(moving) + 60))
    advance(moving, seconds=61)
    assert state(kms, key) == "PendingImport"


def test_earliest_expiry_is_shown_and_any_expiry_stops_the_key(moving, kms, key):
    first, second = os.urandom(32), os.urandom(32)
    outside.imported(kms, key, first, ValidTo=date(now(moving) + 10 * DAY))
    soon = now(moving) + 5 * DAY
    outside.imported(kms, key, second, ValidTo=date(soon), ImportType="NEW_KEY_MATERIAL")
    # What waits does not count yet.
    assert metadata(kms, key)["ValidTo"].timestamp() > soon + DAY
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    rotate(kms, key)
    assert metadata(kms, key)["ValidTo"].timestamp() == pytest.approx(soon, abs=2)
    new = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    advance(moving, days=6)
    for blob in (old, new):
        with refused("KMSInvalidStateException", f"{key} is pending import."):
            kms.decrypt(CiphertextBlob=blob)
    advance(moving, days=5)
    outside.imported(kms, key, second)
    assert state(kms, key) == "PendingImport"
    outside.imported(kms, key, first)
    assert state(kms, key) == "Enabled"
    for blob, text in ((old, b"old"), (new, b"new")):
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == text


def test_what_waits_expires_and_the_key_goes_on(moving, kms, key):
    outside.imported(kms, key, os.urandom(32))
    material = os.urandom(32)
    options = {"ValidTo": date(now(moving) + DAY), "ImportType": "NEW_KEY_MATERIAL"}
    outside.imported(kms, key, material, **options)
    advance(moving, days=2)
    assert state(kms, key) == "Enabled"
    shown = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert len(shown) == 1
    nothing = f"No available key material pending rotation for the key: {key}."
    with refused("KMSInvalidStateException", nothing):
        kms.rotate_key_on_demand(KeyId=key)
    outside.imported(kms, key, material, **NEW)
    rotate(kms, key)
    assert kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]


def test_material_expires_while_the_key_waits_for_deletion(moving, kms, key):
    material = os.urandom(32)
    outside.imported(kms, key, material, ValidTo=date(now(moving) + 3 * DAY))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)
    advance(moving, days=4)
    assert state(kms, key) == "PendingDeletion"
    (entry,) = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert entry["ImportState"] == "PENDING_IMPORT"
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "PendingImport"
    outside.imported(kms, key, material)
    assert state(kms, key) == "Enabled"


def test_disabled_key_loses_its_material_as_well(moving, kms, key):
    material = os.urandom(32)
    outside.imported(kms, key, material, ValidTo=date(now(moving) + DAY))
    kms.disable_key(KeyId=key)
    advance(moving, days=2)
    assert state(kms, key) == "PendingImport"


# --- several materials ----------------------------------------------------------------------------


def test_other_material_is_not_the_same(kms, key):
    material = os.urandom(32)
    outside.imported(kms, key, material)
    for options in (FOREVER, EXISTING):
        with refused("IncorrectKeyMaterialException"):
            outside.imported(kms, key, os.urandom(32), **options)
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, material, **NEW)
    for options in (FOREVER, EXISTING):
        outside.imported(kms, key, material, **options)


def test_existing_material_where_there_is_none(kms, key):
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, os.urandom(32), **EXISTING)
    assert state(kms, key) == "PendingImport"


def test_only_one_material_waits(kms, key):
    outside.imported(kms, key, os.urandom(32))
    waiting = os.urandom(32)
    waiting_id = outside.imported(kms, key, waiting, **NEW)["KeyMaterialId"]
    probe = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    with pytest.raises(kms.exceptions.KMSInvalidStateException) as problem:
        outside.imported(kms, key, os.urandom(32), **NEW)
    text = problem.value.response["Error"]["Message"]
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert text.startswith("New key material (id: ")
    assert text.endswith(
        f") cannot be imported into KMS key {arn}, because another key material "
        f"(id: {waiting_id}) is pending rotation."
    )
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, waiting, **NEW)
    outside.imported(kms, key, waiting, **EXISTING)
    # The same bytes are another material in another key.
    assert outside.imported(kms, probe, waiting)["KeyMaterialId"] != waiting_id


def test_named_material_must_be_the_one(kms, key):
    first, second = os.urandom(32), os.urandom(32)
    first_id = outside.imported(kms, key, first)["KeyMaterialId"]
    second_id = outside.imported(kms, key, second, **NEW)["KeyMaterialId"]
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, first, KeyMaterialId=second_id, **EXISTING)
    with refused("ValidationException"):
        outside.imported(kms, key, os.urandom(32), KeyMaterialId=first_id, **NEW)
    outside.imported(kms, key, first, KeyMaterialId=first_id, **EXISTING)
    outside.imported(kms, key, second, KeyMaterialId=second_id, **FOREVER)


def test_description_stays_until_another_comes(kms, key):
    material = os.urandom(32)

    def shown():
        return kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]

    outside.imported(kms, key, material, KeyMaterialDescription="the first", **FOREVER)
    assert shown()[0]["KeyMaterialDescription"] == "the first"
    assert (shown()[0]["ImportState"], shown()[0]["ExpirationModel"]) == (
        "IMPORTED",
        "KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    outside.imported(kms, key, material)
    assert shown()[0]["KeyMaterialDescription"] == "the first"
    outside.imported(kms, key, material, KeyMaterialDescription="renamed", **FOREVER)
    assert shown()[0]["KeyMaterialDescription"] == "renamed"


@pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P256"])
def test_other_specs_have_one_material_for_life(kms, spec):
    key, material = new_key(kms, spec), new_material(spec)
    given = {**FOREVER, "ImportType": "NEW_KEY_MATERIAL"}
    for options in (
        given,
        {**FOREVER, "KeyMaterialDescription": "d"},
        {**FOREVER, "KeyMaterialId": "0" * 64},
    ):
        with refused("ValidationException"):
            outside.imported(kms, key, material, **options)
    outside.imported(kms, key, material)
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, new_material(spec))
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingImport"
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, new_material(spec))
    outside.imported(kms, key, material)
    assert state(kms, key) == "Enabled"


def test_same_private_key_in_another_encoding_is_the_same(kms):
    key = new_key(kms, "ECC_NIST_P256")
    theirs = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8)
    whole = theirs.private_bytes(*form, serialization.NoEncryption())
    without_public = outside.openssl(
        "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "key", "-outform", "DER",
        "-out", "out", key=outside.openssl(
            "ec", "-inform", "DER", "-in", "key", "-no_public", "-outform", "DER", "-out", "out", key=whole
        ),
    )  # fmt: skip
    assert without_public != whole
    outside.imported(kms, key, whole)
    outside.imported(kms, key, without_public)


# --- deletion of material -------------------------------------------------------------------------


def test_deleted_and_imported_again(kms, key):
    assert (
        kms.delete_imported_key_material(KeyId=key)["KeyId"] == key
    )  # nothing there, nothing done
    material = os.urandom(32)
    material_id = outside.imported(kms, key, material)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    answer = kms.delete_imported_key_material(KeyId=key)
    assert (answer["KeyId"], answer["KeyMaterialId"]) == (key, material_id)
    assert state(kms, key) == "PendingImport"
    with refused("KMSInvalidStateException", f"{key} is pending import."):
        kms.decrypt(CiphertextBlob=blob)
    kms.delete_imported_key_material(KeyId=key)
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=material_id)
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms, key, os.urandom(32))
    outside.imported(kms, key, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"


def test_any_of_several_deleted(kms, key):
    materials = [os.urandom(32) for _ in range(3)]
    ids, blobs = [], []
    for number, material in enumerate(materials):
        ids.append(
            outside.imported(kms, key, material, **(NEW if number else FOREVER))["KeyMaterialId"]
        )
        if number:
            rotate(kms, key)
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"p%d" % number)["CiphertextBlob"])
    assert (
        kms.delete_imported_key_material(KeyId=key, KeyMaterialId=ids[1])["KeyMaterialId"] == ids[1]
    )
    assert state(kms, key) == "PendingImport"
    with refused("KMSInvalidStateException", f"{key} is pending import."):
        kms.decrypt(CiphertextBlob=blobs[0])
    shown = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [e["ImportState"] for e in shown] == ["IMPORTED", "PENDING_IMPORT", "IMPORTED"]
    assert [e["KeyMaterialState"] for e in shown] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    outside.imported(kms, key, materials[1], KeyMaterialId=ids[1], **EXISTING)
    for number, blob in enumerate(blobs):
        found = kms.decrypt(CiphertextBlob=blob)
        assert (found["Plaintext"], found["KeyMaterialId"]) == (b"p%d" % number, ids[number])


def test_what_waits_deleted_and_imported_again(kms, key):
    outside.imported(kms, key, os.urandom(32))
    waiting = os.urandom(32)
    for _ in range(2):
        waiting_id = outside.imported(kms, key, waiting, **NEW)["KeyMaterialId"]
        kms.delete_imported_key_material(KeyId=key, KeyMaterialId=waiting_id)
        assert state(kms, key) == "Enabled"
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key)
    outside.imported(kms, key, os.urandom(32), **NEW)
    rotate(kms, key)
    assert state(kms, key) == "Enabled"


def test_material_that_never_was(kms, key):
    outside.imported(kms, key, os.urandom(32))
    with refused("NotFoundException"):
        kms.delete_imported_key_material(KeyId=key, KeyMaterialId="0" * 64)
    assert state(kms, key) == "Enabled"


def test_key_pending_deletion(kms, key):
    material = os.urandom(32)
    outside.imported(kms, key, material)
    given = parameters(kms, key)
    kms.schedule_key_deletion(KeyId=key)
    pending = f"{key} is pending deletion."
    with refused("KMSInvalidStateException", pending):
        parameters(kms, key)
    with refused("KMSInvalidStateException", pending):
        put(kms, key, given, material)
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "PendingImport"
    put(kms, key, given, material)
    assert state(kms, key) == "Enabled"


def test_key_whose_material_was_made_here(kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    text = f"{key} origin is AWS_KMS which is not valid for this operation."
    for enter in (
        lambda: None,
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
    ):
        enter()
        with refused("UnsupportedOperationException", text):
            parameters(kms, key)
        with refused("UnsupportedOperationException", text):
            kms.import_key_material(
                KeyId=key, ImportToken=b"t", EncryptedKeyMaterial=b"m", **FOREVER
            )
        with refused("UnsupportedOperationException", text):
            kms.delete_imported_key_material(KeyId=key)


def test_material_opens_no_ciphertext_of_another_key(kms):
    material = os.urandom(32)
    one, other = new_key(kms), new_key(kms)
    ids = [outside.imported(kms, key, material)["KeyMaterialId"] for key in (one, other)]
    assert ids[0] != ids[1]
    blob = kms.encrypt(KeyId=one, Plaintext=b"p")["CiphertextBlob"]
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=other)
    # Not even with the other key's material id written into it.
    forged = blob[:1] + bytes.fromhex(ids[1]) + blob[33:]
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=forged, KeyId=other)


def test_public_key_before_the_first_import_and_after_deletion(kms):
    key = new_key(kms, "ECC_NIST_P256")
    with refused("KMSInvalidStateException", f"{key} is pending import."):
        kms.get_public_key(KeyId=key)
    outside.imported(kms, key, outside.new_private_key("ECC_NIST_P256"))
    public_key = kms.get_public_key(KeyId=key)["PublicKey"]
    kms.delete_imported_key_material(KeyId=key)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == public_key
