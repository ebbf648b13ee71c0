"""The connection to a PKCS#11 token: the library, the login, its loss and its return.

One thread alone may use it: python-pkcs11 initializes a library without locking, so that the
library may expect no other. A token that was lost is connected to again at its next use, after a
pause that grows; a PIN that was refused is not tried again until it is another one.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pkcs11
from pkcs11 import GCMParams, KeyType, Mechanism, Session, Token
from pkcs11.exceptions import PinInvalid, PKCS11Error

from kagimori_boundary.token_options import TokenOptions
from kagimori_hsm.engines.token_errors import (
    INTERNAL_ERROR,
    NOT_TRIED_AGAIN,
    connection_error,
)
from kagimori_hsm.refused import Reason, Refused

PAUSE_SECONDS_MIN: Final = 0.25
PAUSE_SECONDS_MAX: Final = 10.0
# A key that is not found may be a token that is gone, which some libraries do not say.
DOUBT_SECONDS: Final = 5.0
PIN_BYTES_MAX: Final = 1024
TAG_BITS: Final = 128
AES_BITS: Final = 256

Load = Callable[[str], Any]


class TokenConnection:
    """The token, connected to or not. `error` is empty while it is."""

    def __init__(
        self,
        options: TokenOptions,
        *,
        load: Load = pkcs11.lib,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._load = load
        self._monotonic = monotonic
        self._library: Any = None
        self._token: Token | None = None
        self._session: Session | None = None
        self._refused_pin = b""  # a digest
        self._pause = 0.0
        self._next_try = 0.0
        self._doubted = -DOUBT_SECONDS
        self.error = INTERNAL_ERROR
        self.generation = 0  # counts connections: handles of objects are of one of them
        self.label = self.serial = ""

    def session(self) -> Session:
        """Return the session; connects if that may be tried now.

        Raises:
            Refused: TOKEN_AWAY.
        """
        if self._session is None:
            if self._monotonic() < self._next_try or not self._may_log_in():
                raise Refused(Reason.TOKEN_AWAY)
            self._connect()
        if self._session is None:
            raise Refused(Reason.TOKEN_AWAY)
        return self._session

    def connect(self) -> None:
        """Connect now, unless that is done, whatever was tried before."""
        if self._session is None:
            self._connect()

    def lose(self, problem: PKCS11Error) -> None:
        """Give up the session, in which the library raised this; the next use connects again."""
        self._session = None
        self.error = connection_error(problem)

    def doubt(self, *, is_certain: bool) -> bool:
        """Give up the session because a key was not found; return whether to look once more.

        That is not done for every request: `is_certain` if it must be.
        """
        now = self._monotonic()
        if now - self._doubted < DOUBT_SECONDS and not is_certain:
            return False
        self._doubted = now
        self._session = None
        return True

    def is_pin(self, password: str) -> bool:
        """Return whether this is the PIN that is used."""
        return hmac.compare_digest(self._pin().encode(), password.encode())

    def check(self) -> None:
        """Notice a token that went away while nobody used it; try one that is away."""
        if self._session is None or self._token is None:
            try:
                self.session()
            except Refused:
                return
        else:
            try:
                self._token.slot.get_token()
            except PKCS11Error as problem:
                self.lose(problem)

    def _connect(self) -> None:
        try:
            self._log_in()
        except PKCS11Error as problem:
            self.error = connection_error(problem)
            if self.error in NOT_TRIED_AGAIN:
                self._refused_pin = _digest(self._pin())
            self._session = None
            self._pause = min(PAUSE_SECONDS_MAX, max(PAUSE_SECONDS_MIN, self._pause * 2))
            self._next_try = self._monotonic() + self._pause
        else:
            self.error, self._refused_pin = "", b""
            self._pause = self._next_try = 0.0

    def _log_in(self) -> None:
        options = self._options
        if self._library is None:
            self._library = self._load(options.module)
        else:  # what it remembers of tokens and sessions is from before
            self._library.reinitialize()
        self.generation += 1
        serial = None if options.serial is None else options.serial.encode()
        token = self._library.get_token(token_label=options.label, token_serial=serial)
        pin = self._pin()
        if not pin:  # to try it would count as a wrong one
            raise PinInvalid
        session = token.open(rw=True, user_pin=pin)
        _check_gcm(session)
        self._token, self._session = token, session
        self.label, self.serial = token.label, token.serial.decode("ascii", "replace")

    def _may_log_in(self) -> bool:
        """Return whether the PIN is another one than was refused."""
        return self.error not in NOT_TRIED_AGAIN or _digest(self._pin()) != self._refused_pin

    def _pin(self) -> str:
        """Return the PIN as it stands in its file; an empty text if it cannot be read."""
        try:
            with Path(self._options.pin_file).open("rb") as file:
                return file.read(PIN_BYTES_MAX).decode().rstrip("\r\n")
        except (OSError, ValueError):
            return ""


class _Unfit(PKCS11Error):
    """The token does not do AES-GCM as keys need it."""


def _check_gcm(session: Session) -> None:
    """Check that the token encrypts under the IV it is given, and authenticates what it shall.

    Some tokens draw an IV of their own, and what they encrypt could not be opened.

    Raises:
        PKCS11Error: it does not.
    """
    key: Any = session.generate_key(KeyType.AES, AES_BITS, store=False)
    iv, probe = os.urandom(12), b"a probe"

    def gcm(aad: bytes) -> dict[str, Any]:
        return {
            "mechanism": Mechanism.AES_GCM,
            "mechanism_param": GCMParams(iv, aad, TAG_BITS),
        }

    sealed = key.encrypt(probe, **gcm(b"one"))
    opened = key.decrypt(sealed, **gcm(b"one"))
    if opened != probe or len(sealed) != len(probe) + TAG_BITS // 8:
        raise _Unfit
    try:
        key.decrypt(sealed, **gcm(b"another"))
    except PKCS11Error:
        key.destroy()
        return
    raise _Unfit


def _digest(pin: str) -> bytes:
    return hashlib.sha256(pin.encode()).digest()
