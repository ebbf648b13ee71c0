"""Sends notices to receivers: over signed HTTP requests, or to a command's standard input.

Once, and with a bound on its time; when to try again is for the caller to say.
"""

import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final

from kagimori.rules.records.receiver import (
    EVENT_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    BadReceiver,
    Receiver,
    read_secret,
    signature_of,
)

SECONDS_MAX: Final = 15.0
ANSWER_BYTES_MAX: Final = 4096
_OK: Final = range(200, 300)


class NotTaken(Exception):
    """The receiver was not reached, or did not take it."""


class Webhook:
    """Posts to one receiver, signed."""

    def __init__(
        self, receiver: Receiver, secret: bytes, now: Callable[[], float] = time.time
    ) -> None:
        self._receiver, self._secret, self._now = receiver, secret, now

    def post(self, body: bytes, name: str) -> None:
        """Send a body once, under the name (an event's id, a file's name) it is known by.

        Raises:
            NotTaken: not reached in time, or not answered with a status of success.
        """
        timestamp = int(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "kagimori",
            EVENT_HEADER: name,
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: signature_of(self._secret, timestamp, body),
        }
        exchange(self._receiver, "POST", self._receiver.target, body, headers)


class ReceivingCommand:
    """Runs a command for each event, without a shell; exit code 0 means that it was taken."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)

    def post(self, body: bytes, name: str) -> None:
        """Give a body to the command's standard input.

        Raises:
            NotTaken: it could not be run, did not end in time, or not with 0.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own words
                self._words,
                input=body + b"\n",
                stdout=subprocess.DEVNULL,
                timeout=SECONDS_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise NotTaken(f"{self._words[0]}: {problem}") from None
        if done.returncode != 0:
            raise NotTaken(f"{self._words[0]} ended with {done.returncode}")


def connection_to(receiver: Receiver, seconds: float = SECONDS_MAX) -> HTTPConnection:
    """Return a connection; over TLS to whom the system's roots, or SSL_CERT_FILE's, vouch for."""
    if not receiver.secure:
        return HTTPConnection(receiver.host, receiver.port, timeout=seconds)
    context = ssl.create_default_context()
    return HTTPSConnection(receiver.host, receiver.port, timeout=seconds, context=context)


def exchange(
    receiver: Receiver, method: str, target: str, body: bytes, headers: dict[str, str]
) -> None:
    """Send one request; redirects are not followed: they would lead elsewhere.

    Raises:
        NotTaken: not reached in time, or not answered with a status of success.
    """
    connection = connection_to(receiver)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES_MAX)
    except (OSError, HTTPException) as problem:
        raise NotTaken(f"{receiver.host}: {problem}") from None
    finally:
        connection.close()
    if answer.status not in _OK:
        raise NotTaken(f"{receiver.host} answered {answer.status}")


def secret_in(file: Path) -> bytes:
    """Return the secret that a file holds.

    Raises:
        BadReceiver: it cannot be read, or is too short.
    """
    try:
        return read_secret(file.read_bytes())
    except OSError as problem:
        raise BadReceiver(f"{file} cannot be read: {problem.strerror}") from None
