"""The answer to "what may X do to key K", operation by operation, with the statements that decide.

The service's simulator decides, with the code that decides real requests: the key policy, grants
and boundaries count as they do there.
"""

import asyncio
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.access.statements import Statements
from kagimori_console.pages.key_actions import CRYPTOGRAPHIC
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

# The actions on one key, in the groups in which people think of them.
ACTIONS: Final = {
    "use": CRYPTOGRAPHIC,
    "look": (
        "DescribeKey",
        "GetKeyPolicy",
        "ListKeyPolicies",
        "ListGrants",
        "ListResourceTags",
        "GetKeyRotationStatus",
        "ListKeyRotations",
        "GetParametersForImport",
    ),
    "manage": (
        "CreateGrant",
        "RetireGrant",
        "RevokeGrant",
        "PutKeyPolicy",
        "EnableKey",
        "DisableKey",
        "ScheduleKeyDeletion",
        "CancelKeyDeletion",
        "EnableKeyRotation",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
        "ImportKeyMaterial",
        "DeleteImportedKeyMaterial",
        "UpdateKeyDescription",
        "CreateAlias",
        "UpdateAlias",
        "DeleteAlias",
        "TagResource",
        "UntagResource",
        "ReplicateKey",
        "UpdatePrimaryRegion",
    ),
}


async def show(page: Page) -> Response:
    """Show the form, and the answer to it."""
    principal, key = page.query("principal").strip(), page.query("key").strip()
    shown: dict[str, Any] = {"principal": principal, "key": key, "key_arn": "", "groups": []}
    failure: ApiFailure | None = None
    status = 200
    principals = await _principals(page)
    if principal and key:
        try:
            shown |= await _answer(page, principal, key)
        except ApiRefused as refused:
            if refused.signed_out:
                raise
            failure, status = refused, 400
    return page.render(
        "access/what_may.html", status=status, failure=failure, principals=principals, **shown
    )


async def _answer(page: Page, principal: str, key: str) -> dict[str, Any]:
    found = await page.api.kms("DescribeKey", KeyId=key)
    arn = found["KeyMetadata"]["Arn"]
    names = [f"kms:{name}" for group in ACTIONS.values() for name in group]
    results = await page.api.all(
        "iam",
        "SimulatePrincipalPolicy",
        "EvaluationResults",
        PolicySourceArn=principal,
        ActionNames=names,
        ResourceArns=[arn],
    )
    statements = Statements(page.api, arn)
    by_name = {one["EvalActionName"].partition(":")[2]: one for one in results}
    matched = [one for result in results for one in _matched(result)]
    await statements.read(matched)
    groups = [
        (group, [_row(name, by_name[name], statements) for name in actions if name in by_name])
        for group, actions in ACTIONS.items()
    ]
    return {"key_arn": arn, "groups": groups}


def _row(name: str, result: dict[str, Any], statements: Statements) -> dict[str, Any]:
    return {
        "name": name,
        "decision": result["EvalDecision"],
        "statements": [statements.shown(one) for one in _matched(result)],
        "missing": result.get("MissingContextValues") or [],
        "bounded": _of_boundary(result),
    }


def _matched(result: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.get("MatchedStatements") or []
    return found


def _of_boundary(result: dict[str, Any]) -> bool:
    """Return whether a permissions boundary keeps the action away."""
    detail = result.get("PermissionsBoundaryDecisionDetail") or {}
    return detail.get("AllowedByPermissionsBoundary") is False


async def _principals(page: Page) -> list[str]:
    """Return the ARNs to choose from, as far as the person may list them."""
    users, roles = await asyncio.gather(
        page.api.tried("iam", "ListUsers", MaxItems=500),
        page.api.tried("iam", "ListRoles", MaxItems=500),
    )
    found: list[str] = []
    for answer, member in ((users, "Users"), (roles, "Roles")):
        if isinstance(answer, dict):
            found += [one["Arn"] for one in answer.get(member) or ()]
    return found


ROUTES = (get("/access/what-may", show),)
