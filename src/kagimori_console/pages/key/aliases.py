"""The aliases of a KMS key: create one, or move one here from another key."""

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.key.subject import load, show
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

PREFIX = "alias/"


async def aliases(page: Page) -> Response:
    """List the aliases."""
    return show(page, await load(page), "aliases", typed="")


async def create(page: Page) -> Response:
    """Give the key a new alias, or move one of another key here."""
    name = page.form.value("alias")
    name = name if name.startswith(PREFIX) else PREFIX + name
    moves = page.form.value("do") == "move"
    operation = "UpdateAlias" if moves else "CreateAlias"
    try:
        await page.api.kms(operation, AliasName=name, TargetKeyId=page.path("key_id"))
    except ApiRefused as refused:
        return show(page, await load(page), "aliases", failure=refused, typed=name)
    if moves:
        page.notify(page.text("The alias %(name)s belongs to this key now.", name=name))
    else:
        page.notify(page.text("The alias %(name)s is made.", name=name))
    return page.redirect((await load(page)).path("aliases"))


ROUTES = (
    get("/keys/{key_id:key}/aliases", aliases),
    post("/keys/{key_id:key}/aliases", create),
)
