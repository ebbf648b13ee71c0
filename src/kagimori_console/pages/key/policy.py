"""The key policy: as JSON or as a form, and a review of a change before it is saved.

A change that may take access away is confirmed by the key's alias or id, here and not only in the
browser.
"""

import hashlib
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.access.documents import with_statement
from kagimori_console.pages.key import policy_text
from kagimori_console.pages.key.policy_form import (
    Row,
    policy_of,
    rows_of_form,
    rows_of_policy,
)
from kagimori_console.pages.key.subject import Subject, load, show, split
from kagimori_console.pages.key.trail import ask_trail
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

DAYS: Final = (1, 7, 30, 90)
_DAYS_DEFAULT: Final = 30
_DAY_SECONDS: Final = 86_400


async def policy(page: Page) -> Response:
    """Show the policy to be edited, with a statement that the page of a denial offers."""
    subject = await load(page)
    found, read_failure = split(await _present(page))
    view = "form" if page.query("view") == "form" else "json"
    text = with_statement(found or "", page.query("add"))
    return _edited(page, subject, text, view, read_failure=read_failure)


async def change(page: Page) -> Response:
    """Go on with an edited policy: add a statement, change the view, review it, or save it."""
    subject = await load(page)
    given = page.form
    text, rows = given.exact("policy"), None
    if given.value("view") == "form":
        rows = rows_of_form(given)
        do = given.value("do")
        if do == "add":
            rows = [*rows, Row()]
        elif do.startswith("remove-"):
            rows = [row for n, row in enumerate(rows) if do != f"remove-{n}"]
        plain = {"Version": given.value("version"), "Id": given.value("policy-id")}
        try:
            text = policy_text.written(policy_of(rows, plain))
        except ValueError as wrong:
            problem = page.text(
                "The conditions of statement %(number)s are no JSON object.", number=wrong
            )
            return _edited(page, subject, "", "form", rows=rows, plain=plain, problem=problem)
        if do == "add" or do.startswith("remove-"):
            return _edited(page, subject, text, "form", rows=rows, plain=plain)
    match given.value("do"):
        case "json" | "form" as view:
            return _edited(page, subject, text, view)
        case "save":
            return await _saved(page, subject, text)
        case _:
            return await _reviewed(page, subject, text)


def _edited(
    page: Page,
    subject: Subject,
    text: str,
    view: str,
    *,
    rows: list[Row] | None = None,
    plain: dict[str, str] | None = None,
    problem: str = "",
    read_failure: ApiFailure | None = None,
) -> Response:
    parsed = policy_text.parse(text)
    if rows is None and parsed is not None:
        rows = rows_of_policy(parsed)
    if plain is None:
        plain = {name: str((parsed or {}).get(name, "")) for name in ("Version", "Id")}
    if view == "form" and rows is None and not read_failure:
        view = "json"
        problem = page.text("This policy cannot be shown as a form. Edit it as JSON.")
    return show(
        page,
        subject,
        "policy",
        text=policy_text.written(parsed) if parsed is not None else text,
        view=view,
        rows=rows or [],
        plain=plain,
        problem=problem,
        read_failure=read_failure,
        days=_days(page),
        days_choices=DAYS,
        holders=policy_text.may_change(parsed) if parsed is not None else None,
    )


async def _reviewed(
    page: Page,
    subject: Subject,
    text: str,
    *,
    failure: ApiFailure | None = None,
    problem: str = "",
) -> Response:
    """Show a change before it is saved: its difference, and the test on recorded requests."""
    parsed = policy_text.parse(text)
    if parsed is None:
        problem = page.text("This is no policy: it must be a JSON object with each name once.")
        return _edited(page, subject, text, "json", problem=problem)
    days = _days(page)
    present, read_failure = split(await _present(page))
    since = page.now - days * _DAY_SECONDS
    test, test_failure = split(await _tested(page, subject, text, since))
    old = policy_text.parse(present or "")
    before = policy_text.written(old) if old is not None else present or ""
    return show(
        page,
        subject,
        "policy_review",
        failure=failure,
        problem=problem,
        text=text,
        base=_fingerprint(present),
        read_failure=read_failure,
        lines=policy_text.difference(before, policy_text.written(parsed)),
        holders=policy_text.may_change(parsed),
        only_adds=policy_text.only_adds(old, parsed),
        days=days,
        days_choices=DAYS,
        test=test,
        test_failure=test_failure,
        bypass=page.form.checked("bypass"),
    )


async def _saved(page: Page, subject: Subject, text: str) -> Response:
    present, _ = split(await _present(page))
    if page.form.value("base") != _fingerprint(present):
        problem = page.text("The policy was changed by somebody else meanwhile. Look again.")
        return await _reviewed(page, subject, text, problem=problem)
    adds = policy_text.only_adds(policy_text.parse(present or ""), policy_text.parse(text))
    if not adds and not subject.confirmed_by(page.form.value("confirmation")):
        problem = page.text("That is neither an alias of the key nor its id. Nothing was changed.")
        return await _reviewed(page, subject, text, problem=problem)
    try:
        await page.api.kms(
            "PutKeyPolicy",
            KeyId=subject.reference,
            PolicyName="default",
            Policy=text,
            BypassPolicyLockoutSafetyCheck=page.form.checked("bypass") or None,
        )
    except ApiRefused as refused:
        return await _reviewed(page, subject, text, failure=refused)
    page.notify(page.text("The key policy is saved."))
    return page.redirect(subject.path("policy"))


async def _present(page: Page) -> str | ApiFailure:
    found = await page.api.tried(
        "kms", "GetKeyPolicy", KeyId=page.path("key_id"), PolicyName="default"
    )
    return found if isinstance(found, ApiFailure) else str(found["Policy"])


async def _tested(
    page: Page, subject: Subject, text: str, since: float
) -> dict[str, Any] | ApiFailure:
    try:
        return await ask_trail(
            page, "TestKeyPolicy", KeyId=subject.reference, Policy=text, Since=since
        )
    except ApiFailure as failure:
        return failure


def _fingerprint(policy: str | None) -> str:
    """Return a short name of a policy, to notice that it was changed meanwhile."""
    return "" if policy is None else hashlib.sha256(policy.encode()).hexdigest()


def _days(page: Page) -> int:
    asked = page.form.value("days")
    return int(asked) if asked in {str(one) for one in DAYS} else _DAYS_DEFAULT


ROUTES = (
    get("/keys/{key_id:key}/policy", policy),
    post("/keys/{key_id:key}/policy", change),
)
