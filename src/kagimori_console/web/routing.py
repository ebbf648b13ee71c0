"""The routes of pages, as the modules of the pages declare them."""

from dataclasses import dataclass
from typing import Final

from kagimori_console.web.page import Handler

GET: Final = "GET"
POST: Final = "POST"


@dataclass(frozen=True)
class PageRoute:
    """A path and the function that answers it; `open` pages need nobody to be signed in.

    What scripts ask for again and again is `background`: it does not keep an idle session alive,
    and changes no session, so that a late answer cannot bring back one that was signed out.
    """

    method: str
    path: str
    handler: Handler
    open: bool = False
    background: bool = False


def get(
    path: str,
    handler: Handler,
    *,
    open: bool = False,  # noqa: A002
    background: bool = False,
) -> PageRoute:
    """Return the route of a page that is shown."""
    return PageRoute(GET, path, handler, open, background)


def post(path: str, handler: Handler, *, open: bool = False) -> PageRoute:  # noqa: A002
    """Return the route of a form that is sent; its CSRF token is checked before."""
    return PageRoute(POST, path, handler, open)
