"""The way of every request: rate, session, form, page, and the session back to the browser."""

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kagimori_console.api.api import Endpoint
from kagimori_console.api.failures import ApiAway, ApiRefused
from kagimori_console.language.texts import language_wanted, texts_of
from kagimori_console.options import Options
from kagimori_console.sessions.cookies import SessionCookies
from kagimori_console.sessions.session import (
    Session,
    new_session,
    still_valid,
    without_ended_role,
)
from kagimori_console.web.forms import read_form
from kagimori_console.web.page import THEMES, Page
from kagimori_console.web.rates import Rate
from kagimori_console.web.render import Renderer
from kagimori_console.web.routing import POST, PageRoute

SIGN_IN: Final = "/sign-in"
BURST_SECONDS: Final = 4
_SEE_OTHER: Final = 303
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_ERRORS_FROM: Final = 400


class Dispatcher:
    """Answers the routes of pages."""

    def __init__(self, options: Options, *, now: Callable[[], float] = time.time) -> None:
        self.options, self._now = options, now
        self.endpoint = Endpoint(options.endpoint_url, options.ca_bundle)
        self._renderer = Renderer()
        self._cookies = SessionCookies(options.session_key, secure=options.secure)
        per_second, sign_ins = options.requests_per_second, options.sign_ins_per_minute
        self._rate = Rate(burst=per_second * BURST_SECONDS, per_second=per_second)
        self._sign_ins = Rate(burst=sign_ins, per_second=sign_ins / 60)
        self._origin = None if options.public_url is None else _origin(options.public_url)

    def endpoint_of(self, route: PageRoute) -> Callable[[Request], Awaitable[Response]]:
        """Return the function that Starlette calls for a route."""

        async def answer(request: Request) -> Response:
            return await self._answer(route, request)

        return answer

    async def failed(self, request: Request, problem: Exception) -> Response:
        """Answer for a path that there is not, or a form that is refused."""
        status = problem.status_code if isinstance(problem, HTTPException) else 500
        page = self._page(request, self._session(request))
        return page.render("failed.html", status=status, code=status)

    async def _answer(self, route: PageRoute, request: Request) -> Response:
        session = self._session(request)
        if not route.background:
            session = session.seen(self._now())
        page = self._page(request, session)
        address = request.client.host if request.client else ""
        wait = self._rate.take(address, page.now)
        if route.method == POST and route.path.startswith(SIGN_IN):
            wait = max(wait, self._sign_ins.take(address, page.now))
        if wait:
            answer = page.render("failed.html", status=_TOO_MANY, code=_TOO_MANY)
            answer.headers["retry-after"] = str(max(1, round(wait)))
            return answer
        if session.person is None and not route.open:
            return self._to_sign_in(page)
        if route.method == POST:
            page.form = await read_form(request, session, self._origin)
        try:
            answer = await route.handler(page)
        except ApiAway:
            answer = page.render("away.html", status=_UNAVAILABLE)
            answer.headers["retry-after"] = "5"
        except ApiRefused as refused:
            if refused.signed_out and session.person is not None:
                return self._to_sign_in(page)
            answer = page.render("refused.html", status=_status(refused), failure=refused)
        if not route.background:
            self._cookies.write(answer, page.session, request.cookies)
        return answer

    def _to_sign_in(self, page: Page) -> Response:
        """Have somebody sign in, and come back to a page that was only looked at."""
        target = SIGN_IN
        if page.request.method != POST and page.request.url.path != "/":
            asked = page.request.url.path
            query = page.request.url.query
            target += "?next=" + quote(f"{asked}?{query}" if query else asked, safe="/")
        answer = RedirectResponse(target, _SEE_OTHER)
        self._cookies.write(answer, self._new_session(page.session.region), page.request.cookies)
        return answer

    def _session(self, request: Request) -> Session:
        """Return a browser's session, or a new one in which nobody is signed in."""
        now = self._now()
        found = self._cookies.read(request.cookies)
        if found is None:
            return self._new_session(self.options.regions[0])
        if not still_valid(found, now, idle_seconds=self.options.idle_minutes * 60.0):
            return self._new_session(found.region)
        return without_ended_role(found, now)

    def _new_session(self, region: str) -> Session:
        region = region if region in self.options.regions else self.options.regions[0]
        return new_session(region, self._now())

    def _page(self, request: Request, session: Session) -> Page:
        cookies = request.cookies
        language = language_wanted(
            cookies.get("language"), request.headers.get("accept-language", "")
        )
        theme = cookies.get("theme", "")
        return Page(
            request=request,
            session=session,
            options=self.options,
            endpoint=self.endpoint,
            renderer=self._renderer,
            texts=texts_of(language),
            theme=theme if theme in THEMES else THEMES[0],
            now=self._now(),
        )


def _status(refused: ApiRefused) -> int:
    if refused.denied:
        return _FORBIDDEN
    if "NotFound" in refused.code or refused.code == "NoSuchEntity":
        return _NOT_FOUND
    return refused.status if refused.status >= _ERRORS_FROM else _UNAVAILABLE


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
