"""The calls that the page tries, and their commands."""

import base64

import pytest

from kagimori_console.pages import crypto_calls as calls

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SYMMETRIC = {
    "Arn": ARN,
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
    "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
}
RSA = {
    "Arn": ARN,
    "KeySpec": "RSA_2048",
    "KeyUsage": "SIGN_VERIFY",
    "SigningAlgorithms": ["RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256"],
}


def call(operation, metadata=SYMMETRIC, **given):
    fields = dict.fromkeys(("input", "form", "proof", "algorithm", "context"), "")
    return calls.call_of(operation, metadata, fields | given)


def test_a_kind_of_key_has_its_operations():
    assert calls.operations_of(SYMMETRIC) == ("Encrypt", "Decrypt", "GenerateDataKey")
    assert calls.operations_of(RSA) == ("Sign", "Verify")
    assert calls.operations_of({**RSA, "KeyUsage": "KEY_AGREEMENT"}) == ()


def test_a_form_is_a_call():
    assert call("Encrypt", input=" é\r\n", form="text", context="a=b=c\n\n d = e").members == {
        "KeyId": ARN,
        "Plaintext": " é\n".encode(),
        "EncryptionContext": {"a": "b=c", "d": "e"},
    }
    assert call("Encrypt", input="aGk=", form="base64").members["Plaintext"] == b"hi"
    found = call("Verify", RSA, input="m", form="text", proof="AA ==\n", algorithm="other")
    assert found.members == {
        "KeyId": ARN,
        "Message": b"m",
        "Signature": b"\0",
        "SigningAlgorithm": "RSASSA_PSS_SHA_256",
    }


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("input", {"input": "é", "form": "base64"}),
        ("input", {"input": "a", "form": "base64"}),
        ("input", {"input": "x" * 6145, "form": "text"}),
        ("context", {"context": "no pair"}),
        ("context", {"context": "=v"}),
        ("context", {"context": "\n".join(f"k{n}=v" for n in range(21))}),
    ],
)
def test_what_cannot_be_sent_names_its_field(field, given):
    with pytest.raises(calls.NotSent, match=field):
        call("Encrypt", **given)


def test_commands_quote_what_was_typed():
    made = call("Encrypt", input="'; rm -rf / #", form="text", context="it's=$(id)")
    commands = calls.as_commands(made, endpoint="http://127.0.0.1:1", region="eu-central-1")
    encoded = base64.b64encode(b"'; rm -rf / #").decode()
    assert "rm -rf" not in commands["AWS CLI"]
    assert encoded in commands["AWS CLI"]
    assert '\'{"it\'"\'"\'s": "$(id)"}\'' in commands["AWS CLI"]
    assert "--aws-sigv4 aws:amz:eu-central-1:kms" in commands["curl"]
    assert compile(commands["boto3"], "boto3", "exec")


@pytest.mark.parametrize("content", [b"\xff", b"a\0b", b"\x1b[2J"])
def test_a_plaintext_that_is_no_text_is_shown_in_base64(content):
    found = calls.results_of(call("Decrypt", input="aGk="), {"Plaintext": content})
    assert found == [("Plaintext", base64.b64encode(content).decode(), False)]


def test_a_plaintext_that_is_text_is_shown_as_it_is():
    found = calls.results_of(call("Decrypt", input="aGk="), {"Plaintext": "日本\n".encode()})
    assert found == [("Plaintext", "日本\n", True)]
