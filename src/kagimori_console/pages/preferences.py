"""Language, theme and region, as people choose them; and whether the service answers."""

from typing import Final

from msgspec.structs import replace
from starlette.responses import Response

from kagimori_console.language.texts import LANGUAGES
from kagimori_console.web.page import THEMES, Page
from kagimori_console.web.routing import get, post

_YEAR_SECONDS: Final = 365 * 86_400
_NO_CONTENT: Final = 204
_UNAVAILABLE: Final = 503


async def choose(page: Page) -> Response:
    """Keep the language, the theme or the region that was chosen, and show the page again."""
    region = page.form.value("region")
    if region in page.options.regions:
        page.session = replace(page.session, region=region)
    answer = page.redirect(page.form.value("back") or "/")
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        chosen = page.form.value(name)
        if chosen in allowed:
            answer.set_cookie(
                name,
                chosen,
                max_age=_YEAR_SECONDS,
                secure=page.options.secure,
                httponly=True,
                samesite="strict",
            )
    return answer


async def is_there(page: Page) -> Response:
    """Answer 204 if the service answers: asked by the page that says it does not."""
    found = await page.endpoint.is_there()
    return Response(status_code=_NO_CONTENT if found else _UNAVAILABLE)


ROUTES = (
    post("/preferences", choose, open=True),
    get("/is-there", is_there, open=True),
)
