"""Signing in: by password and MFA code, by an access key, or by a link for one use.

The service checks passwords, codes and links (its operation SignIn); the console passes them on.
"""

from typing import Any, Final

from msgspec.structs import replace
from starlette.responses import Response

from kagimori_client.credentials import Credentials
from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.sessions.session import Attempt, Person, new_session
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_MFA_WANTED: Final = "MfaRequiredException"
_CHANGE_WANTED: Final = "PasswordChangeRequiredException"
DEVICE_COOKIE: Final = "device"
_DEVICE_SECONDS: Final = 180 * 86_400
_FORM: Final = "sign_in.html"


async def show(page: Page) -> Response:
    """Show the ways to sign in."""
    if page.session.person is not None:
        return page.redirect("/")
    way = page.query("way", "user")
    return page.render(_FORM, way=way, next=page.query("next"), failure=None)


async def by_password(page: Page) -> Response:
    """Sign a user or root in by password; a code or a new password may be asked for next."""
    given = page.form
    name = given.optional("user") if given.value("way") == "user" else None
    attempt = Attempt(
        account_id=given.value("account"), user_name=name, password=given.exact("password")
    )
    return await _attempted(page, attempt)


async def by_code(page: Page) -> Response:
    """Go on with an MFA code."""
    attempt = page.session.attempt
    if attempt is None:
        return page.redirect("/sign-in")
    return await _attempted(page, replace(attempt, mfa_code=page.form.value("code")))


async def by_new_password(page: Page) -> Response:
    """Go on with a new password, in place of one that is due."""
    attempt = page.session.attempt
    if attempt is None:
        return page.redirect("/sign-in")
    password = page.form.exact("new-password")
    if password != page.form.exact("again"):
        problem = page.text("The two passwords are not the same.")
        return page.render("new_password.html", next=page.form.value("next"), problem=problem)
    return await _attempted(page, attempt, new_password=password)


async def by_access_key(page: Page) -> Response:
    """Sign in with an access key, which is used once and not kept.

    It asks for a token that signs its owner in: a session of GetSessionToken could not call IAM.
    """
    key_id, secret = page.form.value("access-key-id"), page.form.exact("secret").strip()
    api = Api(page.endpoint, Credentials(key_id, secret), page.session.region)
    code = page.form.optional("code")
    try:
        token = (await api.admin("CreateSignInToken"))["SignInToken"]
        found = await _open(page).admin("SignIn", SignInToken=token, MfaCode=code)
    except ApiRefused as refused:
        return page.render_refused(_FORM, refused, way="key", next=page.form.value("next"))
    return _signed_in(page, _answered(found))


async def by_link(page: Page) -> Response:
    """Sign in by the token of a link for one use."""
    try:
        found = await _open(page).admin("SignIn", SignInToken=page.form.value("token"))
    except ApiRefused as refused:
        return page.render_refused(_FORM, refused, way="link", next="")
    return _signed_in(page, _answered(found))


async def sign_out(page: Page) -> Response:
    """End the session here, or all sessions of the person."""
    if page.form.checked("everywhere"):
        home = replace(page.session, role=None)
        page.session = home
        await page.api.admin("SignOutEverywhere")
    page.session = new_session(page.session.region, page.now)
    page.notify(page.text("You are signed out."))
    return page.redirect("/sign-in")


async def show_roles(page: Page) -> Response:
    """Show the form for switching to a role."""
    return page.render("switch_role.html", failure=None)


async def switch_role(page: Page) -> Response:
    """Switch to a role of this or another account."""
    page.session = replace(page.session, role=None)
    account, role = page.form.value("account"), page.form.value("role")
    partition = page.person.arn.split(":")[1]
    arn = role if role.startswith("arn:") else f"arn:{partition}:iam::{account}:role/{role}"
    name = "".join(c if c.isalnum() or c in "+=,.@_-" else "-" for c in page.person.name)
    code, serial = page.form.optional("code"), page.form.optional("device")
    try:
        found = await page.api.sts(
            "AssumeRole",
            RoleArn=arn,
            RoleSessionName=name[-64:],
            TokenCode=code,
            SerialNumber=serial,
        )
    except ApiRefused as refused:
        return page.render_refused("switch_role.html", refused)
    role_person = _person(
        found["Credentials"], found["AssumedRoleUser"]["Arn"], mfa=code is not None
    )
    page.session = replace(page.session, role=role_person)
    return page.redirect("/")


async def switch_back(page: Page) -> Response:
    """Leave the role."""
    page.session = replace(page.session, role=None)
    return page.redirect("/")


async def _attempted(page: Page, attempt: Attempt, *, new_password: str | None = None) -> Response:
    going_on = page.form.value("next")
    try:
        found = await _open(page).admin(
            "SignIn",
            AccountId=attempt.account_id,
            UserName=attempt.user_name,
            Password=attempt.password,
            MfaCode=attempt.mfa_code,
            NewPassword=new_password,
            DeviceToken=page.request.cookies.get(DEVICE_COOKIE),
        )
    except ApiRefused as refused:
        if refused.code == _MFA_WANTED:
            page.session = replace(page.session, attempt=attempt)
            return page.render("mfa_code.html", next=going_on)
        if refused.code == _CHANGE_WANTED or new_password is not None:
            page.session = replace(page.session, attempt=attempt)
            problem = "" if new_password is None else refused.message
            return page.render("new_password.html", next=going_on, problem=problem)
        return _failed(page, attempt, refused)
    answer = _signed_in(page, _answered(found))
    if found.get("DeviceToken"):
        # It opens nothing: the service counts this device's wrong passwords by themselves.
        answer.set_cookie(
            DEVICE_COOKIE,
            found["DeviceToken"],
            max_age=_DEVICE_SECONDS,
            path="/sign-in",
            secure=page.options.secure,
            httponly=True,
            samesite="strict",
        )
    return answer


def _failed(page: Page, attempt: Attempt, failure: ApiFailure) -> Response:
    """Return the form again; nothing of the attempt goes on."""
    page.session = replace(page.session, attempt=None)
    way = "root" if attempt.user_name is None else "user"
    return page.render_refused(_FORM, failure, way=way, next=page.form.value("next"))


def _signed_in(page: Page, person: Person) -> Response:
    page.session = new_session(page.session.region, page.now, person)
    return page.redirect(page.form.value("next") or "/")


def _open(page: Page) -> Api:
    return Api(page.endpoint, None, page.session.region)


def _answered(found: dict[str, Any]) -> Person:
    return _person(found["Credentials"], found["Arn"], mfa=bool(found.get("MfaAuthenticated")))


def _person(credentials: dict[str, Any], arn: str, *, mfa: bool) -> Person:
    expires = credentials["Expiration"]
    return Person(
        account_id=arn.split(":")[4],
        arn=arn,
        access_key_id=credentials["AccessKeyId"],
        secret_access_key=credentials["SecretAccessKey"],
        session_token=credentials["SessionToken"],
        expires_at=expires.timestamp() if hasattr(expires, "timestamp") else float(expires),
        mfa=mfa,
    )


ROUTES = (
    get("/sign-in", show, open=True),
    post("/sign-in/password", by_password, open=True),
    post("/sign-in/code", by_code, open=True),
    post("/sign-in/new-password", by_new_password, open=True),
    post("/sign-in/access-key", by_access_key, open=True),
    post("/sign-in/link", by_link, open=True),
    post("/sign-out", sign_out),
    get("/switch-role", show_roles),
    post("/switch-role", switch_role),
    post("/switch-back", switch_back),
)
