"""A denial as sts:DecodeAuthorizationMessage shows it, and the form in which it is sealed.

It belongs to the account that owns the resource. Of a caller of another account it shows neither
the policies nor the values that those ask about.

Source: STS API Reference, DecodeAuthorizationMessage.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.rules.authorization.denial import Denial

PURPOSE: Final = "authorization message"
CHARACTERS_MAX: Final = 10_240
_OF_RESOURCE: Final = ("key policy", "role trust policy")


class Message(Struct, frozen=True):
    """A sealed message: the account that it belongs to, and its text (JSON)."""

    account_id: str
    text: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


def message_claims(denial: Denial) -> bytes:
    """Return the content of the message that is sealed for a denial."""
    text = json.dumps(_shown(denial), separators=(",", ":"))
    return zlib.compress(_encode(Message(denial.owner or denial.account_id, text)))


def opened_message(claims: bytes) -> Message:
    """Return the message in bytes that `message_claims` made and the HSM has unsealed."""
    return _decode(zlib.decompress(claims))


def message_text(sealed: bytes) -> str:
    """Return a sealed message as text."""
    return base64.urlsafe_b64encode(sealed).decode()


def message_bytes(text: str) -> bytes | None:
    """Return the sealed bytes in a text that `message_text` made; None for any other text."""
    try:
        return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None


def _shown(denial: Denial) -> dict[str, Any]:
    is_own = denial.owner in ("", denial.account_id)
    matched = [one for one in denial.matched if is_own or one["policy"] in _OF_RESOURCE]
    name = denial.caller.rpartition("/")[2] if "/" in denial.caller else denial.account_id
    return {
        "allowed": False,
        "explicitDeny": denial.explicit,
        "matchedStatements": {"items": [_statement(one) for one in matched]},
        "failures": {"items": []},
        "context": {
            "principal": {"id": denial.caller_id, "name": name, "arn": denial.caller},
            "action": denial.action,
            "resource": denial.resource,
            "conditions": _conditions(denial.conditions if is_own else {}),
        },
    }


def _statement(matched: dict[str, Any]) -> dict[str, Any]:
    return {
        "statementId": matched["statement"],
        "effect": "DENY",
        "principals": _values(matched["principals"]),
        "principalGroups": {"items": []},
        "actions": _values(matched["actions"]),
        "resources": _values(matched["resources"]),
        "conditions": _conditions(matched["conditions"]),
    }


def _conditions(conditions: dict[str, list[str]]) -> dict[str, Any]:
    return {"items": [{"key": key, "values": _values(v)} for key, v in conditions.items()]}


def _values(values: Iterable[str]) -> dict[str, Any]:
    return {"items": [{"value": value} for value in values]}
