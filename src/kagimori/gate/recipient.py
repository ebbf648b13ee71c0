"""Answers for attested recipients: encrypted so that only the attested code can read them."""

from datetime import UTC, datetime
from typing import Any

from kagimori.gate.asked import Request
from kagimori.rules.attestation import Attested, verify
from kagimori.rules.refusal import ValidationException


def recipient_key(asked: Request, recipient: Any) -> bytes:
    """Return the public key (SPKI DER) of an attested recipient; empty if none was named.

    Raises:
        ValidationException: the document proves nothing, names no key, or no root is configured.
    """
    attested = attested_recipient(asked, recipient)
    if attested is None:
        return b""
    if attested.public_key_der is None:
        raise ValidationException("The attestation document has no public key.")
    return attested.public_key_der


def attested_recipient(asked: Request, recipient: Any) -> Attested | None:
    """Return the facts that the recipient's document proves; None if no recipient was named.

    Raises:
        ValidationException: it proves nothing, or no root is configured.
    """
    if recipient is None:
        return None
    if recipient.KeyEncryptionAlgorithm is None or recipient.AttestationDocument is None:
        raise ValidationException(
            "KeyEncryptionAlgorithm and AttestationDocument are required for Recipient."
        )
    now = datetime.fromtimestamp(asked.now, UTC)
    return verify(recipient.AttestationDocument, asked.trust_roots, now)
