"""Lists of IAM's things, a page at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from kagimori_console.web.page import Page

_PAGE: Final = 100


@dataclass(frozen=True)
class Cell:
    """A cell: a text, with an address if there is one, or a time."""

    text: str = ""
    address: str = ""
    at: Any = None


async def show_list(
    page: Page,
    *,
    title: str,
    operation: str,
    member: str,
    columns: Sequence[str],
    row: Callable[[dict[str, Any]], list[Cell]],
    new: tuple[str, str],
    tabs: Sequence[tuple[str, str, bool]] = (),
    **members: Any,
) -> Response:
    """Return the page of a list; `new` is where one is made, `tabs` are other views of it."""
    found = await page.api.iam(
        operation, MaxItems=_PAGE, Marker=page.query("marker") or None, **members
    )
    more = ""
    if found.get("Marker"):
        kept = dict(page.request.query_params.items())
        more = "?" + urlencode({**kept, "marker": found["Marker"]})
    return page.render(
        "access/list.html",
        title=title,
        columns=columns,
        rows=[row(one) for one in found.get(member) or ()],
        new=new,
        more=more,
        tabs=tabs,
    )
