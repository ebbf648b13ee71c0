"""The proof that a key was not used in a time, as a page to print."""

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.audit.searching import seconds_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

# The service verifies the whole trail before it answers.
_SECONDS_MAX: Final = 900.0


async def show(page: Page) -> Response:
    """Show the form, or the proof that it asks for."""
    fields = {name: page.query(name).strip() for name in ("key", "since", "until")}
    shown: dict[str, Any] = {"fields": fields, "failure": None, "problem": "", "proof": None}
    if not (fields["key"] and fields["since"]):
        return page.render("audit/proof.html", **shown)
    try:
        since = seconds_of(fields["since"])
        until = seconds_of(fields["until"]) if fields["until"] else None
        api = replace(page.api, seconds=_SECONDS_MAX)
        shown["proof"] = await api.admin(
            "ProveKeyUnused", KeyId=fields["key"], Since=since, Until=until
        )
    except ValueError:
        shown["problem"] = page.text("A time must look like 2026-11-28T09:30.")
        return page.render("audit/proof.html", status=400, **shown)
    except ApiRefused as refused:
        if refused.signed_out:
            raise
        return page.render("audit/proof.html", status=400, **{**shown, "failure": refused})
    status = await page.api.tried("kagimori", "GetAuditStatus")
    fingerprint = status.get("KeyFingerprint", "") if isinstance(status, dict) else ""
    return page.render("audit/proof.html", fingerprint=fingerprint, made_at=page.now, **shown)


ROUTES = (get("/audit/proof", show),)
