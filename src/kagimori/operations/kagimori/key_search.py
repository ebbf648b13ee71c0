"""SearchKeys: the keys of the caller's account in one Region, in pages, by their properties.

A page costs what it looks at, however many keys the account has: it ends once enough fit, or once
so many were looked at or judged, and the next one goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from kagimori.entities.tables import ALIASES, KMS_KEYS
from kagimori.gate.across import key_across
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.decisions import decision_on
from kagimori.gate.operators import reach_of
from kagimori.operations.kagimori.pages import limit_of
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.operations.pages import marker_of, start_of
from kagimori.operations.together import together
from kagimori.ports import Key
from kagimori.rules.folding import fold
from kagimori.rules.keys.key_search import KeyFilter, region_kind
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.policy.steps import REQUEST_STEPS_MAX
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.refusal import InvalidMarkerException

LOOKED_AT_MAX: Final = 1000
_STEPS_MAX: Final = REQUEST_STEPS_MAX // 2
_ACTION: Final = "kagimori:SearchKeys"
_Place = tuple[str, KmsKey | None]  # where to go on from, and the key there


class FoundKeys(Facts):
    """The keys of a page, as they are shown; `last` is where the next page begins, if any."""

    keys: Sequence[dict[str, Any]] = ()
    last: str | None = None


class SearchKeys(Operation[FoundKeys, None]):
    """Keys that the caller may describe, and no others."""

    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundKeys:
        reach_of(asked, _ACTION)
        return FoundKeys((Need(_ACTION),))

    def read(self, asked: Asked, facts: FoundKeys) -> FoundKeys:
        wanted = filter_of(asked)
        may_list_aliases = _may(asked, "kms:ListAliases")
        if asked.call.input.Alias is None:
            places, is_end = _by_id(asked, wanted)
        elif may_list_aliases:
            places, is_end = _by_alias(asked, fold(asked.call.input.Alias))
        else:
            return facts
        shown, last = _shown(asked, places, wanted, with_aliases=may_list_aliases)
        if last is None and not is_end:
            last = places[-1][0]
        return FoundKeys(facts.needs, keys=shown, last=last)

    def finish(self, asked: Request, facts: FoundKeys, reply: None) -> Outcome:
        answer: dict[str, Any] = {"Keys": list(facts.keys)}
        if facts.last is not None:
            answer["NextToken"] = marker_of([facts.last], *_scope(asked))
        return Outcome(answer)


def filter_of(asked: Request) -> KeyFilter:
    """Return the filter that a request asks for, without manager and aliases."""
    given = asked.call.input
    return KeyFilter(
        text=given.KeyId,
        state=given.KeyState,
        key_spec=given.KeySpec,
        key_usage=given.KeyUsage,
        origin=given.Origin,
        region_kind=given.RegionKind,
        key_store_id=given.CustomKeyStoreId,
        tag_key=given.TagKey,
        tag_value=given.TagValue,
    )


def _by_id(asked: Asked, wanted: KeyFilter) -> tuple[list[_Place], bool]:
    """Return the keys to look at with their places, and whether they are the last ones."""
    owner, manager = _owner(asked), asked.call.input.KeyManager
    most = limit_of(asked) if wanted.is_empty else LOOKED_AT_MAX
    after = _after(asked)
    prefix, group = (owner, None) if manager is None else ((*owner, manager), "by_manager")
    keys: Sequence[KmsKey] = asked.view.page(KMS_KEYS, prefix, after, most + 1, group)
    seen = together(partial(_seen, asked, key) for key in keys[:most])
    return [(key.key_id, key) for key in seen], len(keys) <= most


def _by_alias(asked: Asked, text: str) -> tuple[list[_Place], bool]:
    """Return the same by aliases in which a text stands; each key at the first of them alone."""
    aliases: Sequence[Alias] = asked.view.page(
        ALIASES, _owner(asked), _after(asked), LOOKED_AT_MAX + 1
    )
    looked_at, is_end = aliases[:LOOKED_AT_MAX], len(aliases) <= LOOKED_AT_MAX
    fitting = [one for one in looked_at if text in fold(one.alias_name)]
    groups = together(partial(_aliases_of, asked, one.target_key_id) for one in fitting)
    first = [
        alias
        for alias, names in zip(fitting, groups, strict=True)
        if alias.alias_name == next((n for n in names if text in fold(n)), None)
    ]
    owner = _owner(asked)
    keys = together(partial(key_across, asked, *owner, one.target_key_id) for one in first)
    places: list[_Place] = [(one.alias_name, key) for one, key in zip(first, keys, strict=True)]
    if not is_end:  # where to go on, though this alias may not fit
        places.append((looked_at[-1].alias_name, None))
    return places, is_end


def _shown(
    asked: Asked, places: Sequence[_Place], wanted: KeyFilter, *, with_aliases: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the keys that fit and may be seen, and the place to go on from if not all were judged.

    Raises:
        Absent: keys, grants or aliases are not in memory yet; all that are missing come together.
    """
    manager, limit = asked.call.input.KeyManager, limit_of(asked)
    fitting = [
        (place, key)
        for place, key in places
        if key is not None and manager in (None, key.key_manager) and wanted.fits(key)
    ]
    last: str | None = None
    found: list[tuple[KmsKey, bool]] = []
    # Judged in portions, so that no more is loaded than a page needs.
    for start in range(0, len(fitting), limit):
        portion = fitting[start : start + limit]
        for (place, key), sees in zip(portion, _judged(asked, portion), strict=False):
            if len(found) == limit:
                break
            last = place
            if sees is not None and (sees or not wanted.asks_for_tags):
                found.append((key, sees))
        if len(found) == limit or asked.steps.left < REQUEST_STEPS_MAX - _STEPS_MAX:
            break
    is_whole = not fitting or last == fitting[-1][0]
    names: Sequence[Sequence[str]] = [()] * len(found)
    if with_aliases:
        names = together(partial(_aliases_of, asked, key.key_id) for key, _ in found)
    shown = [_members(key, n, s) for (key, s), n in zip(found, names, strict=True)]
    return shown, None if is_whole else last


