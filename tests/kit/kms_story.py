"""The story of KMS: each operation called at least once, on keys of the kinds that it is for."""

from kit.hsm import ciphertext_of
from kit.trial import ACCOUNT, NOW

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
TAGS = [{"TagKey": "team", "TagValue": "vault"}]
CONTEXT = {"a": "b"}
OTHER_REGION = "eu-west-1"


def kms_story(call):
    """Tell of keys of all usages, from their making to their deletion; alice is to exist."""
    key = _made(call, Description="d", Tags=TAGS)
    key_id = key["KeyId"]
    _about_keys(call, key_id)
    _aliases(call, key_id)
    _encryption(call, key)
    _grants(call, key)
    _rotation(call, key_id)
    _regions(call)
    _asymmetric(call)
    _import(call)
    call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    call("CancelKeyDeletion", KeyId=key_id)


def _made(call, **members):
    return call("CreateKey", **members)["KeyMetadata"]


def _about_keys(call, key_id):
    call("DescribeKey", KeyId=key_id)
    call("ListKeys")
    call("UpdateKeyDescription", KeyId=key_id, Description="e")
    call("DisableKey", KeyId=key_id)
    call("EnableKey", KeyId=key_id)
    call("TagResource", KeyId=key_id, Tags=[{"TagKey": "k", "TagValue": "v"}])
    call("ListResourceTags", KeyId=key_id)
    call("UntagResource", KeyId=key_id, TagKeys=["k"])
    policy = call("GetKeyPolicy", KeyId=key_id)["Policy"]
    call("PutKeyPolicy", KeyId=key_id, PolicyName="default", Policy=policy)
    call("ListKeyPolicies", KeyId=key_id)
    call("GetKeyLastUsage", KeyId=key_id)


def _aliases(call, key_id):
    call("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    call("ListAliases", KeyId=key_id)
    call("UpdateAlias", AliasName="alias/a", TargetKeyId=key_id)
    call("DeleteAlias", AliasName="alias/a")


def _encryption(call, key):
    key_id, blob = key["KeyId"], ciphertext_of(key["CurrentKeyMaterialId"])
    call("Encrypt", KeyId=key_id, Plaintext=b"p", EncryptionContext=CONTEXT)
    call("Decrypt", CiphertextBlob=blob, KeyId=key_id, EncryptionContext=CONTEXT)
    call(
        "ReEncrypt",
        CiphertextBlob=blob,
        DestinationKeyId=key_id,
        SourceEncryptionContext=CONTEXT,
        DestinationEncryptionContext=CONTEXT,
    )
    for name in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        call(name, KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
    for name in ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"):
        call(name, KeyId=key_id, KeyPairSpec="ECC_NIST_P256", EncryptionContext=CONTEXT)
    call("GenerateRandom", NumberOfBytes=16)


def _grants(call, key):
    granted = {"GranteePrincipal": ALICE, "Operations": ["Encrypt"]}
    made = call(
        "CreateGrant",
        KeyId=key["KeyId"],
        **granted,
        Name="g",
        RetiringPrincipal=ALICE,
        Constraints={"EncryptionContextEquals": CONTEXT},
    )
    call("ListGrants", KeyId=key["KeyId"])
    call("ListRetirableGrants", RetiringPrincipal=ALICE)
    call("RetireGrant", KeyId=key["Arn"], GrantId=made["GrantId"])
    constraints = {"EncryptionContextSubset": CONTEXT}
    made = call("CreateGrant", KeyId=key["KeyId"], **granted, Constraints=constraints)
    call("RevokeGrant", KeyId=key["KeyId"], GrantId=made["GrantId"])


def _rotation(call, key_id):
    call("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    call("GetKeyRotationStatus", KeyId=key_id)
    call("RotateKeyOnDemand", KeyId=key_id)
    call("ListKeyRotations", KeyId=key_id)
    call("DisableKeyRotation", KeyId=key_id)


def _regions(call):
    key_id = _made(call, MultiRegion=True)["KeyId"]
    call("ReplicateKey", KeyId=key_id, ReplicaRegion=OTHER_REGION, Description="d", Tags=TAGS)
    call("UpdatePrimaryRegion", KeyId=key_id, PrimaryRegion=OTHER_REGION)


def _asymmetric(call):
    signing = _made(call, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    signed = {"KeyId": signing, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    call("Sign", **signed)
    call("Verify", **signed, Signature=b"s")
    call("GetPublicKey", KeyId=signing)
    mac = _made(call, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyId"]
    tagged = {"KeyId": mac, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    call("GenerateMac", **tagged)
    call("VerifyMac", **tagged, Mac=b"m")
    agreeing = _made(call, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyId"]
    call("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=b"p")
    kem = _made(call, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyId"]
    agreed = {"KeyId": kem, "EncapsulationAlgorithm": "ML_KEM"}
    call("Encapsulate", **agreed)
    call("Decapsulate", **agreed, SharedSecretCiphertextBlob=bytes(1088))


def _import(call):
    key_id = _made(call, Origin="EXTERNAL")["KeyId"]
    call(
        "GetParametersForImport",
        KeyId=key_id,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    call(
        "ImportKeyMaterial",
        KeyId=key_id,
        ImportToken=b"t",
        EncryptedKeyMaterial=b"m",
        ValidTo=NOW + 3600,
        ExpirationModel="KEY_MATERIAL_EXPIRES",
        KeyMaterialDescription="d",
    )
    call("DeleteImportedKeyMaterial", KeyId=key_id)
