"""Session cookies: sealed, and cut into pieces that a browser takes.

The seal is Fernet (AES-128-CBC and HMAC-SHA-256, from `cryptography`); its key is the console's
own. A browser keeps a cookie of 4,096 bytes (RFC 6265, section 6.1); a session with two session
tokens is longer.
"""

import zlib
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from starlette.responses import Response

from kagimori_console.sessions.session import Session

PIECE_BYTES: Final = 3800
PIECES_MAX: Final = 6
_UNPACKED_BYTES_MAX: Final = 64 * 1024


class SessionCookies:
    """Reads and writes the session of a browser; `secure` is whether it is reached by https."""

    def __init__(self, key: bytes, *, secure: bool) -> None:
        self._seal = Fernet(key)
        self._secure = secure
        # The prefix binds a cookie to this host, path / and https (RFC 6265bis, section 4.1.3.2).
        self._name = "__Host-kagimori" if secure else "kagimori"

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a request; None if it has none that this console sealed."""
        pieces = []
        for number in range(PIECES_MAX):
            piece = cookies.get(f"{self._name}-{number}")
            if piece is None:
                break
            pieces.append(piece)
        if not pieces:
            return None
        try:
            packed = self._seal.decrypt("".join(pieces).encode())
            unpacked = zlib.decompressobj().decompress(packed, _UNPACKED_BYTES_MAX)
            return msgspec.json.decode(unpacked, type=Session)
        except (InvalidToken, UnicodeError, zlib.error, msgspec.MsgspecError):
            return None

    def write(self, response: Response, session: Session, cookies: Mapping[str, str]) -> None:
        """Have the browser keep a session in place of what it sent."""
        sealed = self._seal.encrypt(zlib.compress(msgspec.json.encode(session))).decode()
        pieces = [sealed[at : at + PIECE_BYTES] for at in range(0, len(sealed), PIECE_BYTES)]
        if len(pieces) > PIECES_MAX:
            raise ValueError("the session is too long for cookies")
        for number in range(PIECES_MAX):
            name = f"{self._name}-{number}"
            if number < len(pieces):
                response.set_cookie(
                    name,
                    pieces[number],
                    secure=self._secure,
                    httponly=True,
                    samesite="strict",
                )
            elif name in cookies:
                response.delete_cookie(name, secure=self._secure, httponly=True, samesite="strict")


def new_key() -> bytes:
    """Return a new key that seals sessions."""
    return Fernet.generate_key()
