"""AWS's words for what is wrong: rows of the reference, sections 5.3 and 5.5."""

import json
from base64 import b64encode

import pytest

from kagimori.front import json11
from kagimori.front.models import ServiceModel
from kagimori.rules.refusal import (
    AccessDeniedException,
    InvalidCiphertextException,
    NotFoundException,
    SerializationException,
    ValidationException,
)

KMS = ServiceModel.load("kms")
CLOUDTRAIL = ServiceModel.load("cloudtrail")
FAILED = "failed to satisfy constraint: Member must"


def decode(action, body, model=KMS):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json11.decode(model, model.operation(action), sent)


def blob(length):
    return b64encode(b"x" * length).decode()


def values(shape):
    return ", ".join(KMS.shapes[shape].enum)


@pytest.mark.parametrize(
    ("row", "action", "body", "text"),
    [
        (
            "number too small",
            "GenerateRandom",
            {"NumberOfBytes": 0},
            f"Value '0' at 'numberOfBytes' {FAILED} have value greater than or equal to 1",
        ),
        (
            "number too large",
            "GenerateRandom",
            {"NumberOfBytes": 1025},
            f"Value '1025' at 'numberOfBytes' {FAILED} have value less than or equal to 1024",
        ),
        ("required absent", "DescribeKey", {}, f"Value null at 'keyId' {FAILED} not be null"),
        (
            "required null",
            "DescribeKey",
            {"KeyId": None},
            f"Value null at 'keyId' {FAILED} not be null",
        ),
        (
            "text too short",
            "DescribeKey",
            {"KeyId": ""},
            f"Value '' at 'keyId' {FAILED} have length greater than or equal to 1",
        ),
        (
            "text too long",
            "DescribeKey",
            {"KeyId": "k" * 2049},
            f"Value '{'k' * 2049}' at 'keyId' {FAILED} have length less than or equal to 2048",
        ),
        (
            "enum",
            "CreateKey",
            {"KeySpec": "RSA_1024"},
            f"Value 'RSA_1024' at 'keySpec' {FAILED} satisfy enum value set: [{values('KeySpec')}]",
        ),
        (
            "pattern",
            "CreateAlias",
            {"AliasName": "alias/a b", "TargetKeyId": "k"},
            f"Value 'alias/a b' at 'aliasName' {FAILED} satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
        ),
        (
            "pattern and a final newline",
            "CreateAlias",
            {"AliasName": "alias/a\n", "TargetKeyId": "k"},
            f"Value 'alias/a\n' at 'aliasName' {FAILED} satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
        ),
        (
            "secret blob too long",
            "Encrypt",
            {"KeyId": "k", "Plaintext": blob(4097)},
            f"Value at 'plaintext' {FAILED} have length less than or equal to 4096",
        ),
        (
            "secret blob empty",
            "Encrypt",
            {"KeyId": "k", "Plaintext": ""},
            f"Value at 'plaintext' {FAILED} have length greater than or equal to 1",
        ),
        (
            "blob of Sign",
            "Sign",
            {"KeyId": "k", "Message": blob(4097), "SigningAlgorithm": "ECDSA_SHA_256"},
            f"Value at 'message' {FAILED} have length less than or equal to 4096",
        ),
        (
            "plain blob",
            "Decrypt",
            {"CiphertextBlob": blob(6145)},
            f"Value at 'ciphertextBlob' {FAILED} have length less than or equal to 6144",
        ),
        (
            "secret text",
            "ConnectCustomKeyStore",
            {"CustomKeyStoreId": ""},
            f"Value '' at 'customKeyStoreId' {FAILED} have length greater than or equal to 1",
        ),
        (
            "password",
            "UpdateCustomKeyStore",
            {"CustomKeyStoreId": "c", "KeyStorePassword": "short"},
            f"Value at 'keyStorePassword' {FAILED} have length greater than or equal to 7",
        ),
        (
            "in a list of structures",
            "TagResource",
            {"KeyId": "k", "Tags": [{"TagKey": "", "TagValue": "v"}]},
            f"Value '' at 'tags.1.member.tagKey' {FAILED} have length greater than or equal to 1",
        ),
        (
            "second of a list",
            "TagResource",
            {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b"}]},
            f"Value null at 'tags.2.member.tagValue' {FAILED} not be null",
        ),
        (
            "null in a list of structures",
            "TagResource",
            {"KeyId": "k", "Tags": [None]},
            f"Value null at 'tags.1.member' {FAILED} not be null",
        ),
        (
            "in a list of enums",
            "CreateGrant",
            {"KeyId": "k", "GranteePrincipal": "p", "Operations": ["x"]},
            f"Value '[x]' at 'operations' {FAILED} satisfy constraint: [Member must satisfy enum value set: [{values('GrantOperation')}]]",
        ),
        (
            "in a list of texts",
            "UntagResource",
            {"KeyId": "k", "TagKeys": ["a", ""]},
            f"Value '[a, ]' at 'tagKeys' {FAILED} satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]",
        ),
        (
            "in a list of tokens",
            "Decrypt",
            {"CiphertextBlob": blob(1), "GrantTokens": ["a", ""]},
            f"Value at 'grantTokens' {FAILED} satisfy constraint: [Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]",
        ),
        (
            "null in a list of enums",
            "CreateGrant",
            {"KeyId": "k", "GranteePrincipal": "p", "Operations": [None]},
            f"Value '[null]' at 'operations' {FAILED} satisfy constraint: [Member must satisfy enum value set: [{values('GrantOperation')}], Member must not be null]",
        ),
        (
            "list too long",
            "Decrypt",
            {"CiphertextBlob": blob(1), "GrantTokens": ["t"] * 11},
            f"Value at 'grantTokens' {FAILED} have length less than or equal to 10",
        ),
        (
            "in a structure",
            "Decrypt",
            {"CiphertextBlob": blob(1), "Recipient": {"AttestationDocument": ""}},
            f"Value at 'recipient.attestationDocument' {FAILED} have length greater than or equal to 1",
        ),
        (
            "null in a map",
            "Decrypt",
            {"CiphertextBlob": blob(1), "EncryptionContext": {"a": None}},
            "Value '{a=null}' at 'encryptionContext' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be null]",
        ),
    ],
)
def test_one_constraint(row, action, body, text):
    with pytest.raises(ValidationException) as caught:
        decode(action, body)
    assert caught.value.message == f"1 validation error detected: {text}"


def test_a_map_with_keys_and_count_out_of_bounds():
    body = {"DataType": "InsightsEvents", "Dimensions": {"X": "a", "Y": ""}, "InsightSource": "i"}
    action = "ListInsightsData"
    with pytest.raises(ValidationException) as caught:
        decode(action, body, CLOUDTRAIL)
    assert (
        "at 'dimensions' failed to satisfy constraint: Member must have length less than or equal to 1"
        in caught.value.message
    )
    assert (
        "Map keys must satisfy constraint: [Member must satisfy enum value set: ["
        in caught.value.message
    )
    assert "Map value must satisfy constraint: [Member must have length" in caught.value.message


def test_several_constraints_are_counted_and_joined():
    with pytest.raises(ValidationException) as caught:
        decode("Encrypt", {"Plaintext": ""})
    assert caught.value.message == (
        f"2 validation errors detected: Value null at 'keyId' {FAILED} not be null; "
        f"Value at 'plaintext' {FAILED} have length greater than or equal to 1"
    )


def test_the_answer_to_a_megabyte_is_short():
    for body in (
        {"KeyId": "k", "Tags": [{"TagKey": ""}] * 40_000},
        {"KeyId": "k", "Tags": [{"TagKey": "t" * 900_000, "TagValue": "v"}]},
    ):
        with pytest.raises(ValidationException) as caught:
            decode("TagResource", body)
        assert len(caught.value.message) < 20_000
    with pytest.raises(ValidationException, match=r"^100 validation errors detected: "):
        decode("TagResource", {"KeyId": "k", "Tags": [{}] * 51})


INTEGER = "can not be converted to an Integer"
NO_LIST = "Start of list found where not expected"
NO_MAP = "Start of structure or map found where not expected."


@pytest.mark.parametrize(
    ("row", "action", "body", "text"),
    [
        ("text for a number", "GenerateRandom", {"NumberOfBytes": "32"}, f"STRING_VALUE {INTEGER}"),
        ("true for a number", "GenerateRandom", {"NumberOfBytes": True}, f"TRUE_VALUE {INTEGER}"),
        (
            "fraction for a number",
            "GenerateRandom",
            {"NumberOfBytes": 1.5},
            f"NUMBER_VALUE {INTEGER}",
        ),
        ("beyond 32 bits", "GenerateRandom", {"NumberOfBytes": 2**31}, f"NUMBER_VALUE {INTEGER}"),
        ("list for text", "DescribeKey", {"KeyId": ["k"]}, NO_LIST),
        ("object for text", "DescribeKey", {"KeyId": {}}, NO_MAP),
        (
            "number for text",
            "DescribeKey",
            {"KeyId": 1},
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            "false for text",
            "DescribeKey",
            {"KeyId": False},
            "FALSE_VALUE can not be converted to a String",
        ),
        (
            "number for a flag",
            "Encrypt",
            {"KeyId": "k", "Plaintext": "QQ==", "DryRun": 1},
            "NUMBER_VALUE can not be converted to a Boolean",
        ),
        ("text for a list", "Decrypt", {"GrantTokens": "t"}, "Expected list or null"),
        ("object for a list", "Decrypt", {"GrantTokens": {}}, NO_MAP),
        ("list for a map", "Decrypt", {"EncryptionContext": []}, NO_LIST),
        ("text for a map", "Decrypt", {"EncryptionContext": "a"}, "Expected map or null"),
        (
            "number in a map",
            "Decrypt",
            {"EncryptionContext": {"a": 1}},
            "NUMBER_VALUE can not be converted to a String",
        ),
        ("text for a structure", "Decrypt", {"Recipient": "r"}, "Expected structure or null"),
        (
            "text for a time",
            "ImportKeyMaterial",
            {"ValidTo": "tomorrow"},
            "STRING_VALUE can not be converted to milliseconds since epoch",
        ),
        (
            "time past all calendars",
            "ImportKeyMaterial",
            {"ValidTo": 1e15},
            "NUMBER_VALUE can not be converted to milliseconds since epoch",
        ),
        (
            "number for a blob",
            "Encrypt",
            {"Plaintext": 1},
            "NUMBER_VALUE can not be converted to a Blob",
        ),
        (
            "base64 of a wrong length",
            "Encrypt",
            {"Plaintext": "string"},
            "STRING_VALUE can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 6",
        ),
        (
            "base64 of another alphabet",
            "Encrypt",
            {"Plaintext": "-_-_"},
            "STRING_VALUE can not be converted to a Blob: Invalid Base64",
        ),
        (
            "a wrong type beats a broken constraint",
            "Encrypt",
            {"KeyId": "", "Plaintext": []},
            NO_LIST,
        ),
        ("the body is a list", "DescribeKey", b"[]", NO_LIST),
        ("the body is null", "DescribeKey", b"null", "Expected structure or null"),
        ("the body is text", "DescribeKey", b'"KeyId"', "Expected structure or null"),
        ("cut off", "DescribeKey", b'{"KeyId": "k"', "malformed JSON"),
        ("something after", "DescribeKey", b'{"KeyId": "k"} x', "malformed JSON"),
        ("not UTF-8", "DescribeKey", b'{"KeyId": "\xff"}', "malformed JSON"),
        ("half a surrogate pair", "DescribeKey", b'{"KeyId": "\\ud800"}', "malformed JSON"),
        ("surrogate as UTF-8", "DescribeKey", b'{"KeyId": "\xed\xa0\x80"}', "malformed JSON"),
        ("NaN", "ImportKeyMaterial", b'{"ValidTo": NaN}', "malformed JSON"),
        ("infinity", "ImportKeyMaterial", b'{"ValidTo": 1e999}', "malformed JSON"),
        (
            "a number of a thousand digits",
            "GenerateRandom",
            b'{"NumberOfBytes": ' + b"9" * 1000 + b"}",
            f"NUMBER_VALUE {INTEGER}",
        ),
        (
            "a number of ten thousand digits",
            "GenerateRandom",
            b'{"NumberOfBytes": ' + b"9" * 10_000 + b"}",
            "malformed JSON",
        ),
        ("a byte order mark", "DescribeKey", b'\xef\xbb\xbf{"KeyId": "k"}', "malformed JSON"),
        ("nested absurdly", "DescribeKey", b'{"KeyId": ' + b"[" * 200_000, "nested too deeply"),
        (
            "nested absurdly where nobody looks",
            "DescribeKey",
            b'{"KeyId":"k","X": ' + b'{"a":' * 200_000,
            "nested too deeply",
        ),
    ],
)
def test_serialization(row, action, body, text):
    with pytest.raises(SerializationException) as caught:
        decode(action, body)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("row", "action", "body", "member", "value"),
    [
        ("no body", "CreateKey", b"", "KeySpec", None),
        ("null is absent", "CreateKey", b'{"KeySpec": null}', "KeySpec", None),
        ("unknown members", "DescribeKey", b'{"KeyId": "k", "Other": [1]}', "KeyId", "k"),
        ("the last of two", "DescribeKey", b'{"KeyId": "a", "KeyId": "b"}', "KeyId", "b"),
        (
            "the last of two, the first bad",
            "DescribeKey",
            b'{"KeyId": "", "KeyId": "b"}',
            "KeyId",
            "b",
        ),
        (
            "time as exponent",
            "ImportKeyMaterial",
            b'{"KeyId":"k","ImportToken":"QQ==","EncryptedKeyMaterial":"QQ==","ValidTo":1.499288695918E9}',
            "ValidTo",
            1499288695.918,
        ),
        (
            "time as integer",
            "ImportKeyMaterial",
            b'{"KeyId":"k","ImportToken":"QQ==","EncryptedKeyMaterial":"QQ==","ValidTo":1499288695}',
            "ValidTo",
            1499288695.0,
        ),
        ("blob", "Encrypt", b'{"KeyId": "k", "Plaintext": "QUI="}', "Plaintext", b"AB"),
        (
            "4096 bytes",
            "Encrypt",
            {"KeyId": "k", "Plaintext": blob(4096)},
            "Plaintext",
            b"x" * 4096,
        ),
    ],
)
def test_accepted(row, action, body, member, value):
    assert getattr(decode(action, body), member) == value


