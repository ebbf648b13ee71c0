"""The server at a glance: its state, workers, HSM, nodes, and how far the trail is signed."""

from starlette.responses import Response

from kagimori_console.pages.health.asking import failure_in, found_in, tried
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get


async def show(page: Page) -> Response:
    """Show each part, or why it cannot be seen."""
    server = await tried(page.api, "GetStatus")
    module = await tried(page.api, "GetHsmStatus")
    nodes = await tried(page.api, "ListNodes")
    trail = await tried(page.api, "GetAuditStatus")
    return page.render(
        "health/overview.html",
        server=found_in(server),
        module=found_in(module),
        nodes=found_in(nodes),
        trail=found_in(trail),
        failures={
            "server": failure_in(server),
            "module": failure_in(module),
            "nodes": failure_in(nodes),
            "trail": failure_in(trail),
        },
    )


ROUTES = (get("/health", show),)
