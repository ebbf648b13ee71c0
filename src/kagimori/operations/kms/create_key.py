"""CreateKey."""

from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.key_policy_checks import NewPolicy, check_given_policy
from kagimori.operations.kms.new_keys import generate, with_material
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.key_stores.refusals import CustomKeyStoreNotFoundException
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.metadata import key_metadata
from kagimori.rules.keys.states import KeyState
from kagimori.rules.keys.tags import read_tags
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.refusal import (
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary.commands import Command, StoreMaterial
from kagimori_boundary.key_specs import SPECS, KeyUsage
from kagimori_boundary.replies import NewKey

_IN_KEY_STORES: Final = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")


class Planned(Facts, kw_only=True):
    """The key as it will be, but for its material; `policy` once it has been checked."""

    planned: KmsKey
    policy: NewPolicy | None = None


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
        return Planned(facts.needs, planned=planned, policy=policy)

    def ask(self, asked: Request, allowed: Allowed, facts: Planned) -> Command | None:
        planned = facts.planned
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

    def finish(self, asked: Request, facts: Planned, reply: NewKey | None) -> Outcome:
        kms_key = facts.planned
        if facts.policy is not None:
            kms_key.hand_over(facts.policy.compiled)
        writes: list[Write] = [Put(KMS_KEYS, kms_key)]
        if reply is not None:
            kms_key, writes = with_material(kms_key, reply, asked.now)
        metadata = key_metadata(kms_key)
        return Outcome(
            {"KeyMetadata": metadata},
            writes,
            response_elements={"keyMetadata": metadata},
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
    return key_spec, key_usage, origin


def _check_key_store(given: Any, origin: str) -> None:
    if given.CustomKeyStoreId is not None:
        if origin not in _IN_KEY_STORES:
            raise ValidationException(
                f"CustomKeyStoreId can only be specified for Origin {' or '.join(_IN_KEY_STORES)}"
            )
        raise CustomKeyStoreNotFoundException(
            f"Custom key store {given.CustomKeyStoreId} does not exist"
        )
    if origin in _IN_KEY_STORES:
        raise ValidationException(f"CustomKeyStoreId is required for Origin {origin}")
    if given.XksKeyId is not None:
        raise ValidationException("XksKeyId can only be specified for Origin EXTERNAL_KEY_STORE")
