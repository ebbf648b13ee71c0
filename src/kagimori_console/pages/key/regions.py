"""The Regions of a multi-Region key: its primary and replica keys, and how they change."""

from typing import Any

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key.subject import Subject, load, show
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


async def regions(page: Page) -> Response:
    """Show the primary key and its replicas."""
    return _shown(page, await load(page))


async def replicate(page: Page) -> Response:
    """Make a replica in another Region; it may take the key policy of this key along."""
    subject = await load(page)
    try:
        policy = None
        if page.form.checked("same-policy"):
            found = await page.api.kms(
                "GetKeyPolicy", KeyId=subject.reference, PolicyName="default"
            )
            policy = found["Policy"]
        await page.api.kms(
            "ReplicateKey",
            KeyId=subject.reference,
            ReplicaRegion=page.form.value("region"),
            Policy=policy,
            Description=page.form.optional("description"),
        )
    except ApiRefused as refused:
        return _shown(page, subject, refused)
    page.notify(page.text("The replica is being made."))
    return page.redirect(subject.path("regions"))


async def update_primary(page: Page) -> Response:
    """Make a replica the primary key."""
    subject = await load(page)
    try:
        await page.api.kms(
            "UpdatePrimaryRegion",
            KeyId=subject.reference,
            PrimaryRegion=page.form.value("region"),
        )
    except ApiRefused as refused:
        return _shown(page, subject, refused)
    page.notify(page.text("The primary Region is being changed."))
    return page.redirect(subject.path("regions"))


def _shown(page: Page, subject: Subject, failure: ApiFailure | None = None) -> Response:
    made: dict[str, Any] = (subject.key or {}).get("MultiRegionConfiguration") or {}
    primary = made.get("PrimaryKey")
    replicas = made.get("ReplicaKeys") or []
    taken = {one["Region"] for one in [*replicas, *([primary] if primary else [])]}
    return show(
        page,
        subject,
        "regions",
        failure=failure,
        primary=primary,
        replicas=replicas,
        is_primary=made.get("MultiRegionKeyType") == "PRIMARY",
        free_choices=[(one, one) for one in page.options.regions if one not in taken],
    )


ROUTES = (
    get("/keys/{key_id:key}/regions", regions),
    post("/keys/{key_id:key}/regions", replicate),
    post("/keys/{key_id:key}/regions/primary", update_primary),
)
