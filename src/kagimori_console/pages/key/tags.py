"""The tags of a KMS key, edited as one table."""

from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key.subject import listed, load, show, split
from kagimori_console.web.forms import Form
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

ROWS_MAX: Final = 60
_EMPTY_ROWS: Final = 3

Row = tuple[str, str]


async def tags(page: Page) -> Response:
    """Show the tags, with some rows for more."""
    found = await _tags(page)
    rows = [] if isinstance(found, ApiFailure) else [*found.items()]
    return await _shown(page, rows, found)


async def save(page: Page) -> Response:
    """Make the tags those of the table."""
    found = await _tags(page)
    rows = rows_of(page.form)
    if isinstance(found, ApiFailure):
        return await _shown(page, rows, found, found)
    set_, removed = changes(found, rows)
    try:
        if set_:
            members = [{"TagKey": key, "TagValue": value} for key, value in set_]
            await page.api.kms("TagResource", KeyId=page.path("key_id"), Tags=members)
        if removed:
            await page.api.kms("UntagResource", KeyId=page.path("key_id"), TagKeys=removed)
    except ApiRefused as refused:
        return await _shown(page, rows, found, refused)
    page.notify(page.text("The tags are saved."))
    return page.redirect((await load(page)).path("tags"))


def rows_of(form: Form) -> list[Row]:
    """Return the rows of the table that have a key or a value."""
    rows = [(form.value(f"key-{n}"), form.value(f"value-{n}")) for n in range(ROWS_MAX)]
    return [(key, value) for key, value in rows if key or value]


def changes(present: dict[str, str], rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Return the tags to set and the keys to remove, so that the tags become `rows`.

    A key that stands twice is left to the service to refuse.
    """
    wanted = {key for key, _ in rows}
    doubled = len(wanted) != len(rows)
    set_ = [(key, value) for key, value in rows if doubled or present.get(key) != value]
    return set_, [key for key in present if key not in wanted]


async def _tags(page: Page) -> dict[str, str] | ApiFailure:
    found = await listed(page, "ListResourceTags", "Tags", KeyId=page.path("key_id"))
    if isinstance(found, ApiFailure):
        return found
    return {tag["TagKey"]: tag["TagValue"] for tag in found}


async def _shown(
    page: Page, rows: list[Row], found: Any, failure: ApiFailure | None = None
) -> Response:
    _, read_failure = split(found)
    shown = [*rows, *[("", "")] * _EMPTY_ROWS][:ROWS_MAX]
    return show(
        page, await load(page), "tags", failure=failure, rows=shown, read_failure=read_failure
    )


ROUTES = (
    get("/keys/{key_id:key}/tags", tags),
    post("/keys/{key_id:key}/tags", save),
)
