"""GetDenial: why a request was denied."""

from typing import Any

from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import denial_of_request, reach_of
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.authorization.authorization_message import (
    CHARACTERS_MAX,
    PURPOSE,
    message_claims,
    message_text,
)
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.authorization.denial import Denial
from kagimori.rules.authorization.denial_view import denial_members
from kagimori_boundary.commands import Command, SealClaims
from kagimori_boundary.replies import Bytes

_ACTION = "kagimori:GetDenial"


class FoundDenial(Facts):
    denial: Denial | None = None


class GetDenial(Operation[FoundDenial, Bytes | None]):
    """The whole decision behind an AccessDenied, as far as it is the caller's account's."""

    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundDenial:
        reach_of(asked, _ACTION)
        return FoundDenial((Need(_ACTION),))

    def read(self, asked: Asked, facts: FoundDenial) -> FoundDenial:
        request_id = asked.call.input.RequestId
        denial = denial_of_request(asked, request_id, _ACTION)
        if denial is None:  # the same whether there is none, or it is another account's
            raise ResourceNotFoundException(
                f"No denial of request {request_id} is known; the last 10,000 are kept."
            )
        return FoundDenial(facts.needs, denial=denial)

    def ask(self, asked: Request, allowed: Allowed, facts: FoundDenial) -> Command | None:
        if facts.denial is None or not asked.call.input.IncludeEncodedMessage:
            return None
        return SealClaims(PURPOSE, message_claims(facts.denial))

    def finish(self, asked: Request, facts: FoundDenial, reply: Bytes | None) -> Outcome:
        if facts.denial is None:
            raise ResourceNotFoundException
        answer: dict[str, Any] = {"Denial": denial_members(facts.denial)}
        text = None if reply is None else message_text(reply.value)
        if text is not None and len(text) <= CHARACTERS_MAX:
            answer["EncodedMessage"] = text
        return Outcome(answer)
