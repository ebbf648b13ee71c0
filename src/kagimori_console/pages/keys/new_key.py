"""The wizard for a new key, in five steps as in AWS's console; nothing is made before the last.

The policy is checked by the service (CheckKeyPolicy), as CreateKey would.
"""

import asyncio
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.keys import specs
from kagimori_console.pages.keys.access import access_under
from kagimori_console.pages.keys.console_policy import proposed_policy
from kagimori_console.pages.keys.draft import FIRST, STEPS, Draft, draft_of, json_problem
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_SHOWN_MAX: Final = 100
_LIST_SIZE: Final = 1000
_POLICY_MAX: Final = 32_768


async def begin(page: Page) -> Response:
    """Show the first step."""
    return await _step(page, FIRST, "type")


async def go_on(page: Page) -> Response:
    """Take a step's form: go on, back, search, or make the key."""
    draft, step, going = draft_of(page.form.fields), page.form.value("step"), page.form.value("go")
    if step not in STEPS:
        return page.redirect("/new-key")
    place = STEPS.index(step)
    if going == "back":
        return await _step(page, draft, STEPS[max(0, place - 1)])
    if going == "reset":
        return await _step(page, draft.with_values("policy"), step)
    if going not in ("next", "create"):
        return await _step(page, draft, step)
    for earlier in STEPS[: place + 1]:
        problems = draft.problems(earlier)
        if earlier == "labels" and step == "labels" and not problems:
            problems = await _taken(page, draft.alias_name)
        if problems:
            return await _step(page, draft, earlier, problems=problems, status=400)
    if going == "create" and step == STEPS[-1]:
        return await _create(page, draft)
    return await _step(page, draft, STEPS[min(place + 1, len(STEPS) - 1)])


async def check(page: Page) -> Response:
    """Answer in JSON how good a policy is, for the check while typing."""
    return JSONResponse(await _checked(page, page.form.exact("policy")))


async def retry_alias(page: Page) -> Response:
    """Give the alias to a key that was made without it."""
    key_id, alias = page.form.value("key-id"), page.form.value("alias")
    return await _with_alias(page, key_id, alias, page.form.value("origin"))


async def _step(
    page: Page,
    draft: Draft,
    step: str,
    *,
    problems: list[str] | None = None,
    failure: ApiFailure | None = None,
    status: int = 200,
) -> Response:
    """Return the page of a step, with what it needs."""
    more: dict[str, Any] = {}
    if step == "type":
        found = await page.api.tried("kms", "DescribeCustomKeyStores")
        more["stores"] = [] if isinstance(found, ApiFailure) else found["CustomKeyStores"]
        more["specs_of"] = specs.SPECS_OF
    elif step in ("administrators", "users"):
        more = await _principals(page, draft, "administrator" if step == STEPS[2] else "user")
    elif step == "policy":
        draft, more = await _policy(page, draft)
    return page.render(
        f"keys/new/{step}.html",
        status=status,
        draft=draft,
        step=step,
        steps=STEPS,
        problems=problems or [],
        failure=failure,
        **more,
    )


async def _principals(page: Page, draft: Draft, field: str) -> dict[str, Any]:
    """Return users and roles of the account whose names fit a search; the chosen ones first."""
    users, roles = await asyncio.gather(
        page.api.tried("iam", "ListUsers", MaxItems=_LIST_SIZE),
        page.api.tried("iam", "ListRoles", MaxItems=_LIST_SIZE),
    )
    chosen, text = draft.every(field), page.form.value("find").casefold()
    found: list[tuple[str, str, str]] = []
    for answer, member, name in ((users, "Users", "UserName"), (roles, "Roles", "RoleName")):
        if not isinstance(answer, ApiFailure):
            found += [(one["Arn"], one[name], member) for one in answer[member]]
    known = {arn: (arn, name, kind) for arn, name, kind in found}
    rows = [known.get(arn, (arn, arn, "")) for arn in chosen]
    rest = [one for one in found if text in one[1].casefold() and one[0] not in chosen]
    refused = next((one for one in (users, roles) if isinstance(one, ApiFailure)), None)
    return {
        "field_name": field,
        "rows": rows + rest[:_SHOWN_MAX],
        "chosen": set(chosen),
        "more": len(rest) > _SHOWN_MAX,
        "find": page.form.value("find"),
        "refused": refused,
    }


