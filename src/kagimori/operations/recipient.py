"""Answers for attested recipients. No trust root can be configured yet, so none can be trusted."""

from typing import Any

from kagimori.rules.refusal import ValidationException


def refuse_recipient(recipient: Any) -> None:
    """Return if the answer goes to the caller as it is.

    Raises:
        ValidationException: it was to be encrypted for an attested recipient.
    """
    if recipient is not None:
        raise ValidationException("The attestation document could not be verified.")
