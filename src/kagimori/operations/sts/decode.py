"""STS: DecodeAuthorizationMessage.

DIFFERS(aws): no error answer carries such a message; `kagimori why --encoded` prints it.

Source: STS API Reference, DecodeAuthorizationMessage.
"""

from typing import Any

from kagimori.gate.asked import Asked, Need
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.authorization.authorization_message import (
    PURPOSE,
    message_bytes,
    opened_message,
)
from kagimori.rules.identity.refusals import InvalidAuthorizationMessageException
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command, OpenClaims
from kagimori_boundary.replies import Failure

INVALID = "Message is not valid: it was not made here, or not for this account."


class DecodeAuthorizationMessage(Operation):
    """Tells the account that owns a resource why somebody was denied."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Facts:
        return Facts((Need("sts:DecodeAuthorizationMessage"),))

    def ask(self, asked: Asked, facts: Facts) -> Command | None:
        sealed = message_bytes(asked.call.input.EncodedMessage)
        if not sealed:
            raise InvalidAuthorizationMessageException(INVALID)
        return OpenClaims(PURPOSE, sealed)

    def refusal(self, asked: Asked, facts: Facts, failure: Failure) -> Refusal:
        if failure is Failure.INVALID_TOKEN:
            return InvalidAuthorizationMessageException(INVALID)
        return super().refusal(asked, facts, failure)

    def finish(self, asked: Asked, facts: Facts, reply: Any) -> Outcome:
        message = opened_message(reply.value)
        if message.account_id != asked.caller.account_id:
            raise InvalidAuthorizationMessageException(INVALID)
        return Outcome({"DecodedMessage": message.text})
