"""The HSM's side of the opener: asks the process that reaches tokens and other KMSs."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from kagimori_boundary.opener import (
    ANSWER_SECONDS_MAX,
    MESSAGE_BYTES_MAX,
    Answer,
    Done,
    Parameters,
    Question,
    Trouble,
    Unwrap,
    Wrap,
    decode_answer,
    encode,
)
from kagimori_boundary.seal_replies import SealProblem
from kagimori_hsm.roots.secrets import SecretRefused

_PROBLEMS: Final = {
    Trouble.UNKNOWN: SealProblem.UNREACHABLE,
    Trouble.UNREACHABLE: SealProblem.UNREACHABLE,
    Trouble.REFUSED: SealProblem.WRONG,
    Trouble.WRONG: SealProblem.WRONG,
}


class Opener:
    """Asks one question at a time; blocks. Without a socket, nothing can be reached."""

    def __init__(
        self,
        connection: socket.socket | None = None,
        *,
        seconds: float = ANSWER_SECONDS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._seconds, self._monotonic = connection, seconds, monotonic
        self._asking = threading.Lock()
        self._asked = 0

    def wrap(self, kind: str, parameters: Parameters, secret: bytes) -> bytes:
        """Return bytes encrypted under a root.

        Raises:
            SecretRefused: UNREACHABLE, or WRONG: it does not let us.
        """
        return self._ask(lambda number: Wrap(number, kind, parameters, secret))

    def unwrap(self, kind: str, parameters: Parameters, wrapped: bytes) -> bytes:
        """Return the bytes that a root encrypted.

        Raises:
            SecretRefused: as `wrap`.
        """
        return self._ask(lambda number: Unwrap(number, kind, parameters, wrapped))

    def _ask(self, question: Callable[[int], Question]) -> bytes:
        if self._connection is None:
            raise SecretRefused(SealProblem.UNREACHABLE)
        with self._asking:
            self._asked += 1
            try:
                answer = self._answer(self._connection, question(self._asked))
            except (OSError, ValueError):  # too late, or not a message
                raise SecretRefused(SealProblem.UNREACHABLE) from None
        if isinstance(answer, Done):
            return answer.value
        raise SecretRefused(_PROBLEMS[answer.trouble])

    def _answer(self, connection: socket.socket, question: Question) -> Answer:
        """Return the answer to a question, past the late ones to those that were given up."""
        deadline = self._monotonic() + self._seconds
        connection.settimeout(self._seconds)
        connection.send(encode(question))
        while True:
            connection.settimeout(max(0.01, deadline - self._monotonic()))
            answer: Answer = decode_answer(connection.recv(MESSAGE_BYTES_MAX))
            if answer.number == question.number:
                return answer
