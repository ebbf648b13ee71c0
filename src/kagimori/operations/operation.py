"""The protocol of an operation: the five steps of a request, of which it implements four.

    look_up     reads the store: what the request is about, and what must be allowed for it
    (authorize  the path's own step, between: it makes the `Allowed` that the next ones need)
    read        reads what only the allowed may cause to be read
    ask         checks state, usage and parameters; names the one command for the HSM, if any
    finish      the answer, and the changes that go with it

All are functions of what they are given. From `look_up` to `ask` nothing is waited for, so they see
one state of the store. `ask` and `finish` are given a `Request`, which has nothing to read with.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.hsm_failures import refusal_for
from kagimori.ports import Outside, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity.caller import Caller
from kagimori.rules.key_stores.asks import StoreAsk
from kagimori.rules.key_stores.causes import Cause, refusal_of_use
from kagimori.rules.records.claimed import Claimed
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Failure


class Facts(Struct, gc=False):
    """The entities that `look_up` found. Operations that find more add their own fields.

    `identified` is whose request it turns out to be, where its content proves so and no signature;
    `claimed` is who signs in, of whom nothing is proved.
    `outside` is where custom key stores hold keys of the command.
    """

    needs: tuple[Need, ...] = ()
    identified: Caller | None = None
    claimed: Claimed | None = None
    outside: Outside | None = None

    @property
    def resources(self) -> tuple[tuple[str, str], ...]:
        """Account and ARN of each resource of the request, for the audit record."""
        found: tuple[tuple[str, str], ...] = ()
        for need in self.needs:
            if need.kms_key is not None:
                found += ((need.kms_key.account_id, need.kms_key.arn),)
        return found


class Withheld(Facts, kw_only=True):
    """A refusal that only the allowed see, such as one of a name that does not exist."""

    refusal: Refusal


class Outcome(Struct, gc=False):
    """The outcome of a request: answer, writes and additions to the record.

    `response_elements` and `additional` are what CloudTrail's records have beside the answer, and
    `made` are resources (account and ARN) that came to be with it. `afterwards` is for the HSM once
    the changes are committed: what it must forget.
    """

    answer: Mapping[str, Any] | None = None
    writes: Sequence[Write] = ()
    response_elements: Mapping[str, Any] | None = None
    additional: dict[str, Any] | None = None
    afterwards: Command | None = None
    made: tuple[tuple[str, str], ...] = ()


F = TypeVar("F", bound=Facts)
R = TypeVar("R")


class Operation(ABC, Generic[F, R]):
    """An API action. Subclasses bear AWS's name for it.

    `F` are its facts, `R` is the HSM's reply: None where nothing is asked of it.
    """

    name: ClassVar[str] = ""
    service: ClassVar[str] = "kms"
    read_only: ClassVar[bool] = False
    # Whether success counts as a use of the request's keys (GetKeyLastUsage).
    uses_keys: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__

    @abstractmethod
    def look_up(self, asked: Asked) -> F | Withheld:
        """Return the facts of the request, and the needs that must be allowed.

        Raises:
            Refusal: something named does not exist, or cannot; everybody sees it.
            Absent: not in memory yet; the path loads it and looks again.
        """

    def read(self, asked: Asked, facts: F) -> F:
        """Return the facts with those that only the allowed may cause to be read, or may see.

        Raises:
            Refusal: something else that is named does not exist.
            Absent: not in memory yet; the path loads it, looks up and decides again.
        """
        return facts

    def ask(self, asked: Request, allowed: Allowed, facts: F) -> Command | StoreAsk | None:
        """Return the command for the HSM, or for a custom key store, if there is one.

        Raises:
            Refusal: the key's state, usage or the parameters do not allow it.
        """
        return None

    def refusal(self, asked: Request, facts: F, failure: Failure) -> Refusal:
        """Return the refusal for a failure of the HSM."""
        return refusal_for(failure, asked.call.service)

    def refusal_outside(self, asked: Request, facts: F, cause: Cause) -> Refusal:
        """Return the refusal for a command that a custom key store did not perform."""
        return refusal_of_use(cause)

    @abstractmethod
    def finish(self, asked: Request, facts: F, reply: R) -> Outcome:
        """Return the outcome; `reply` is the HSM's."""


# One of many operations, of which nobody knows which: the path's and the registry's.
AnyOperation = Operation[Any, Any]