def _judged(asked: Asked, portion: Sequence[tuple[str, KmsKey]]) -> list[bool | None]:
    """Return for keys whether the caller sees their tags; None for one that it may not describe.

    Fewer than there are if judging them takes too many steps.
    """
    before = asked.steps.left

    def judge(kms_key: KmsKey) -> bool | None:
        if not _may(asked, "kms:DescribeKey", kms_key):
            return None
        return _may(asked, "kms:ListResourceTags", kms_key)

    def looks() -> Iterator[Callable[[], bool | None]]:
        for _, key in portion:
            if before - asked.steps.left > _STEPS_MAX:
                return
            yield partial(judge, key)

    return together(looks())


def _seen(asked: Asked, kms_key: KmsKey) -> KmsKey:
    """Return a key together with the custom key store that holds it, if one does."""
    if kms_key.custom_key_store_id is None:
        return kms_key
    return key_across(asked, *_owner(asked), kms_key.key_id) or kms_key


def _may(asked: Asked, action: str, kms_key: KmsKey | None = None) -> bool:
    return decision_on(asked, Need(action, kms_key), ()).allowed


def _aliases_of(asked: Asked, key_id: str) -> list[str]:
    found: Sequence[Alias] = asked.view.group(ALIASES, "by_key", (*_owner(asked), key_id))
    return [alias.alias_name for alias in found]


def _owner(asked: Request) -> tuple[str, str]:
    return asked.caller.account_id, asked.call.region


def _after(asked: Request) -> Key | None:
    try:
        after = start_of(asked.call.input.NextToken, *_scope(asked))
    except InvalidMarkerException:
        raise InvalidNextTokenException("Invalid token") from None
    return after and (*_owner(asked), *after)


def _scope(asked: Request) -> tuple[str, ...]:
    by = "ID" if asked.call.input.Alias is None else "ALIAS"
    return (asked.call.operation, *_owner(asked), by)


def _members(kms_key: KmsKey, aliases: Sequence[str], sees_tags: bool) -> dict[str, Any]:  # noqa: FBT001
    members = {
        "KeyId": kms_key.key_id,
        "Arn": kms_key.arn,
        "Aliases": list(aliases),
        "Description": kms_key.description,
        "KeyState": kms_key.visible_state.value,
        "KeySpec": kms_key.key_spec,
        "KeyUsage": kms_key.key_usage,
        "Origin": kms_key.origin,
        "KeyManager": kms_key.key_manager,
        "RegionKind": region_kind(kms_key),
        "PrimaryRegion": kms_key.primary_region if kms_key.is_multi_region else None,
        "CustomKeyStoreId": kms_key.custom_key_store_id,
        "CreationDate": kms_key.created_at,
        "DeletionDate": kms_key.deletion_at,
        "Tags": dict(kms_key.tags) if sees_tags else None,
    }
    return {name: value for name, value in members.items() if value is not None}
