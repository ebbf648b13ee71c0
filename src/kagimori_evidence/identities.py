"""Facts of the identities of an account: MFA, passwords, access keys, and who administers keys."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kagimori_evidence.asking import (
    Answer,
    Ask,
    Collecting,
    NotRead,
    Refused,
    days_since,
    shown,
)
from kagimori_evidence.key_policies import ADMINISTRATIVE

IAM: Final = "iam"
_TOGETHER: Final = 25
_RESOURCES_MAX: Final = 100
_ABSENT: Final = ("NoSuchEntity", "NoSuchEntityException")
_ALLOWED: Final = "allowed"
_OLD_DAYS: Final = 90


def identity_facts(not_read: NotRead, now: float, *, users_max: int) -> Collecting[dict[str, Any]]:
    """Collect the facts of root, users, roles and the password policy."""
    asks = (
        Ask(IAM, "GetAccountSummary"),
        Ask(IAM, "GetAccountPasswordPolicy"),
        Ask(IAM, "ListUsers", every="Users"),
        Ask(IAM, "ListRoles", every="Roles"),
    )
    answers = yield asks
    summary, policy, users, roles = (
        not_read.noted(ask, answer, absent=_ABSENT)
        for ask, answer in zip(asks, answers, strict=True)
    )
    listed = [] if users is None else users["Users"]
    if len(listed) > users_max:
        text = f"{len(listed) - users_max} of {len(listed)} users"
        not_read.left_out(text, f"This report looks at {users_max} users at most.")
    found: list[dict[str, Any]] = []
    for start in range(0, min(len(listed), users_max), _TOGETHER):
        some = listed[start : min(start + _TOGETHER, users_max)]
        found += yield from _users(not_read, now, some)
    return {
        "root": None if summary is None else _root(summary["SummaryMap"]),
        "password_policy": None if policy is None else _plain(policy["PasswordPolicy"]),
        "users": None if users is None else found,
        "roles": None if roles is None else [one["Arn"] for one in roles["Roles"]],
    }


def _root(summary: Mapping[str, Any]) -> dict[str, bool]:
    return {
        "mfa": bool(summary.get("AccountMFAEnabled")),
        "access_keys": bool(summary.get("AccountAccessKeysPresent")),
    }


def _plain(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in policy.items() if isinstance(value, bool | int)}


def _users(
    not_read: NotRead, now: float, users: Sequence[Mapping[str, Any]]
) -> Collecting[list[dict[str, Any]]]:
    asks = [ask for user in users for ask in _questions(user["UserName"])]
    answers = yield asks
    noted = [
        not_read.noted(ask, answer, absent=_ABSENT)
        for ask, answer in zip(asks, answers, strict=True)
    ]
    each = [noted[start : start + 3] for start in range(0, len(noted), 3)]
    keys = [one for _, listed, _ in each for one in (listed or {}).get("AccessKeyMetadata", ())]
    uses = [Ask(IAM, "GetAccessKeyLastUsed", {"AccessKeyId": one["AccessKeyId"]}) for one in keys]
    used: dict[str, Mapping[str, Any]] = {}
    for ask, answer in zip(uses, (yield uses), strict=True):
        members = not_read.noted(ask, answer)
        if members is not None:
            used[ask.members["AccessKeyId"]] = members.get("AccessKeyLastUsed") or {}
    return [
        _user(now, user, parts, used, has_password=_is_there(answers[3 * at + 2]))
        for at, (user, parts) in enumerate(zip(users, each, strict=True))
    ]


def _questions(name: str) -> list[Ask]:
    named = {"UserName": name}
    return [
        Ask(IAM, "ListMFADevices", named, every="MFADevices"),
        Ask(IAM, "ListAccessKeys", named, every="AccessKeyMetadata"),
        Ask(IAM, "GetLoginProfile", named),
    ]


def _is_there(answer: Answer) -> bool | None:
    """Return whether something exists; None if that is not known."""
    if not isinstance(answer, Refused):
        return True
    return False if answer.code in _ABSENT else None


def _user(
    now: float,
    user: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any] | None],
    used: Mapping[str, Mapping[str, Any]],
    *,
    has_password: bool | None,
) -> dict[str, Any]:
    devices, keys, _ = parts
    return {
        "arn": user["Arn"],
        "name": user["UserName"],
        "made_at": shown(user["CreateDate"]),
        "password": has_password,
        "password_used_at": shown(user.get("PasswordLastUsed")),
        "mfa_devices": None if devices is None else len(devices["MFADevices"]),
        "access_keys": None
        if keys is None
        else [
            {
                "access_key_id": one["AccessKeyId"],
                "state": one["Status"],
                "age_days": days_since(one["CreateDate"], now),
                "used_at": shown(used.get(one["AccessKeyId"], {}).get("LastUsedDate")),
            }
            for one in keys["AccessKeyMetadata"]
        ],
    }


def administrator_facts(
    not_read: NotRead, identities: Sequence[str], keys: Sequence[str], *, identities_max: int
) -> Collecting[dict[str, dict[str, list[str]]] | None]:
    """Collect who of the account may administer which key, as IAM's simulator decides it.

    Returns:
        For each key the identities that may, and which administrative actions of it; None if
        there were questions and the simulator answered none.
    """
    answered = 0
    found: dict[str, dict[str, list[str]]] = {key: defaultdict(list) for key in keys}
    if len(identities) > identities_max:
        left = len(identities) - identities_max
        not_read.left_out(
            f"who administers keys: {left} of {len(identities)} users and roles",
            f"This report asks for {identities_max} users and roles at most.",
        )
    asks = [
        Ask(
            IAM,
            "SimulatePrincipalPolicy",
            {
                "PolicySourceArn": identity,
                "ActionNames": list(ADMINISTRATIVE),
                "ResourceArns": list(keys[start : start + _RESOURCES_MAX]),
            },
            every="EvaluationResults",
        )
        for identity in identities[:identities_max]
        for start in range(0, len(keys), _RESOURCES_MAX)
    ]
    for start in range(0, len(asks), _TOGETHER):
        some = asks[start : start + _TOGETHER]
        for ask, answer in zip(some, (yield some), strict=True):
            members = not_read.noted(
                Ask(ask.service, ask.operation, {"of": ask.members["PolicySourceArn"]}), answer
            )
            answered += members is not None
            for action, key in _allowed(members):
                if key in found:
                    found[key][ask.members["PolicySourceArn"]].append(action)
    if asks and not answered:
        return None
    return {key: {who: sorted(may) for who, may in sorted(of.items())} for key, of in found.items()}


def _allowed(members: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return action and resource of what was allowed, in either form of the answer."""
    pairs = []
    for one in (members or {}).get("EvaluationResults", ()):
        action = one["EvalActionName"]
        specific = one.get("ResourceSpecificResults")
        if specific:
            pairs += [
                (action, each["EvalResourceName"])
                for each in specific
                if each["EvalResourceDecision"] == _ALLOWED
            ]
        elif one["EvalDecision"] == _ALLOWED:
            pairs.append((action, one["EvalResourceName"]))
    return pairs


def identity_summary(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the numbers on MFA and access keys that an auditor asks for first."""
    users = facts["users"]
    if users is None:
        return None
    unread = [
        one["name"]
        for one in users
        if one["password"] is None or one["mfa_devices"] is None or one["access_keys"] is None
    ]
    with_password = [one for one in users if one["password"] and one["mfa_devices"] is not None]
    keys = [
        (one["name"], key)
        for one in users
        for key in one["access_keys"] or ()
        if key["state"] == "Active"
    ]
    return {
        "users": len(users),
        "users_not_read_whole": unread,
        "users_with_password": len(with_password),
        "users_with_password_and_mfa": sum(one["mfa_devices"] > 0 for one in with_password),
        "users_with_password_without_mfa": [
            one["name"] for one in with_password if not one["mfa_devices"]
        ],
        "active_access_keys": len(keys),
        "oldest_active_access_key_days": max((key["age_days"] for _, key in keys), default=None),
        "active_access_keys_over_90_days": [
            f"{name}: {key['access_key_id']}" for name, key in keys if key["age_days"] > _OLD_DAYS
        ],
    }
