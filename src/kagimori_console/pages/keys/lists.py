"""The lists: customer managed keys, AWS managed keys, and custom key stores."""

from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.keys.filters import ORIGINS, STATES, ListView, view_of
from kagimori_console.pages.keys.specs import KEY_SPECS, USAGES
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

PAGE_SIZE: Final = 50
SORTED_MAX: Final = 1000
_CALLS_MAX: Final = 12
_BAD_TOKEN: Final = "InvalidNextTokenException"  # noqa: S105 - an error code


async def first(page: Page) -> Response:
    """Go to the list of keys."""
    return page.redirect("/keys")


async def customer_keys(page: Page) -> Response:
    """List the customer managed keys of the region."""
    return await _list(page, "CUSTOMER")


async def aws_keys(page: Page) -> Response:
    """List the AWS managed keys of the region."""
    return await _list(page, "AWS")


async def key_stores(page: Page) -> Response:
    """List the custom key stores of the region."""
    found = await page.api.all("kms", "DescribeCustomKeyStores", "CustomKeyStores")
    found.sort(key=lambda one: str(one["CustomKeyStoreName"]).casefold())
    return page.render("keys/stores.html", stores=found)


async def _list(page: Page, manager: str) -> Response:
    view = view_of(page.query)
    try:
        found = await (_sorted if view.order else _by_id)(page, view, manager)
    except ApiRefused as refused:
        if refused.code != _BAD_TOKEN or not view.after:
            raise
        # A place in another list, or of long ago: begin anew.
        return page.redirect(page.request.url.path + view.going_on("").query)
    return page.render(
        "keys/list.html",
        manager=manager,
        view=view,
        specs=KEY_SPECS,
        usages=USAGES,
        states=STATES,
        origins=ORIGINS,
        **found,
    )


async def _found(
    page: Page, view: ListView, manager: str, *, most: int, token: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to `most` keys that fit, and where the search would go on."""
    keys: list[dict[str, Any]] = []
    for _ in range(_CALLS_MAX):
        answer = await page.api.admin(
            "SearchKeys",
            KeyManager=manager,
            MaxResults=most - len(keys),
            NextToken=token,
            **view.members,
        )
        keys += answer["Keys"]
        token = answer.get("NextToken")
        if token is None or len(keys) >= most:
            break
    return keys, token


async def _by_id(page: Page, view: ListView, manager: str) -> dict[str, Any]:
    """Return one page of keys as they come."""
    keys, token = await _found(page, view, manager, most=PAGE_SIZE, token=view.after or None)
    following = None if token is None else view.going_on(token)
    return {"keys": keys, "following": following, "count": None, "pages": 1, "is_cut": False}


async def _sorted(page: Page, view: ListView, manager: str) -> dict[str, Any]:
    """Return one page of all keys that fit, in an order; of very many only the first by id."""
    keys, token = await _found(page, view, manager, most=SORTED_MAX)
    pages = max(1, -(-len(keys) // PAGE_SIZE))
    number = min(view.number, pages)
    shown = view.in_order(keys)[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    following = view.at(number + 1) if number < pages else None
    return {
        "keys": shown,
        "following": following,
        "count": len(keys),
        "pages": pages,
        "is_cut": token is not None,
    }


ROUTES = (
    get("/", first),
    get("/keys", customer_keys),
    get("/keys/aws-managed", aws_keys),
    get("/key-stores", key_stores),
)
