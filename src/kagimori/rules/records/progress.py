"""The state of a request so far, from which its record is made if it ends here."""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from kagimori.rules.identity.caller import Caller
from kagimori.rules.records.claimed import Claimed
from kagimori.rules.refusal import Refusal
from kagimori.rules.request import Call, RawRequest
from kagimori_boundary.replies import NewSecret, NewSession, SignedIn

# Account and ARN of each resource of a request.
Resources = tuple[tuple[str, str], ...]


class Progress(Struct, gc=False):
    """One request on its way; `access_key_id` is claimed until there is a caller.

    `claimed` is who signs in, of whom nothing is proved.
    `counted` are the key specs with which it was counted against a quota; None: not yet.
    `done` is what the HSM has done for it: the command and the reply.
    """

    raw: RawRequest
    headers: Mapping[bytes, bytes]
    service: str
    name: str
    region: str
    access_key_id: str
    read_only: bool = False
    caller: Caller | None = None
    call: Call | None = None
    resources: Resources = ()
    counted: str | None = None
    claimed: Claimed | None = None
    done: tuple[object, object] = (None, None)

    @property
    def withheld(self) -> str:
        """The access key of credentials that the HSM made, of a request that is refused."""
        command, reply = self.done
        made = isinstance(reply, NewSecret | NewSession | SignedIn)
        return getattr(command, "access_key_id", "") if made else ""


class Success(Protocol):
    """The parts of a record that describe a success."""

    @property
    def response_elements(self) -> Mapping[str, Any] | None:
        """Return the part of the answer that is shown."""

    @property
    def additional(self) -> Mapping[str, Any] | None:
        """Return CloudTrail's additional event data."""

    @property
    def made(self) -> Resources:
        """Return the resources that came to be with it."""


Ending = Success | Refusal
