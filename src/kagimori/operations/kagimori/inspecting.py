"""Operations that ask slow questions about the trail or the server: all of them only read."""

from kagimori.gate.asked import Request
from kagimori.operations.operation import F, Operation
from kagimori.ports import Asker, Inspector
from kagimori.rules.refusal import ServiceUnavailableException


class Inspecting(Operation[F, None]):
    """An operation with the inspector that answers it; without one it is only described."""

    service = "kagimori"
    read_only = True

    def __init__(self, inspector: Inspector | None = None) -> None:
        self._inspector = inspector

    @property
    def inspector(self) -> Inspector:
        """The inspector.

        Raises:
            ServiceUnavailableException: there is none.
        """
        if self._inspector is None:
            raise ServiceUnavailableException("There is no audit trail here.")
        return self._inspector


def asker(asked: Request) -> Asker:
    """Return who asks the inspector."""
    return Asker(asked.raw.request_id, asked.caller.account_id)