async def _policy(page: Page, draft: Draft) -> tuple[Draft, dict[str, Any]]:
    """Return the draft with a policy, and what the service finds of it.

    A policy that was not edited follows the choices of the steps before.
    """
    person = page.person
    made = proposed_policy(
        draft.chosen, partition=person.arn.split(":")[1], account_id=person.account_id
    )
    written = draft.value("policy")
    is_edited = bool(written) and written != draft.value("generated")
    text = written if is_edited else made
    draft = draft.with_values("policy", text).with_values("generated", made)
    found, access = await asyncio.gather(
        _checked(page, text), access_under(page, text, draft.value("usage"))
    )
    return draft, {"checked": found, "access": access, "is_edited": is_edited and text != made}


async def _checked(page: Page, text: str) -> dict[str, Any]:
    """Return how good a policy is: `kind` good, warning or bad, and a text for people."""
    if len(text) > _POLICY_MAX:
        return {"kind": "bad", "text": page.text("The policy is longer than 32 KB.")}
    problem = json_problem(text)
    if problem is not None:
        line, column, what = problem
        return {
            "kind": "bad",
            "text": page.text(
                "Line %(line)s, column %(column)s: this is not JSON (%(problem)s).",
                line=line,
                column=column,
                problem=what,
            ),
            "line": line,
            "column": column,
        }
    found = await page.api.tried("kagimori", "CheckKeyPolicy", Policy=text)
    if isinstance(found, ApiFailure):
        return {"kind": "info", "text": page.text("The service did not check the policy.")}
    if found["LocksOut"]:
        return {
            "kind": "warning",
            "text": page.text(
                "This policy would not let you change it again. You would need help."
            ),
        }
    if not found["IsValid"]:
        reason = found.get("Reason") or found["Code"]
        return {"kind": "bad", "text": page.text("The service: %(reason)s", reason=reason)}
    return {
        "kind": "good",
        "text": page.text("The policy is valid, and you could change it again."),
    }


async def _taken(page: Page, alias: str) -> list[str]:
    """Return a problem if a key that the person may see has the alias."""
    found = await page.api.tried("kagimori", "SearchKeys", Alias=alias, MaxResults=1000)
    if isinstance(found, ApiFailure):
        return []
    return ["alias-taken"] if any(alias in one["Aliases"] for one in found["Keys"]) else []


async def _create(page: Page, draft: Draft) -> Response:
    try:
        made = await page.api.kms("CreateKey", **draft.members)
    except ApiRefused as refused:
        return await _step(page, draft, "policy", failure=refused, status=400)
    key_id = made["KeyMetadata"]["KeyId"]
    return await _with_alias(page, key_id, draft.alias_name, draft.value("origin"))


async def _with_alias(page: Page, key_id: str, alias: str, origin: str) -> Response:
    try:
        await page.api.kms("CreateAlias", AliasName=alias, TargetKeyId=key_id)
    except ApiRefused as refused:
        return page.render_refused(
            "keys/new/alias.html", refused, key_id=key_id, alias=alias, origin=origin
        )
    page.notify(page.text("The key %(alias)s was created.", alias=alias.removeprefix("alias/")))
    return page.redirect(f"/keys/{key_id}{'/import' if origin == specs.EXTERNAL else ''}")


ROUTES = (
    get("/new-key", begin),
    post("/new-key", go_on),
    post("/new-key/check", check),
    post("/new-key/alias", retry_alias),
)
