"""Trying a key: one cryptographic call in the page, and the same call for other tools.

What goes in and comes out is in the form and in its answer, and nowhere else.
"""

from typing import Any

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages import crypto_calls as calls
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_FIELDS = ("input", "form", "proof", "algorithm", "context")
_INVALID = ("KMSInvalidSignatureException", "KMSInvalidMacException")


async def show(page: Page) -> Response:
    """Show the form of one operation."""
    metadata = await _metadata(page)
    offered = calls.operations_of(metadata)
    operation = page.query("do")
    operation = operation if operation in offered else next(iter(offered), "")
    return _render(page, metadata, operation, dict.fromkeys(_FIELDS, ""))


async def perform(page: Page) -> Response:
    """Make the call, and show its answer or the service's refusal."""
    metadata = await _metadata(page)
    operation = page.form.value("do")
    if operation not in calls.operations_of(metadata):
        return page.redirect(f"/keys/{metadata['KeyId']}/try")
    given = {name: page.form.exact(name) for name in _FIELDS}
    try:
        call = calls.call_of(operation, metadata, given)
    except calls.NotSent as problem:
        return _render(page, metadata, operation, given, problem=str(problem), status=400)
    try:
        answer = await page.api.kms(operation, **call.members)
    except ApiRefused as refused:
        verdict = False if refused.code in _INVALID else None
        return _render(
            page,
            metadata,
            operation,
            given,
            call=call,
            failure=refused,
            verdict=verdict,
            status=400,
        )
    return _render(
        page,
        metadata,
        operation,
        given,
        call=call,
        results=calls.results_of(call, answer),
        verdict=True if operation.startswith("Verify") else None,
    )


async def _metadata(page: Page) -> dict[str, Any]:
    found = await page.api.kms("DescribeKey", KeyId=page.path("key_id"))
    metadata: dict[str, Any] = found["KeyMetadata"]
    return metadata


def _render(
    page: Page,
    metadata: dict[str, Any],
    operation: str,
    given: dict[str, str],
    *,
    status: int = 200,
    call: calls.Call | None = None,
    **more: Any,
) -> Response:
    shown: dict[str, Any] = {"results": None, "failure": None, "verdict": None, "problem": ""}
    commands = {}
    if operation:
        commands = calls.as_commands(
            call or calls.example_of(operation, metadata),
            endpoint=page.options.endpoint_url,
            region=page.session.region,
        )
    return page.render(
        "keys/try.html",
        status=status,
        key=metadata,
        operation=operation,
        operations=calls.operations_of(metadata),
        members=calls.OPERATIONS.get(operation),
        algorithms=calls.algorithms_of(metadata, operation),
        takes_context=calls.takes_context(metadata),
        given=given,
        commands=commands,
        **(shown | more),
    )


ROUTES = (
    get("/keys/{key_id}/try", show),
    post("/keys/{key_id}/try", perform),
)
