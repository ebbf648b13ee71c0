"""STS: DecodeAuthorizationMessage.

DIFFERS(aws): no error answer carries such a message; `kagimori why --encoded` prints it.

Source: STS API Reference, DecodeAuthorizationMessage.
"""

from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.authorization.authorization_message import (
    PURPOSE,
    message_bytes,
    opened_message,
)
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity.refusals import InvalidAuthorizationMessageException
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command, OpenClaims
from kagimori_boundary.replies import Bytes, Failure

INVALID = "Message is not valid: it was not made here, or not for this account."


class DecodeAuthorizationMessage(Operation[Facts, Bytes]):
    """Explains a denial to the account that owns the resource."""

    service = "sts"
    read_only = True

    def look_up(self, asked: Asked) -> Facts:
        return Facts((Need("sts:DecodeAuthorizationMessage"),))

    def ask(self, asked: Request, allowed: Allowed, facts: Facts) -> Command | None:
        sealed = message_bytes(asked.call.input.EncodedMessage)
        if not sealed:
            raise InvalidAuthorizationMessageException(INVALID)
        return OpenClaims(PURPOSE, sealed)

    def refusal(self, asked: Request, facts: Facts, failure: Failure) -> Refusal:
        return InvalidAuthorizationMessageException(INVALID)

    def finish(self, asked: Request, facts: Facts, reply: Bytes) -> Outcome:
        message = opened_message(reply.value)
        if message.account_id != asked.caller.account_id:
            raise InvalidAuthorizationMessageException(INVALID)
        return Outcome({"DecodedMessage": message.text})
