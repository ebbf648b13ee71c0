"""Import of key material: the commands for one's own machine, or an upload that the browser wraps.

The material itself never comes here: a form has it wrapped already.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.keys.import_commands import RSA, import_commands, wrapping_algorithm
from kagimori_console.pages.keys.specs import EXTERNAL
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_TEMPLATE: Final = "keys/import.html"
_TYPES: Final = ("EXISTING_KEY_MATERIAL", "NEW_KEY_MATERIAL")


async def show(page: Page) -> Response:
    """Show the ways to import."""
    return page.render(_TEMPLATE, failure=None, is_wrong=False, **await _values(page))


async def parameters(page: Page) -> Response:
    """Answer a wrapping key and its token in JSON, for the script that wraps."""
    metadata = await _metadata(page)
    try:
        found = await page.api.kms(
            "GetParametersForImport",
            KeyId=metadata["Arn"],
            WrappingAlgorithm=wrapping_algorithm(metadata["KeySpec"]),
            WrappingKeySpec="RSA_4096",
        )
    except ApiRefused as refused:
        return JSONResponse({"code": refused.code, "message": refused.message}, 400)
    return JSONResponse(
        {
            "public_key": base64.b64encode(found["PublicKey"]).decode(),
            "token": base64.b64encode(found["ImportToken"]).decode(),
        }
    )


async def import_material(page: Page) -> Response:
    """Import material that was wrapped."""
    values = await _values(page)
    form = page.form
    try:
        wrapped, token = _decoded(form.value("wrapped")), _decoded(form.value("token"))
        expires = _time(form.value("expires"))
    except ValueError:
        return page.render(_TEMPLATE, status=400, failure=None, is_wrong=True, **values)
    kind = form.value("kind")
    try:
        await page.api.kms(
            "ImportKeyMaterial",
            KeyId=values["key"]["Arn"],
            EncryptedKeyMaterial=wrapped,
            ImportToken=token,
            ExpirationModel=("KEY_MATERIAL_EXPIRES" if expires else "KEY_MATERIAL_DOES_NOT_EXPIRE"),
            ValidTo=expires,
            ImportType=kind if kind in _TYPES and values["takes_more"] else None,
        )
    except ApiRefused as refused:
        return page.render_refused(_TEMPLATE, refused, is_wrong=False, **values)
    page.notify(page.text("The key material was imported."))
    return page.redirect(f"/keys/{values['key']['KeyId']}")


async def _metadata(page: Page) -> dict[str, Any]:
    found = await page.api.kms("DescribeKey", KeyId=page.path("key_id"))
    metadata: dict[str, Any] = found["KeyMetadata"]
    return metadata


async def _values(page: Page) -> dict[str, Any]:
    metadata = await _metadata(page)
    spec = metadata["KeySpec"]
    return {
        "key": metadata,
        "is_external": metadata["Origin"] == EXTERNAL,
        "is_long": spec.startswith(RSA),
        "takes_more": spec == "SYMMETRIC_DEFAULT",
        "commands": import_commands(
            spec, metadata["Arn"], endpoint=page.options.endpoint_url, region=page.session.region
        ),
    }


def _decoded(text: str) -> bytes:
    """Return bytes of base64.

    Raises:
        ValueError: it is none, or empty.
    """
    try:
        found = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as problem:
        raise ValueError from problem
    if not found:
        raise ValueError
    return found


def _time(text: str) -> datetime | None:
    """Return a time in UTC, None for none.

    Raises:
        ValueError: it is none.
    """
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


ROUTES = (
    get("/keys/{key_id}/import", show),
    post("/keys/{key_id}/import", import_material),
    post("/keys/{key_id}/import/parameters", parameters),
)
