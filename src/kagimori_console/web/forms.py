"""Forms that people send: read with bounds, and only from our own pages.

A form carries the session's CSRF token, and the browser says which page sent it. Source: OWASP
Cross-Site Request Forgery Prevention cheat sheet.
"""

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from kagimori_console.sessions.session import Session

CSRF_FIELD: Final = "csrf"
FORM_BYTES_MAX: Final = 512 * 1024
_FIELDS_MAX: Final = 500
_DIGITS_MAX: Final = 9
_FORBIDDEN: Final = 403
_TOO_LARGE: Final = 413
_UNSUPPORTED: Final = 415


class Form:
    """The fields of a form; white space around a value is not part of it (but see `exact`)."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def exact(self, name: str) -> str:
        """Return a field as it was sent: for passwords and plaintext."""
        return next((value for key, value in self._fields if key == name), "")

    def value(self, name: str) -> str:
        """Return a field, or "" if it is not there."""
        return self.exact(name).strip()

    def optional(self, name: str) -> str | None:
        """Return a field, or None if it is empty."""
        return self.value(name) or None

    def every(self, name: str) -> list[str]:
        """Return all values of a field that are not empty."""
        return [value.strip() for key, value in self._fields if key == name and value.strip()]

    def number(self, name: str) -> int | None:
        """Return a whole number, or None if the field holds none of at most nine digits."""
        value = self.value(name)
        fits = value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX
        return int(value) if fits else None

    def checked(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return bool(self.exact(name))

    @property
    def fields(self) -> list[tuple[str, str]]:
        """All fields in order, but the CSRF token."""
        return [(name, value) for name, value in self._fields if name != CSRF_FIELD]


async def read_form(request: Request, session: Session, origin: str | None) -> Form:
    """Return the form of a request.

    Args:
        request: The request.
        session: The session whose CSRF token it must carry.
        origin: The console's own origin, if it is not that of the Host header.

    Raises:
        HTTPException: it is too large, no form, or not from one of our pages.
    """
    if not _from_our_page(request, origin):
        raise HTTPException(_FORBIDDEN)
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        raise HTTPException(_UNSUPPORTED)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise HTTPException(_TOO_LARGE)
    request._body = bytes(body)  # noqa: SLF001 - Starlette's form() reads a body that was read
    async with request.form(max_fields=_FIELDS_MAX, max_files=0) as found:
        fields = [(name, value) for name, value in found.multi_items() if isinstance(value, str)]
    form = Form(fields)
    if not hmac.compare_digest(form.exact(CSRF_FIELD).encode(), session.csrf.encode()):
        raise HTTPException(_FORBIDDEN)
    return form


def _from_our_page(request: Request, origin: str | None) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    named = request.headers.get("origin")
    if named is None:
        return True  # an old browser; the token decides
    if origin is not None:
        return named == origin
    return urlsplit(named).netloc == request.headers.get("host")
