"""A request for a page: who asks, what was sent, and the ways to answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from kagimori_console.api.api import Api, Endpoint
from kagimori_console.api.failures import ApiFailure
from kagimori_console.language.texts import Texts
from kagimori_console.options import Options
from kagimori_console.sessions.session import Person, Session
from kagimori_console.web.forms import Form
from kagimori_console.web.render import Renderer

_SEE_OTHER: Final = 303
THEMES: Final = ("auto", "light", "dark")


@dataclass
class Page:
    """One request. `session` may be changed; the browser is given it with the answer."""

    request: Request
    session: Session
    options: Options
    endpoint: Endpoint
    renderer: Renderer
    texts: Texts
    theme: str
    now: float
    form: Form = field(default_factory=lambda: Form([]))

    @property
    def api(self) -> Api:
        """The services in the chosen region, called as who is signed in."""
        return self.api_in(self.session.region)

    def api_in(self, region: str) -> Api:
        """Return the services in a region, called as who is signed in."""
        acting = self.session.acting
        return Api(self.endpoint, None if acting is None else acting.credentials, region)

    @property
    def person(self) -> Person:
        """The person or role that acts on this page, which is for those who are signed in."""
        acting = self.session.acting
        if acting is None:
            raise LookupError("nobody is signed in")
        return acting

    @property
    def back(self) -> str:
        """The address of this page, to come back to it; a form's is that of the first page."""
        if self.request.method != "GET":
            return "/"
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def path(self, name: str) -> str:
        """Return a part of the path by its name in the route."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the query."""
        return self.request.query_params.get(name, default)

    def text(self, english: str, **values: object) -> str:
        """Return a text in the person's language."""
        return self.texts.text(english, **values)

    def notify(self, message: str) -> None:
        """Show a message (already in the person's language) on the next page."""
        self.session = replace(self.session, notice=message)

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page made of a template."""
        notice, self.session = self.session.notice, replace(self.session, notice="")
        content = self.renderer.render(
            self.texts.language, template, page=self, notice=notice, **values
        )
        return HTMLResponse(content, status)

    def render_refused(self, template: str, failure: ApiFailure, **values: Any) -> Response:
        """Return a page with a form again, and why the service refused it."""
        return self.render(template, status=400, failure=failure, **values)

    def json(self, value: Any, *, status: int = 200) -> Response:
        """Return JSON, for the page's own scripts."""
        return JSONResponse(value, status)

    def redirect(self, path: str) -> Response:
        """Have the browser get another page of ours, after a form was sent."""
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            path = "/"
        return RedirectResponse(quote(path, safe="/?&=%:#+,@~-._"), _SEE_OTHER)


Handler = Callable[[Page], Awaitable[Response]]
