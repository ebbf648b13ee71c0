"""Answers the HSM's questions, one after another, for as long as the process lives."""

import socket
import sys
from collections.abc import Mapping

from kagimori_boundary.opener import (
    MESSAGE_BYTES_MAX,
    Answer,
    Done,
    NotDone,
    Question,
    Trouble,
    Wrap,
    decode_question,
    encode,
)
from kagimori_opener.root import NotReached, Root


def serve(connection: socket.socket, roots: Mapping[str, Root]) -> None:
    """Answer until the process is ended."""
    while True:
        message = connection.recv(MESSAGE_BYTES_MAX)
        try:
            question: Question = decode_question(message)
        except (ValueError, RecursionError):
            continue  # an empty datagram, or not a question of ours
        connection.send(encode(answer_to(question, roots)))


def answer_to(question: Question, roots: Mapping[str, Root]) -> Answer:
    """Return the answer to one question; a failure is logged without any of its secrets."""
    try:
        value = _value(question, roots)
    except NotReached as reason:
        _log(reason.why)
        return NotDone(question.number, reason.trouble, reason.why[:500])
    except Exception as problem:  # noqa: BLE001 - the next question must be answered
        _log(type(problem).__name__)
        return NotDone(question.number, Trouble.UNREACHABLE, type(problem).__name__)
    return Done(question.number, value)


def _value(question: Question, roots: Mapping[str, Root]) -> bytes:
    root = roots.get(question.kind)
    if root is None:
        raise NotReached(Trouble.UNKNOWN, f"there is no root of kind {question.kind!r}")
    if isinstance(question, Wrap):
        return root.wrap(question.parameters, question.secret)
    return root.unwrap(question.parameters, question.wrapped)


def _log(why: str) -> None:
    print(f"opener: {why}", file=sys.stderr, flush=True)  # noqa: T201