def test_a_secret_is_not_repeated():
    for body in ({"Plaintext": "c2VjcmV0!"}, {"Plaintext": blob(5000)}):
        with pytest.raises((SerializationException, ValidationException)) as caught:
            decode("Encrypt", body)
        assert "c2Vj" not in caught.value.message
        assert "xxxx" not in caught.value.message
        assert "eHh4" not in caught.value.message


@pytest.mark.parametrize(
    ("refusal", "body"),
    [
        (NotFoundException("no"), {"__type": "NotFoundException", "message": "no"}),
        (AccessDeniedException("no"), {"__type": "AccessDeniedException", "Message": "no"}),
        (InvalidCiphertextException(), {"__type": "InvalidCiphertextException"}),
    ],
)
def test_refusal(refusal, body):
    assert json.loads(json11.encode_refusal(refusal)) == body


@pytest.mark.parametrize(
    ("row", "answer", "body"),
    [
        ("nothing to say", None, b""),
        ("nothing", {}, b"{}"),
        ("blob", {"A": b"\xfb\xff"}, b'{"A":"+/8="}'),
        ("absent", {"A": None, "B": 1}, b'{"B":1}'),
        ("absent deep down", {"A": [{"B": None}], "C": {"D": None}}, b'{"A":[{}],"C":{}}'),
        ("time", {"A": 1571344800.123}, b'{"A":1571344800.123}'),
    ],
)
def test_encode(row, answer, body):
    assert json11.encode(answer) == body
