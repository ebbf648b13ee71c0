"""Identity providers (OpenID Connect): list, page, clients, thumbprints."""

from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.pages.access.asking import (
    AREA,
    Field,
    Question,
    answered,
    ask,
    confirmation,
    not_yet,
)
from kagimori_console.pages.access.lists import Cell, show_list
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_LIST: Final = "/access/providers"


def address_of(arn: str) -> str:
    """Return the address of the page of a provider."""
    return f"{_LIST}/{quote(arn, safe='')}"


async def show_all(page: Page) -> Response:
    """List the identity providers."""

    def row(provider: dict[str, Any]) -> list[Cell]:
        arn = provider["Arn"]
        return [Cell(arn.partition("/")[2], address_of(arn)), Cell("OpenID Connect"), Cell(arn)]

    return await show_list(
        page,
        title=page.text("Identity providers"),
        operation="ListOpenIDConnectProviders",
        member="OpenIDConnectProviderList",
        columns=(page.text("Provider"), page.text("Type"), "ARN"),
        row=row,
        new=(f"{_LIST}/new", page.text("Add provider")),
    )


def _new(page: Page) -> Question:
    return Question(
        title=page.text("Add provider"),
        button=page.text("Add provider"),
        back=_LIST,
        fields=(
            Field("url", page.text("Provider URL"), required=True, hint="https://"),
            Field("clients", page.text("Audiences (client IDs), one a line"), AREA),
            Field(
                "thumbprints",
                page.text("Thumbprints (SHA-1), one a line"),
                AREA,
                hint=page.text("Optional."),
            ),
        ),
    )


def _lines(page: Page, name: str) -> list[str] | None:
    return page.form.value(name).split() or None


async def ask_new(page: Page) -> Response:
    """Show the form of a new provider."""
    return ask(page, _new(page))


async def make(page: Page) -> Response:
    """Add a provider."""

    async def act() -> Response:
        found = await page.api.iam(
            "CreateOpenIDConnectProvider",
            Url=page.form.value("url"),
            ClientIDList=_lines(page, "clients"),
            ThumbprintList=_lines(page, "thumbprints"),
        )
        page.notify(page.text("The provider was added."))
        return page.redirect(address_of(found["OpenIDConnectProviderArn"]))

    return await answered(page, _new(page), act)


async def show(page: Page) -> Response:
    """Show a provider."""
    arn = page.path("arn")
    found = await page.api.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
    return page.render("access/provider.html", arn=arn, provider=found, base=address_of(arn))


async def change(page: Page) -> Response:
    """Add or remove a client id, or set the thumbprints."""
    arn, client = page.form.value("arn"), page.form.value("client")
    named = {"OpenIDConnectProviderArn": arn}
    what = page.form.value("what")
    if what == "add":
        await page.api.iam("AddClientIDToOpenIDConnectProvider", ClientID=client, **named)
    elif what == "remove":
        await page.api.iam("RemoveClientIDFromOpenIDConnectProvider", ClientID=client, **named)
    else:
        await page.api.iam(
            "UpdateOpenIDConnectProviderThumbprint",
            OpenIDConnectProviderArn=arn,
            ThumbprintList=_lines(page, "thumbprints") or [],
        )
    page.notify(page.text("The provider was saved."))
    return page.redirect(address_of(arn))


def _deletion(page: Page, arn: str) -> Question:
    return Question(
        title=page.text("Delete provider %(name)s", name=arn.partition("/")[2]),
        button=page.text("Delete"),
        back=address_of(arn),
        fields=(confirmation(page, arn.partition("/")[2]),),
        danger=True,
        note=page.text("Those who sign in through it can no longer take roles."),
    )


async def ask_delete(page: Page) -> Response:
    """Ask before a provider is deleted."""
    return ask(page, _deletion(page, page.path("arn")))


async def delete(page: Page) -> Response:
    """Delete a provider."""
    arn = page.path("arn")
    if page.form.value("confirm") != arn.partition("/")[2]:
        return not_yet(page, _deletion(page, arn), page.text("The name is another one."))

    async def act() -> Response:
        await page.api.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
        page.notify(page.text("The provider was deleted."))
        return page.redirect(_LIST)

    return await answered(page, _deletion(page, arn), act)


ROUTES: Final = (
    get(_LIST, show_all),
    get(f"{_LIST}/new", ask_new),
    post(f"{_LIST}/new", make),
    post("/access/provider-change", change),
    get("/access/provider-delete/{arn:path}", ask_delete),
    post("/access/provider-delete/{arn:path}", delete),
    get(f"{_LIST}/{{arn:path}}", show),
)
