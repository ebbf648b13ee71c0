"""The holder of keys in a PKCS#11 token, as a worker has it: a client of its token process.

It always answers: a token that cannot be used is a failure like others, and one that is slow has
a bounded queue here, too.
"""

from functools import partial
from typing import Final

from kagimori.hsm.client import HsmClient, HsmGone
from kagimori.pending import Pending
from kagimori.settings.hsm import Hsm
from kagimori_boundary.commands import HsmCommand
from kagimori_boundary.replies import Failed, Failure, Reply

IN_FLIGHT_MAX: Final = 512
# Beside the time for the operation itself: its wait in the queue of the process.
QUEUE_SECONDS: Final = 25.0


class TokenHolder:
    """The keys in one token. Made on the loop; `run` keeps it connected to the process."""

    def __init__(self, socket_path: str, operation_seconds: float) -> None:
        seconds = operation_seconds + QUEUE_SECONDS
        settings = Hsm(answer_seconds=seconds, slow_answer_seconds=seconds)
        self._client = HsmClient(socket_path, settings)

    @property
    def in_flight(self) -> int:
        return self._client.in_flight

    def perform(self, command: HsmCommand) -> Pending[Reply]:
        """Settle with the reply; TOKEN_AWAY if nobody is there, BUSY if too much is asked."""
        pending: Pending[Reply] = Pending()
        if self._client.in_flight >= IN_FLIGHT_MAX:
            pending.settle(Failed(Failure.BUSY))
            return pending
        answer = self._client.perform(command)
        answer.then(partial(_hand_on, answer, pending))
        return pending

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._client.run()

    def close(self) -> None:
        self._client.close()


def _hand_on(answer: Pending[Reply], pending: Pending[Reply]) -> None:
    try:
        reply = answer.result()
    except HsmGone:
        reply = Failed(Failure.TOKEN_AWAY)
    pending.settle(reply)
