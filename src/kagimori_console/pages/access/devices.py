"""MFA devices of a user, or one's own: made with a picture to scan, enabled, removed.

The picture and its seed are shown once, in the answer to the form that made the device.
"""

import base64
from typing import Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiRefused
from kagimori_console.pages.access.credentials import OWN, owner_of
from kagimori_console.web.page import Page
from kagimori_console.web.routing import PageRoute, get, post


async def make_device(page: Page) -> Response:
    """Make a virtual device, and show the picture to scan this once."""
    owner = owner_of(page)
    found = await page.api.iam(
        "CreateVirtualMFADevice", VirtualMFADeviceName=page.form.value("device")
    )
    device = found["VirtualMFADevice"]
    picture, seed = device["QRCodePNG"], device["Base32StringSeed"]
    return page.render(
        "access/new_device.html",
        serial=device["SerialNumber"],
        picture=base64.b64encode(_bytes(picture)).decode(),
        seed=_bytes(seed).decode(),
        base=owner.base,
        failure=None,
    )


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


async def enable_device(page: Page) -> Response:
    """Enable a device with two codes that follow one another."""
    owner, serial = owner_of(page), page.form.value("serial")
    try:
        await page.api.iam(
            "EnableMFADevice",
            UserName=owner.user or _own_name(page),
            SerialNumber=serial,
            AuthenticationCode1=page.form.value("code1"),
            AuthenticationCode2=page.form.value("code2"),
        )
    except ApiRefused as refused:
        return page.render_refused(
            "access/new_device.html", refused, serial=serial, picture="", seed="", base=owner.base
        )
    page.notify(page.text("The MFA device is enabled."))
    return page.redirect(owner.base)


async def ask_enable(page: Page) -> Response:
    """Show the form of two codes for a device that was made before."""
    owner = owner_of(page)
    return page.render(
        "access/new_device.html",
        serial=page.query("serial"),
        picture="",
        seed="",
        base=owner.base,
        failure=None,
    )


async def remove_device(page: Page) -> Response:
    """Deactivate a device, and delete it if it is a virtual one."""
    owner, serial = owner_of(page), page.form.value("serial")
    await page.api.iam(
        "DeactivateMFADevice", UserName=owner.user or _own_name(page), SerialNumber=serial
    )
    await page.api.tried("iam", "DeleteVirtualMFADevice", SerialNumber=serial)
    page.notify(page.text("The MFA device was removed."))
    return page.redirect(owner.base)


def _own_name(page: Page) -> str:
    """Return one's own user name: these two operations of IAM ask for it, and take root's."""
    return page.person.name.rpartition("/")[2]


def _routes(root: str) -> tuple[PageRoute, ...]:
    return (
        post(f"{root}/mfa", make_device),
        get(f"{root}/mfa/enable", ask_enable),
        post(f"{root}/mfa/enable", enable_device),
        post(f"{root}/mfa/remove", remove_device),
    )


ROUTES: Final = (*_routes("/access/users/{name}"), *_routes(OWN))
