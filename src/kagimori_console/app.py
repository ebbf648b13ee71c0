"""The console as an ASGI application: its routes, its static files, and what stands before them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kagimori_console.options import Options
from kagimori_console.pages import (
    access,
    audit,
    costs,
    evidence,
    health,
    key,
    keys,
    preferences,
    sign_in,
    stories,
)
from kagimori_console.web.dispatch import Dispatcher
from kagimori_console.web.headers import SecurityHeaders
from kagimori_console.web.render import static_url
from kagimori_console.web.routing import PageRoute

PAGES: tuple[PageRoute, ...] = (
    *sign_in.ROUTES,
    *preferences.ROUTES,
    *keys.ROUTES,
    *key.ROUTES,
    *health.ROUTES,
    *costs.ROUTES,
    *evidence.ROUTES,
    *access.ROUTES,
    *audit.ROUTES,
    *stories.ROUTES,
)


class KeptFiles(StaticFiles):
    """Static files, which a browser may keep: their address changes with their content."""

    def file_response(self, *given: Any, **named: Any) -> Any:
        """Return a file's answer."""
        answer = super().file_response(*given, **named)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def make_app(options: Options) -> Starlette:
    """Return the application."""
    dispatcher = Dispatcher(options)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await dispatcher.endpoint.close()

    routes = [
        Route(route.path, dispatcher.endpoint_of(route), methods=[route.method]) for route in PAGES
    ]
    files = KeptFiles(packages=[("kagimori_console", "static")])
    return Starlette(
        routes=[*routes, Mount(static_url("").rstrip("/"), files)],
        middleware=[Middleware(SecurityHeaders, secure=options.secure)],
        exception_handlers=dict.fromkeys((403, 404, 405, 413, 415, 500), dispatcher.failed),
        lifespan=lifespan,
    )
