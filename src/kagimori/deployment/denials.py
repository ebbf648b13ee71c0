"""Reads stored denials, and seals them for the account that owns the resource."""

from pathlib import Path

from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import opened, with_hsm
from kagimori.entities.tables import DENIALS
from kagimori.rules.authorization.authorization_message import (
    CHARACTERS_MAX,
    PURPOSE,
    message_claims,
    message_text,
)
from kagimori.rules.authorization.denial import Denial
from kagimori.rules.authorization.denial_view import in_texts
from kagimori_boundary.commands import SealClaims
from kagimori_boundary.replies import Bytes


def find_denial(data: Path, request_id: str) -> Denial | None:
    """Return why a request was denied; None if that is not (or no longer) known.

    Raises:
        Unusable: no deployment, or a store that cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        found = deployment.store.page(DENIALS, (request_id,), None, 1, "by_request")
    return in_texts(found[0]) if found else None


def encoded_message(data: Path, denial: Denial) -> str:
    """Return a denial as sts:DecodeAuthorizationMessage takes it.

    Raises:
        Unusable: no HSM can open this deployment, or the decision is too long for a message.
    """
    command = SealClaims(PURPOSE, message_claims(denial))
    with opened(data) as deployment:
        reply = with_hsm(deployment, lambda ask: ask(command))
    if not isinstance(reply, Bytes):
        raise Unusable(f"cannot seal a message in {data}: the HSM answered something else")
    text = message_text(reply.value)
    if len(text) > CHARACTERS_MAX:
        raise Unusable("this decision is too long for a message; see `kagimori why` without it")
    return text
