"""What an operation is: what it reads, what it asks of the HSM, and what it makes of the reply.

    look_up   every read; names what must be allowed
    ask       state and usage checks; the one command for the HSM, if any
    finish    the answer, and the changes that go with it

All three are pure. The path authorizes between `look_up` and `ask`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from kagimori.gate.asked import Asked, Need
from kagimori.operations.hsm_failures import refusal_for
from kagimori.ports import Write
from kagimori.rules.identity.caller import Caller
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Failure


class Facts(Struct, gc=False):
    """What `look_up` found. Operations that find more add their own fields.

    `identified` is whose request it turns out to be, where its content proves so and no signature.
    """

    needs: tuple[Need, ...] = ()
    kms_key: Any = None
    identified: Caller | None = None

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        """Account and ARN of each resource of the request, for the audit record."""
        keys = [need.kms_key for need in self.needs if need.kms_key is not None]
        return tuple((key.account_id, key.arn) for key in keys)


class Outcome(Struct, gc=False):
    """What a request comes to.

    `response_elements` and `additional` are what CloudTrail's records have beside the answer
    (reference, section 14.2). `afterwards` is for the HSM once the changes are committed: what it
    must forget.
    """

    answer: dict[str, Any] | None = None
    writes: Sequence[Write] = ()
    response_elements: dict[str, Any] | None = None
    additional: dict[str, Any] | None = None
    afterwards: Command | None = None


class Operation:
    """An API action. Subclasses bear AWS's name for it."""

    service: ClassVar[str] = "kms"
    read_only: ClassVar[bool] = False
    # Whether success counts as a use of the request's keys (GetKeyLastUsage).
    uses_keys: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return type(self).__name__

    def look_up(self, asked: Asked) -> Facts:
        """Return what the request is about, and what must be allowed.

        Raises:
            Refusal: something named does not exist, or cannot.
            Absent: not in memory yet; the path loads it and asks again.
        """
        raise NotImplementedError

    def ask(self, asked: Asked, facts: Any) -> Command | None:
        """Return the command for the HSM, if there is one.

        Raises:
            Refusal: the key's state, usage or the parameters do not allow it.
        """
        return None

    def refusal(self, asked: Asked, facts: Any, failure: Failure) -> Refusal:
        """Return what the caller is told of the HSM's failure."""
        return refusal_for(failure)

    def finish(self, asked: Asked, facts: Any, reply: Any) -> Outcome:
        """Return the outcome; `reply` is the HSM's, None if nothing was asked of it."""
        raise NotImplementedError
