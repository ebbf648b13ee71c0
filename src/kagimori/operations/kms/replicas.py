"""Multi-Region keys: replicas, and which of a set is primary."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS, MATERIALS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.operations.key_policy_checks import NewPolicy, check_given_policy
from kagimori.operations.kms.multi_region import change_together, members_of
from kagimori.operations.kms.new_keys import room_for_one_more
from kagimori.operations.kms.on_key import AboutKey
from kagimori.operations.kms.on_set import WithMembers
from kagimori.operations.operation import Outcome
from kagimori.ports import Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.import_material import awaiting_everywhere
from kagimori.rules.keys.key_quota import check_room, counted_with
from kagimori.rules.keys.kms_key import BackingKey, KmsKey, Material
from kagimori.rules.keys.metadata import key_metadata
from kagimori.rules.keys.states import KeyState, check_state
from kagimori.rules.keys.tags import read_tags
from kagimori.rules.partitions import partition_of
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.policy.document import pretty
from kagimori.rules.refusal import (
    AlreadyExistsException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Tokens


class Replication(WithMembers, kw_only=True):
    """`kms_key` is the primary; `replica` is planned, and its policy known once it was checked.

    `count` is how many keys the account has in the replica's region.
    """

    replica: KmsKey
    policy: NewPolicy | None = None
    count: int = 0


class ReplicateKey(AboutKey[Replication, Tokens | None]):
    def look_up(self, asked: Asked) -> Replication:
        facts = self.found(asked)
        primary = facts.kms_key
        replica = _planned_replica(asked, primary)
        needs = [*facts.needs, Need("kms:CreateKey", planned=replica)]
        if asked.call.input.Tags:
            needs.append(Need("kms:TagResource", resource="", planned=replica))
        return Replication(tuple(needs), kms_key=primary, replica=replica)

    def read(self, asked: Asked, facts: Replication) -> Replication:
        primary, replica = facts.kms_key, facts.replica
        members = members_of(asked.view, primary)
        check_state(self.name, primary)
        check_primary(primary)
        _check_region(asked, primary, replica.region)
        if any(member.region == replica.region for member in members):
            raise AlreadyExistsException(
                f"A replica of {primary.key_id} already exists in {replica.region}"
            )
        policy = check_given_policy(asked, replica)
        replica = replace(replica, policy_pins=policy.pins)
        together = counted_with(replica.account_id, replica.region)
        count = asked.view.count(KMS_KEYS, "by_manager", together)
        return replace(facts, members=members, replica=replica, policy=policy, count=count)

    def ask(self, asked: Request, allowed: Allowed, facts: Replication) -> Command | None:
        primary, replica = facts.kms_key, facts.replica
        check_room(facts.count, asked.settings.kms_keys_max)
        if primary.origin == "EXTERNAL":
            return None  # ids and descriptions travel, the bytes must be imported there
        tokens = [primary.bound_tokens[key.material_id] for key in primary.backing_keys]
        return commands.ReplicateMaterial(tokens, replica.region)

    def finish(self, asked: Request, facts: Replication, reply: Tokens | None) -> Outcome:
        primary = facts.kms_key
        tokens: Sequence[bytes | None] = [None] * len(primary.backing_keys)
        if reply is not None:
            tokens = reply.key_tokens
        planned = awaiting_everywhere(facts.replica)
        keys = tuple(
            replace(key, key_token=token, expiration_model=None, valid_to=None)
            for key, token in zip(planned.backing_keys, tokens, strict=True)
        )
        regions = (*primary.replica_regions, facts.replica.region)
        replica: KmsKey = replace(planned, backing_keys=keys, replica_regions=regions)
        if facts.policy is not None:
            replica.hand_over(facts.policy.compiled)
        writes: list[Write] = [
            *(
                Put(KMS_KEYS, awaiting_everywhere(changed(m, replica_regions=regions)), m)
                for m in facts.members
            ),
            Put(KMS_KEYS, replica),
            *(Put(MATERIALS, _material(replica, key)) for key in keys),
            room_for_one_more(asked, replica),
        ]
        # The answer is as of the moment the replica is being made.
        shown = replace(replica, state=KeyState.CREATING, current_material_id=None)
        answer: dict[str, Any] = {
            "ReplicaKeyMetadata": key_metadata(shown),
            "ReplicaPolicy": pretty(replica.key_policy, asked.partition),
        }
        if asked.call.input.Tags:
            answer["ReplicaTags"] = [
                {"TagKey": key, "TagValue": value} for key, value in replica.tags.items()
            ]
        elements = {name: answer[name] for name in ("ReplicaKeyMetadata", "ReplicaPolicy")}
        return Outcome(answer, writes, response_elements=elements)


class UpdatePrimaryRegion(AboutKey[WithMembers, None]):
    def look_up(self, asked: Asked) -> WithMembers:
        facts = self.found(asked)
        members = members_of(asked.view, facts.kms_key)
        target = _in_region(members, asked.call.input.PrimaryRegion)
        needs = facts.needs
        if target is not None and target.region != facts.kms_key.region:
            needs = (*needs, Need("kms:UpdatePrimaryRegion", target))
        return WithMembers(needs, kms_key=facts.kms_key, members=members)

    def ask(self, asked: Request, allowed: Allowed, facts: WithMembers) -> Command | None:
        primary = facts.kms_key
        super().ask(asked, allowed, facts)
        check_primary(primary)
        region = asked.call.input.PrimaryRegion
        target = _in_region(facts.members, region)
        if target is None:
            raise NotFoundException(f"A replica of {primary.key_id} does not exist in {region}")
        check_state(self.name, target)
        return None

    def finish(self, asked: Request, facts: WithMembers, reply: None) -> Outcome:
        primary = facts.kms_key
        region = asked.call.input.PrimaryRegion
        elements = {"keyId": primary.arn}
        if region == primary.region:
            return Outcome(response_elements=elements)
        others = [member.region for member in facts.members if member.region != region]
        writes = change_together(
            facts.members, primary_region=region, replica_regions=tuple(others)
        )
        return Outcome(writes=writes, response_elements=elements)


def check_primary(kms_key: KmsKey) -> None:
    """Check that the key is the primary of a multi-Region set.

    Raises:
        UnsupportedOperationException: a replica, or a single-Region key.
    """
    if not kms_key.is_multi_region or kms_key.is_replica:
        raise UnsupportedOperationException(f"{kms_key.arn} is not a multi-region primary key.")


def _planned_replica(asked: Asked, primary: KmsKey) -> KmsKey:
    given = asked.call.input
    return replace(
        primary,
        region=given.ReplicaRegion,
        version=1,
        created_at=asked.now,
        description=given.Description or "",
        state=KeyState.PENDING_IMPORT if primary.origin == "EXTERNAL" else KeyState.ENABLED,
        key_policy=given.Policy or default_key_policy(primary.account_id, given.ReplicaRegion),
        tags=read_tags(given.Tags),
    )


def _check_region(asked: Asked, primary: KmsKey, region: str) -> None:
    if region == primary.region:
        raise ValidationException("The replica Region must be another than the primary Region.")
    regions = asked.settings.regions
    if region not in regions or partition_of(region) != partition_of(primary.region):
        raise ValidationException(f"Region {region} is not available for replica keys.")


def _in_region(members: Sequence[KmsKey], region: str) -> KmsKey | None:
    return next((member for member in members if member.region == region), None)


def _material(replica: KmsKey, key: BackingKey) -> Material:
    return Material(
        region=replica.region,
        material_id=key.material_id,
        account_id=replica.account_id,
        key_id=replica.key_id,
    )
