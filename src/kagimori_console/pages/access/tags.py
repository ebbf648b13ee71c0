"""Tags of users, roles and managed policies."""

from typing import Final

from starlette.responses import Response

from kagimori_console.pages.access.kinds import ROLES, USERS, Kind, of
from kagimori_console.pages.access.policies import address_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import post


async def _changed(page: Page, noun: str, named: dict[str, str], back: str) -> Response:
    key = page.form.exact("key")
    if page.form.value("what") == "remove":
        await page.api.iam(f"Untag{noun}", TagKeys=[key], **named)
        page.notify(page.text("The tag was removed."))
    else:
        tag = {"Key": key, "Value": page.form.exact("value")}
        await page.api.iam(f"Tag{noun}", Tags=[tag], **named)
        page.notify(page.text("The tag was set."))
    return page.redirect(back)


async def change(kind: Kind, page: Page) -> Response:
    """Set or remove a tag of a user or role."""
    name = page.path("name")
    return await _changed(page, kind.noun, kind.named(name), kind.address(name))


async def change_of_policy(page: Page) -> Response:
    """Set or remove a tag of a managed policy."""
    arn = page.path("arn")
    return await _changed(page, "Policy", {"PolicyArn": arn}, address_of(arn))


ROUTES: Final = (
    post("/access/users/{name}/tags", of(USERS, change)),
    post("/access/roles/{name}/tags", of(ROLES, change)),
    post("/access/policy-tags/{arn:path}", change_of_policy),
)
