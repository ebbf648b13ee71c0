"""CreateKey."""

from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.tables import KEY_STORES, KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.key_policy_checks import NewPolicy, check_given_policy
from kagimori.operations.kms.held_outside import made_in_store, place_of, purpose_of
from kagimori.operations.kms.key_stores import key_store_named
from kagimori.operations.kms.new_keys import generate, room_for_one_more, with_material
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Expect, Outside, Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.key_stores.causes import Cause, refusal_of_creation
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.key_stores.refusals import XksKeyAlreadyInUseException
from kagimori.rules.key_stores.states import check_connection
from kagimori.rules.keys.key_quota import check_room, counted_with
from kagimori.rules.keys.kms_key import CLOUDHSM, EXTERNAL, SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.metadata import key_metadata
from kagimori.rules.keys.states import KeyState
from kagimori.rules.keys.tags import read_tags
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.refusal import (
    Refusal,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary.commands import Command, StoreMaterial
from kagimori_boundary.key_specs import SPECS, KeyUsage
from kagimori_boundary.replies import NewKey

_IN_KEY_STORES: Final = (CLOUDHSM, EXTERNAL)


class Planned(Facts, kw_only=True):
    """The key as it will be, but for its material; `policy` once it has been checked.

    `count` is how many keys the account has. `store` is the custom key store that will hold it, and
    `is_taken` whether a KMS key in it stands for the external key already.
    """

    planned: KmsKey
    policy: NewPolicy | None = None
    count: int = 0
    store: CustomKeyStore | None = None
    is_taken: bool = False


class CreateKey(Operation[Planned, NewKey | None]):
    def look_up(self, asked: Asked) -> Planned:
        planned = _plan(asked)
        needs = [Need("kms:CreateKey", planned=planned)]
        if asked.call.input.Tags:
            needs.append(Need("kms:TagResource", resource="", planned=planned))
        return Planned(tuple(needs), planned=planned)

    def read(self, asked: Asked, facts: Planned) -> Planned:
        policy = check_given_policy(asked, facts.planned)
        planned = replace(facts.planned, policy_pins=policy.pins)
        together = counted_with(planned.account_id, planned.region)
        count = asked.view.count(KMS_KEYS, "by_manager", together)
        if planned.custom_key_store_id is None:
            return Planned(facts.needs, planned=planned, policy=policy, count=count)
        store = key_store_named(asked, planned.custom_key_store_id)
        name = (planned.account_id, store.key_store_id, planned.xks_key_id or "")
        is_taken = asked.view.count(KMS_KEYS, "by_external_key", name) > 0
        seen = planned.seen_in(store)
        return Planned(
            facts.needs,
            outside=Outside(purpose_of(asked), place_of(seen)),
            planned=seen,
            policy=policy,
            count=count,
            store=store,
            is_taken=is_taken,
        )

    def ask(self, asked: Request, allowed: Allowed, facts: Planned) -> Command | None:
        planned = facts.planned
        check_room(facts.count, asked.settings.kms_keys_max)
        if facts.store is not None:
            _check_store(facts.store, planned, is_taken=facts.is_taken)
            return generate(planned)
        if planned.origin != "AWS_KMS":
            return None
        material = asked.settings.new_key_choices.material(read_tags(asked.call.input.Tags))
        if material is not None:
            return StoreMaterial(
                planned.account_id,
                planned.region,
                planned.key_id,
                planned.key_spec,
                planned.key_usage,
                planned.origin,
                material,
            )
        return generate(planned)

    def refusal_outside(self, asked: Request, facts: Planned, cause: Cause) -> Refusal:
        return refusal_of_creation(cause)

    def finish(self, asked: Request, facts: Planned, reply: NewKey | None) -> Outcome:
        kms_key = facts.planned
        if facts.policy is not None:
            kms_key.hand_over(facts.policy.compiled)
        writes: list[Write] = [Put(KMS_KEYS, kms_key)]
        if reply is not None:
            kms_key, writes = with_material(kms_key, reply, asked.now)
        writes.append(room_for_one_more(asked, kms_key))
        additional = None
        if facts.store is not None:
            writes.append(Expect(KEY_STORES, facts.store))
            additional = made_in_store(kms_key)
            kms_key = kms_key.seen_in(facts.store)
        metadata = key_metadata(kms_key)
        return Outcome(
            {"KeyMetadata": metadata},
            writes,
            response_elements={"keyMetadata": metadata},
            additional=additional,
            made=((kms_key.account_id, kms_key.arn),),
        )


def _plan(asked: Asked) -> KmsKey:
    given = asked.call.input
    key_spec, key_usage, origin = _spec_usage_origin(given)
    tags = read_tags(given.Tags)
    key_id = asked.draw()
    if given.MultiRegion:
        key_id = "mrk-" + key_id.replace("-", "")
    choices = asked.settings.new_key_choices
    key_id = choices.key_id(tags) or key_id
    policy = given.Policy
    return KmsKey(
        account_id=asked.caller.account_id,
        region=asked.call.region,
        key_id=key_id,
        created_at=asked.now,
        description=given.Description or "",
        key_spec=key_spec,
        key_usage=key_usage,
        origin=origin,
        state=KeyState.PENDING_IMPORT if origin == "EXTERNAL" else KeyState.ENABLED,
        primary_region=asked.call.region if given.MultiRegion else None,
        key_policy=(
            default_key_policy(asked.caller.account_id, asked.call.region)
            if policy is None
            else policy
        ),
        tags=choices.kept(tags),
        custom_key_store_id=given.CustomKeyStoreId,
        xks_key_id=given.XksKeyId,
    )


def _spec_usage_origin(given: Any) -> tuple[str, str, str]:
    """Return spec, usage and origin of the key that is asked for."""
    if given.KeySpec is not None and given.CustomerMasterKeySpec is not None:
        raise ValidationException(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    key_spec = given.KeySpec or given.CustomerMasterKeySpec or SYMMETRIC_DEFAULT
    origin = given.Origin or "AWS_KMS"
    _check_key_store(given, origin)
    spec = SPECS.get(key_spec)
    if spec is None:
        raise UnsupportedOperationException(f"KeySpec {key_spec} is not supported in this Region.")
    key_usage = given.KeyUsage
    if key_usage is None:
        if key_spec != SYMMETRIC_DEFAULT:
            raise ValidationException(
                "You must specify a KeyUsage value for all KMS keys except for symmetric "
                "encryption keys."
            )
        key_usage = KeyUsage.ENCRYPT_DECRYPT.value
    if key_usage not in spec.usages:
        raise ValidationException(f"KeyUsage {key_usage} is not compatible with KeySpec {key_spec}")
    if origin == "EXTERNAL" and not spec.importable:
        raise ValidationException(f"KeySpec {key_spec} is not supported for Origin {origin}")
    if origin in _IN_KEY_STORES and key_spec != SYMMETRIC_DEFAULT:
        raise ValidationException(f"KeySpec {key_spec} is not supported for Origin {origin}")
    return key_spec, key_usage, origin


def _check_key_store(given: Any, origin: str) -> None:
    """Check that origin, custom key store and external key are given together."""
    if given.CustomKeyStoreId is not None and origin not in _IN_KEY_STORES:
        raise ValidationException(
            f"CustomKeyStoreId can only be specified for Origin {' or '.join(_IN_KEY_STORES)}"
        )
    if given.CustomKeyStoreId is None and origin in _IN_KEY_STORES:
        raise ValidationException(f"CustomKeyStoreId is required for Origin {origin}")
    if given.XksKeyId is not None and origin != EXTERNAL:
        raise ValidationException(f"XksKeyId can only be specified for Origin {EXTERNAL}")
    if given.XksKeyId is None and origin == EXTERNAL:
        raise ValidationException(f"XksKeyId is required for Origin {origin}")
    if given.MultiRegion and origin in _IN_KEY_STORES:
        raise UnsupportedOperationException(f"MultiRegion is not supported for Origin {origin}.")


def _check_store(store: CustomKeyStore, planned: KmsKey, *, is_taken: bool) -> None:
    """Check that a store can hold a new key: connected, of the right type, without its like.

    Raises:
        CustomKeyStoreInvalidStateException: it is not connected.
        UnsupportedOperationException: a store of the other type.
        XksKeyAlreadyInUseException: it holds a KMS key for the external key.
    """
    if store.key_store_type != planned.origin:
        raise UnsupportedOperationException(
            f"Origin {planned.origin} is not supported for custom key store "
            f"{store.key_store_id} of type {store.key_store_type.value}."
        )
    check_connection("CreateKey", store.state, store.key_store_id)
    if is_taken:
        raise XksKeyAlreadyInUseException(
            f"The external key {planned.xks_key_id} is already associated with a KMS key in "
            f"custom key store {store.key_store_id}."
        )
