"""The grants of a KMS key: a tree of who delegated to whom; create, retire and revoke."""

from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key import tally
from kagimori_console.pages.key.grant_tree import issuers_of, tree_of
from kagimori_console.pages.key.subject import load, show, split
from kagimori_console.pages.key.trail import events_of
from kagimori_console.pages.key_actions import CRYPTOGRAPHIC
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

OPERATIONS: Final = (*CRYPTOGRAPHIC, "DescribeKey", "CreateGrant", "RetireGrant")
_PAGE: Final = 100
_PAGES_MAX: Final = 10
_TRAIL_DAYS: Final = 3650
_EVENTS_MAX: Final = 2_000


async def grants(page: Page) -> Response:
    """Show the grants."""
    return await _shown(page)


async def create(page: Page) -> Response:
    """Create a grant; its token is shown once."""
    given = page.form
    pairs = pairs_of(given.value("pairs"))
    if pairs is None:
        problem = page.text("Write each pair of the encryption context as name=value on a line.")
        return await _shown(page, problem=problem)
    constraints: dict[str, Any] = {}
    if pairs:
        subset = given.value("kind") == "subset"
        name = "EncryptionContextSubset" if subset else "EncryptionContextEquals"
        constraints[name] = pairs
    if given.value("source"):
        constraints["SourceArn"] = given.value("source")
    try:
        made = await page.api.kms(
            "CreateGrant",
            KeyId=page.path("key_id"),
            **_principal("Grantee", given.value("grantee")),
            **_principal("Retiring", given.value("retiring")),
            Operations=given.every("operation"),
            Name=given.optional("name"),
            Constraints=constraints or None,
        )
    except ApiRefused as refused:
        return await _shown(page, failure=refused)
    return await _shown(page, made=made)


async def end(page: Page) -> Response:
    """Revoke or retire a grant."""
    retires = page.form.value("do") == "retire"
    try:
        subject = await load(page)
        await page.api.kms(
            "RetireGrant" if retires else "RevokeGrant",
            KeyId=(subject.key or {}).get("Arn", subject.reference),
            GrantId=page.form.value("grant"),
        )
    except ApiRefused as refused:
        return await _shown(page, failure=refused)
    if retires:
        page.notify(page.text("The grant is retired."))
    else:
        page.notify(page.text("The grant is revoked."))
    return page.redirect(subject.path("grants"))


def pairs_of(text: str) -> dict[str, str] | None:
    """Return the pairs of lines `name=value`, or None if a line is none or stands twice."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if not equals or not name.strip() or name.strip() in found:
            return None
        found[name.strip()] = value.strip()
    return found


async def grants_of(page: Page) -> tuple[list[dict[str, Any]], bool] | ApiFailure:
    """Return the first grants of the key and whether there are more, or the failure."""
    found: list[dict[str, Any]] = []
    number = 0
    try:
        async for answer in page.api.pages(
            "kms", "ListGrants", KeyId=page.path("key_id"), Limit=_PAGE
        ):
            found += answer.get("Grants", [])
            number += 1
            if number == _PAGES_MAX:
                return found, bool(answer.get("Truncated"))
    except ApiFailure as failure:
        return failure
    return found, False


def _principal(role: str, name: str) -> dict[str, str | None]:
    """Return the member for a principal: an ARN, or a service such as `logs.amazonaws.com`."""
    plain = "." not in name or ":" in name
    return {f"{role}Principal" if plain else f"{role}ServicePrincipal": name or None}


async def _shown(
    page: Page,
    *,
    failure: ApiFailure | None = None,
    problem: str = "",
    made: dict[str, Any] | None = None,
) -> Response:
    subject = await load(page)
    listed, list_failure = split(await grants_of(page))
    found, more = listed or ([], False)
    events, trail_failure = None, None
    if found:
        events, trail_failure = split(
            await events_of(
                page,
                subject.reference,
                _TRAIL_DAYS,
                events_max=_EVENTS_MAX,
                operation="CreateGrant",
            )
        )
    issuers = issuers_of(tally.event_of(one) for one in (events.found if events else ()))
    return show(
        page,
        subject,
        "grants",
        failure=failure,
        problem=problem,
        made=made,
        roots=tree_of(found, issuers),
        number=len(found),
        more=more,
        list_failure=list_failure,
        trail_failure=trail_failure,
        operations=OPERATIONS,
        chosen=page.form.every("operation"),
    )


ROUTES = (
    get("/keys/{key_id:key}/grants", grants),
    post("/keys/{key_id:key}/grants", create),
    post("/keys/{key_id:key}/grants/end", end),
)
