"""The calls of a key that the page tries, and the same call for the command line and programs."""

import base64
import binascii
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

INPUT_BYTES_MAX: Final = 6144
_PAIRS_MAX: Final = 20
# Of each call: the member of its input, that of what is verified, and the bytes it answers.
OPERATIONS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "Encrypt": ("Plaintext", "", ("CiphertextBlob",)),
    "Decrypt": ("CiphertextBlob", "", ("Plaintext",)),
    "GenerateDataKey": ("", "", ("Plaintext", "CiphertextBlob")),
    "Sign": ("Message", "", ("Signature",)),
    "Verify": ("Message", "Signature", ()),
    "GenerateMac": ("Message", "", ("Mac",)),
    "VerifyMac": ("Message", "Mac", ()),
}
_ALGORITHM: Final = {
    "Encrypt": ("EncryptionAlgorithm", "EncryptionAlgorithms"),
    "Decrypt": ("EncryptionAlgorithm", "EncryptionAlgorithms"),
    "Sign": ("SigningAlgorithm", "SigningAlgorithms"),
    "Verify": ("SigningAlgorithm", "SigningAlgorithms"),
    "GenerateMac": ("MacAlgorithm", "MacAlgorithms"),
    "VerifyMac": ("MacAlgorithm", "MacAlgorithms"),
}
_BY_USAGE: Final = {
    "ENCRYPT_DECRYPT": ("Encrypt", "Decrypt"),
    "SIGN_VERIFY": ("Sign", "Verify"),
    "GENERATE_VERIFY_MAC": ("GenerateMac", "VerifyMac"),
}
_PUT_IN: Final = "…"


class NotSent(ValueError):
    """A field has no value that could be sent; the text is the field's name."""


@dataclass(frozen=True)
class Call:
    """One call; blobs in `members` are bytes."""

    operation: str
    members: Mapping[str, Any]

    @property
    def as_json(self) -> str:
        """The members as the JSON protocol and the AWS CLI take them."""
        return json.dumps(
            {
                name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
                for name, value in self.members.items()
            }
        )


def operations_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the operations that a key of this kind can be tried with."""
    found: tuple[str, ...] = _BY_USAGE.get(metadata["KeyUsage"], ())
    if metadata["KeySpec"] == "SYMMETRIC_DEFAULT":
        found = (*found, "GenerateDataKey")
    return found


def algorithms_of(metadata: Mapping[str, Any], operation: str) -> list[str]:
    """Return the algorithms to choose from; none where the key leaves no choice."""
    _, member = _ALGORITHM.get(operation, ("", ""))
    found: list[str] = list(metadata.get(member, ()))
    return [] if metadata["KeySpec"] == "SYMMETRIC_DEFAULT" else found


def call_of(operation: str, metadata: Mapping[str, Any], given: Mapping[str, str]) -> Call:
    """Return the call that a form asks for.

    Raises:
        NotSent: a field is no base64, too long, or no context.
    """
    members: dict[str, Any] = {"KeyId": metadata["Arn"]}
    input_member, proof_member, _ = OPERATIONS[operation]
    if input_member:
        is_base64 = operation == "Decrypt" or given["form"] == "base64"
        members[input_member] = _bytes(given["input"], "input", is_base64=is_base64)
    if proof_member:
        members[proof_member] = _bytes(given["proof"], "proof", is_base64=True)
    if operation == "GenerateDataKey":
        members["KeySpec"] = "AES_256"
    algorithms = algorithms_of(metadata, operation)
    if algorithms:
        name = _ALGORITHM[operation][0]
        members[name] = given["algorithm"] if given["algorithm"] in algorithms else algorithms[0]
    context = _context(given["context"]) if takes_context(metadata) else {}
    if context:
        members["EncryptionContext"] = context
    return Call(operation, members)


def takes_context(metadata: Mapping[str, Any]) -> bool:
    """Return whether calls of this key take an encryption context."""
    return bool(metadata["KeySpec"] == "SYMMETRIC_DEFAULT")


def example_of(operation: str, metadata: Mapping[str, Any]) -> Call:
    """Return a call with a mark in each place where something is to be put in."""
    members: dict[str, Any] = {"KeyId": metadata["Arn"]}
    members |= dict.fromkeys(filter(None, OPERATIONS[operation][:2]), _PUT_IN)
    if operation == "GenerateDataKey":
        members["KeySpec"] = "AES_256"
    algorithms = algorithms_of(metadata, operation)
    if algorithms:
        members[_ALGORITHM[operation][0]] = algorithms[0]
    return Call(operation, members)


def as_commands(call: Call, *, endpoint: str, region: str) -> dict[str, str]:
    """Return the call for the AWS CLI, for boto3 and for curl; credentials come from elsewhere."""
    dashed = _dashed(call.operation)
    snake = dashed.replace("-", "_")
    options = "".join(f" \\\n  --{_dashed(n)} {_option(v)}" for n, v in call.members.items())
    cli = f"aws kms {dashed} --endpoint-url {shlex.quote(endpoint)} --region {region}{options}"
    arguments = "".join(f"    {name}={value!r},\n" for name, value in call.members.items())
    boto3 = (
        "import boto3\n\n"
        f"kms = boto3.client({'kms'!r}, endpoint_url={endpoint!r}, region_name={region!r})\n"
        f"answer = kms.{snake}(\n{arguments})\n"
    )
    curl = (
        f"curl {shlex.quote(endpoint + '/')} --aws-sigv4 aws:amz:{region}:kms \\\n"
        '  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\\n'
        "  -H 'Content-Type: application/x-amz-json-1.1' \\\n"
        f"  -H 'X-Amz-Target: TrentService.{call.operation}' \\\n"
        f"  --data-raw {shlex.quote(call.as_json)}\n"
        '# With temporary credentials also: -H "X-Amz-Security-Token: $AWS_SESSION_TOKEN"'
    )
    return {"AWS CLI": cli, "boto3": boto3, "curl": curl}


def _dashed(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def _option(value: Any) -> str:
    """Return a value for a shell; bytes as a file, which all versions of the AWS CLI read alike."""
    if isinstance(value, bytes):
        encoded = base64.b64encode(value).decode()
        return f"fileb://<(printf %s '{encoded}' | openssl base64 -d -A)"
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def results_of(call: Call, answer: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return the members of an answer, each with its bytes in text or base64 (False: base64)."""
    found = []
    for member in OPERATIONS[call.operation][2]:
        content = bytes(answer[member])
        text = _text(content) if call.operation == "Decrypt" else None
        encoded = base64.b64encode(content).decode()
        found.append((member, encoded if text is None else text, text is not None))
    return found


def _text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\n\t" for c in text) else None


def _bytes(text: str, name: str, *, is_base64: bool) -> bytes:
    try:
        found = base64.b64decode("".join(text.split()), validate=True) if is_base64 else None
    except (binascii.Error, ValueError):
        raise NotSent(name) from None
    content = text.replace("\r\n", "\n").encode() if found is None else found
    if len(content) > INPUT_BYTES_MAX:
        raise NotSent(name)
    return content


def _context(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if len(pairs) > _PAIRS_MAX or any(not equals or not name for name, equals, _ in pairs):
        raise NotSent("context")
    return {name.strip(): value.strip() for name, _, value in pairs}
