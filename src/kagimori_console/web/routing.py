"""The routes of pages, as the modules of the pages declare them."""

from dataclasses import dataclass
from typing import Final

from kagimori_console.web.page import Handler

GET: Final = "GET"
POST: Final = "POST"


@dataclass(frozen=True)
class PageRoute:
    """A path and the function that answers it; `open` pages need nobody to be signed in."""

    method: str
    path: str
    handler: Handler
    open: bool = False


def get(path: str, handler: Handler, *, open: bool = False) -> PageRoute:  # noqa: A002
    """Return the route of a page that is shown."""
    return PageRoute(GET, path, handler, open)


def post(path: str, handler: Handler, *, open: bool = False) -> PageRoute:  # noqa: A002
    """Return the route of a form that is sent; its CSRF token is checked before."""
    return PageRoute(POST, path, handler, open)
