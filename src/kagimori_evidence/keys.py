"""Facts of the KMS keys of an account: state, rotation, last use, and whom their policies name."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kagimori_evidence.asking import Ask, Collecting, NotRead, days_since, epoch, shown
from kagimori_evidence.key_policies import denies_something, named_administrators

KMS: Final = "kms"
CUSTOMER: Final = "CUSTOMER"
_KEYS_TOGETHER: Final = 25
_ROTATABLE_SPEC: Final = "SYMMETRIC_DEFAULT"
_ROTATABLE_ORIGIN: Final = "AWS_KMS"
_PENDING: Final = ("PendingDeletion", "PendingReplicaDeletion")


def key_facts(
    not_read: NotRead, now: float, regions: Sequence[str], *, keys_max: int
) -> Collecting[list[dict[str, Any]] | None]:
    """Collect the facts of all keys of some regions, at most `keys_max` of each.

    Returns:
        The keys; None if in no region they could be listed.
    """
    found: list[dict[str, Any]] | None = None
    for region in regions:
        asks = (
            Ask(KMS, "ListKeys", region=region, every="Keys"),
            Ask(KMS, "ListAliases", region=region, every="Aliases"),
        )
        answers = yield asks
        listed, aliases = (
            not_read.noted(ask, answer) for ask, answer in zip(asks, answers, strict=True)
        )
        names = _aliases_by_key([] if aliases is None else aliases["Aliases"])
        if listed is None:
            continue
        found = found or []
        key_ids = [one["KeyId"] for one in listed["Keys"]]
        if len(key_ids) > keys_max:
            text = f"{len(key_ids) - keys_max} of {len(key_ids)} keys in {region}"
            not_read.left_out(text, f"This report looks at {keys_max} keys of a region at most.")
        for start in range(0, min(len(key_ids), keys_max), _KEYS_TOGETHER):
            some = key_ids[start : min(start + _KEYS_TOGETHER, keys_max)]
            found += yield from _described(not_read, now, region, some, names)
    return found


def _described(
    not_read: NotRead, now: float, region: str, key_ids: Sequence[str], names: Mapping[str, Any]
) -> Collecting[list[dict[str, Any]]]:
    asks = [Ask(KMS, "DescribeKey", {"KeyId": one}, region) for one in key_ids]
    answers = yield asks
    described = [
        members["KeyMetadata"]
        for ask, answer in zip(asks, answers, strict=True)
        if (members := not_read.noted(ask, answer)) is not None
    ]
    more = [_questions(one, region) for one in described]
    flat = yield [ask for asks_of_key in more for ask in asks_of_key]
    found, place = [], 0
    for metadata, asks_of_key in zip(described, more, strict=True):
        part = flat[place : place + len(asks_of_key)]
        place += len(asks_of_key)
        noted = {
            ask.operation: not_read.noted(ask, answer)
            for ask, answer in zip(asks_of_key, part, strict=True)
        }
        aliases = names.get(metadata["KeyId"], ())
        found.append(_key(now, region, metadata, aliases, noted))
    return found


def _questions(metadata: Mapping[str, Any], region: str) -> list[Ask]:
    """Return the questions that a key of this kind has an answer to."""
    of_key = {"KeyId": metadata["KeyId"]}
    asks = [
        Ask(KMS, "GetKeyPolicy", of_key, region),
        Ask(KMS, "GetKeyLastUsage", of_key, region),
    ]
    if rotates(metadata):
        asks += [
            Ask(KMS, "GetKeyRotationStatus", of_key, region),
            Ask(KMS, "ListKeyRotations", of_key, region, every="Rotations"),
        ]
    return asks


def rotates(metadata: Mapping[str, Any]) -> bool:
    """Return whether a key can rotate by itself, and is not on its way out."""
    return (
        metadata.get("KeySpec") == _ROTATABLE_SPEC
        and metadata.get("Origin") == _ROTATABLE_ORIGIN
        and metadata.get("KeyState") not in _PENDING
    )


def _key(
    now: float,
    region: str,
    metadata: Mapping[str, Any],
    aliases: Sequence[str],
    answers: Mapping[str, Mapping[str, Any] | None],
) -> dict[str, Any]:
    policy = answers["GetKeyPolicy"]
    usage = answers["GetKeyLastUsage"]
    last_use = (usage or {}).get("KeyLastUsage") or {}
    return {
        "arn": metadata["Arn"],
        "region": region,
        "aliases": sorted(aliases),
        "description": metadata.get("Description", ""),
        "manager": metadata["KeyManager"],
        "state": metadata["KeyState"],
        "spec": metadata["KeySpec"],
        "usage": metadata["KeyUsage"],
        "origin": metadata["Origin"],
        "multi_region": metadata.get("MultiRegion", False),
        "made_at": shown(metadata["CreationDate"]),
        "age_days": days_since(metadata["CreationDate"], now),
        "deletion_at": shown(metadata.get("DeletionDate")),
        "material_expires_at": shown(metadata.get("ValidTo")),
        "rotates": rotates(metadata),
        "rotation": _rotation(metadata, now, answers) if rotates(metadata) else None,
        "last_use": None
        if usage is None
        else {
            "operation": last_use.get("Operation"),
            "at": shown(last_use.get("Timestamp")),
            "tracked_since": shown(usage.get("TrackingStartDate")),
        },
        "policy_administrators": None if policy is None else named_administrators(policy["Policy"]),
        "policy_denies": None if policy is None else denies_something(policy["Policy"]),
    }


def _rotation(
    metadata: Mapping[str, Any], now: float, answers: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any] | None:
    status, rotations = answers["GetKeyRotationStatus"], answers["ListKeyRotations"]
    if status is None:
        return None
    dates = [one.get("RotationDate") for one in (rotations or {}).get("Rotations", ())]
    newest = max((at for at in map(epoch, dates) if at is not None), default=None)
    since = newest if newest is not None else metadata["CreationDate"]
    return {
        "automatic": status["KeyRotationEnabled"],
        "period_days": status.get("RotationPeriodInDays"),
        "next_at": shown(status.get("NextRotationDate")),
        "rotations": None if rotations is None else len(dates),
        "newest_material_age_days": None if rotations is None else days_since(since, now),
    }


def _aliases_by_key(aliases: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in aliases:
        if one.get("TargetKeyId"):
            found[one["TargetKeyId"]].append(one["AliasName"])
    return found


def key_summary(keys: Sequence[Mapping[str, Any]] | None) -> dict[str, Any] | None:
    """Return the numbers that an auditor asks for first; of customer managed keys."""
    if keys is None:
        return None
    own = [one for one in keys if one["manager"] == CUSTOMER]
    known = [one["rotation"] for one in own if one["rotation"] is not None]
    ages = [age for one in known if (age := one["newest_material_age_days"]) is not None]
    return {
        "customer_managed": len(own),
        "aws_managed": len(keys) - len(own),
        "by_state": dict(sorted(Counter(one["state"] for one in own).items())),
        "by_origin": dict(sorted(Counter(one["origin"] for one in own).items())),
        "with_automatic_rotation": sum(one["automatic"] for one in known),
        "without_automatic_rotation": [
            one["arn"]
            for one in own
            if one["rotation"] is not None and not one["rotation"]["automatic"]
        ],
        "rotation_not_read": [
            one["arn"] for one in own if one["rotates"] and one["rotation"] is None
        ],
        "oldest_material_age_days": max(ages, default=None),
        "pending_deletion": [one["arn"] for one in own if one["state"] in _PENDING],
        "administered_by_everybody": [
            one["arn"]
            for one in own
            if any(
                named["principal"] == "*" and not named["conditional"]
                for named in one["policy_administrators"] or ()
            )
        ],
    }
