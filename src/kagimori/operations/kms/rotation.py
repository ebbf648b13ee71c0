"""Rotation: settings, on demand, history. The timer does the rotating (`duties.py`)."""

from typing import Any

from kagimori.gate.asked import Request
from kagimori.operations.kms.multi_region import change_together
from kagimori.operations.kms.on_key import KeyFacts, OnKey
from kagimori.operations.kms.on_set import OnSet, WithMembers
from kagimori.operations.operation import Outcome
from kagimori.operations.pages import limit_of, page_of, start_of
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, BackingKey, KmsKey
from kagimori.rules.keys.rotation import (
    PERIOD_DAYS_DEFAULT,
    check_automatic,
    check_kind,
    check_on_demand,
    next_rotation_at,
)
from kagimori.rules.keys.states import KeyState
from kagimori.rules.keys.usage import check_own
from kagimori.rules.refusal import UnsupportedOperationException
from kagimori_boundary.commands import Command


class EnableKeyRotation(OnSet[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: WithMembers) -> Command | None:
        check_automatic(facts.kms_key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: WithMembers, reply: None) -> Outcome:
        kms_key = facts.kms_key
        days = asked.call.input.RotationPeriodInDays or PERIOD_DAYS_DEFAULT
        at = next_rotation_at(kms_key, days, asked.now)
        writes = change_together(facts.members, rotation_period_days=days, rotation_next_at=at)
        return Outcome(writes=writes, response_elements={"keyId": kms_key.arn})


class DisableKeyRotation(OnSet[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: WithMembers) -> Command | None:
        check_automatic(facts.kms_key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: WithMembers, reply: None) -> Outcome:
        if facts.kms_key.rotation_period_days is None:
            return Outcome()
        writes = change_together(facts.members, rotation_period_days=None, rotation_next_at=None)
        return Outcome(writes=writes)


class GetKeyRotationStatus(OnKey[None]):
    read_only = True

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        check_own(facts.kms_key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        kms_key = facts.kms_key
        enabled = kms_key.rotation_period_days is not None
        pending = (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION)
        if kms_key.state in pending:
            enabled = False
        answer: dict[str, Any] = {"KeyId": kms_key.arn, "KeyRotationEnabled": enabled}
        if enabled:
            answer["RotationPeriodInDays"] = kms_key.rotation_period_days
            answer["NextRotationDate"] = kms_key.rotation_next_at
        if kms_key.rotation_on_demand_at is not None:
            answer["OnDemandRotationStartDate"] = kms_key.rotation_on_demand_at
        return Outcome(answer)


class RotateKeyOnDemand(OnSet[None]):
    def ask(self, asked: Request, allowed: Allowed, facts: WithMembers) -> Command | None:
        super().ask(asked, allowed, facts)
        check_kind(facts.kms_key)
        check_on_demand(facts.kms_key, asked.now)
        return None

    def finish(self, asked: Request, facts: WithMembers, reply: None) -> Outcome:
        kms_key = facts.kms_key
        writes = change_together(
            facts.members,
            rotation_on_demand_at=asked.now,
            rotations_on_demand=kms_key.rotations_on_demand + 1,
        )
        answer = {"KeyId": kms_key.arn}
        return Outcome(answer, writes, response_elements=answer)


class ListKeyRotations(OnKey[None]):
    read_only = True

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        if facts.kms_key.key_spec != SYMMETRIC_DEFAULT:
            raise UnsupportedOperationException
        check_own(facts.kms_key)
        return super().ask(asked, allowed, facts)

    def finish(self, asked: Request, facts: KeyFacts, reply: None) -> Outcome:
        given, kms_key = asked.call.input, facts.kms_key
        limit = limit_of(given.Limit, default=100, most=1000)
        everything = given.IncludeKeyMaterial == "ALL_KEY_MATERIAL"
        scope = (self.name, kms_key.arn, str(everything))
        after = start_of(given.Marker, *scope)
        entries = [key for key in kms_key.backing_keys if everything or key.rotated_at is not None]
        if after is not None:
            ids = [key.material_id for key in entries]
            entries = entries[ids.index(after[0]) + 1 :] if after[0] in ids else []
        return Outcome(
            page_of(
                entries,
                limit,
                *scope,
                name="Rotations",
                shown=lambda key: _shown(kms_key, key, everything=everything),
                key=lambda key: [key.material_id],
            )
        )


def _shown(kms_key: KmsKey, key: BackingKey, *, everything: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"KeyId": kms_key.key_id}
    if everything:
        entry["KeyMaterialId"] = key.material_id
        entry["KeyMaterialState"] = _material_state(kms_key, key)
        entry["KeyMaterialDescription"] = key.description
    if everything and kms_key.origin == "EXTERNAL":
        present = key.key_token is not None
        entry["ImportState"] = "IMPORTED" if present else "PENDING_IMPORT"
        if present:
            entry["ExpirationModel"] = key.expiration_model
            entry["ValidTo"] = key.valid_to
    if key.rotated_at is not None:
        entry["RotationDate"] = key.rotated_at
        entry["RotationType"] = key.rotation_type
    return entry


def _material_state(kms_key: KmsKey, key: BackingKey) -> str:
    if key.pending:
        missing = kms_key.is_multi_region and not key.everywhere
        return "PENDING_MULTI_REGION_IMPORT_AND_ROTATION" if missing else "PENDING_ROTATION"
    return "CURRENT" if key.material_id == kms_key.current_material_id else "NON_CURRENT"
