"""Import of one's own key material: parameters out, material in, material gone."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS, MATERIALS
from kagimori.gate.asked import Asked, Request
from kagimori.operations.kms.guarded import check_unused
from kagimori.operations.kms.lost_material import forgetting, material_row, writes_of_loss
from kagimori.operations.kms.on_key import KeyFacts, OnKey
from kagimori.operations.kms.on_set import OnSet, WithMembers
from kagimori.operations.operation import Outcome
from kagimori.ports import Put, Write
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.import_material import (
    PARAMETERS_SECONDS,
    check_expiration,
    check_origin,
    check_wrapping,
    imported,
)
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, BackingKey, KmsKey
from kagimori.rules.keys.states import check_state
from kagimori_boundary import commands
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import ImportParameters, NewKey

_DOES_NOT_EXPIRE: Final = "KEY_MATERIAL_DOES_NOT_EXPIRE"


class GetParametersForImport(OnKey[ImportParameters]):
    read_only = True

    def ask(self, asked: Request, allowed: Allowed, facts: KeyFacts) -> Command | None:
        given, kms_key = asked.call.input, facts.kms_key
        check_origin(kms_key)
        super().ask(asked, allowed, facts)
        check_wrapping(kms_key, given.WrappingAlgorithm, given.WrappingKeySpec)
        return commands.CreateImportParameters(
            kms_key.account_id,
            kms_key.region,
            kms_key.key_id,
            given.WrappingAlgorithm,
            given.WrappingKeySpec,
            asked.now + PARAMETERS_SECONDS,
        )

    def finish(self, asked: Request, facts: KeyFacts, reply: ImportParameters) -> Outcome:
        return Outcome(
            {
                "KeyId": facts.kms_key.arn,
                "ImportToken": reply.import_token,
                "PublicKey": reply.public_key,
                "ParametersValidTo": asked.now + PARAMETERS_SECONDS,
            }
        )


class ImportKeyMaterial(OnSet[NewKey]):
    def ask(self, asked: Request, allowed: Allowed, facts: WithMembers) -> Command | None:
        given, kms_key = asked.call.input, facts.kms_key
        check_origin(kms_key)
        super().ask(asked, allowed, facts)
        check_expiration(given, kms_key, asked.now)
        return commands.ImportMaterial(
            kms_key.account_id,
            kms_key.region,
            kms_key.key_id,
            kms_key.key_spec,
            kms_key.key_usage,
            given.ImportToken,
            given.EncryptedKeyMaterial,
            asked.now,
        )

    def finish(self, asked: Request, facts: WithMembers, reply: NewKey) -> Outcome:
        given, kms_key = asked.call.input, facts.kms_key
        model = given.ExpirationModel or "KEY_MATERIAL_EXPIRES"
        material_id = reply.material_id.hex()
        new = BackingKey(
            material_id=material_id,
            key_token=reply.key_token,
            created_at=asked.now,
            public_key=reply.public_key,
            expiration_model=model,
            valid_to=None if model == _DOES_NOT_EXPIRE else given.ValidTo,
            description=given.KeyMaterialDescription,
        )
        after = imported(
            kms_key,
            new,
            import_type=given.ImportType,
            named_id=given.KeyMaterialId,
            members=facts.members,
        )
        writes: list[Write] = [Put(KMS_KEYS, after, kms_key)]
        if kms_key.backing_key(material_id) is None:
            writes.append(Put(MATERIALS, material_row(kms_key, material_id)))
        writes += _shared_with_members(facts.members, kms_key, after, material_id)
        answer: dict[str, Any] = {"KeyId": kms_key.arn}
        if kms_key.key_spec == SYMMETRIC_DEFAULT:
            answer["KeyMaterialId"] = material_id
        return Outcome(answer, writes, response_elements=answer)


def _shared_with_members(
    members: Sequence[KmsKey], kms_key: KmsKey, after: KmsKey, material_id: str
) -> list[Write]:
    """Let the other members of the set know of the material: its id, its place, not its bytes."""
    writes: list[Write] = []
    new = after.backing_key(material_id)
    if new is None:
        return writes
    for member in members:
        if member.region == kms_key.region:
            continue
        known = member.backing_key(material_id)
        if known is None:
            empty = BackingKey(
                material_id=material_id,
                created_at=new.created_at,
                public_key=new.public_key,
                description=new.description,
                pending=new.pending,
                everywhere=new.everywhere,
            )
            current = member.current_material_id or (None if new.pending else material_id)
            there = changed(
                member,
                backing_keys=(*member.backing_keys, empty),
                current_material_id=current,
            )
            writes += (
                Put(KMS_KEYS, there, member),
                Put(MATERIALS, material_row(member, material_id)),
            )
        elif (known.everywhere, known.description) != (new.everywhere, new.description):
            shared = replace(known, everywhere=new.everywhere, description=new.description)
            keys = tuple(shared if key is known else key for key in member.backing_keys)
            writes.append(Put(KMS_KEYS, changed(member, backing_keys=keys), member))
    return writes


class DeleteImportedKeyMaterial(OnSet[None]):
    def read(self, asked: Asked, facts: WithMembers) -> WithMembers:
        check_origin(facts.kms_key)
        check_state(self.name, facts.kms_key)
        check_unused(asked, facts.kms_key)
        return facts

    def finish(self, asked: Request, facts: WithMembers, reply: None) -> Outcome:
        kms_key = facts.kms_key
        material_id = asked.call.input.KeyMaterialId or kms_key.current_material_id
        answer: dict[str, Any] = {"KeyId": kms_key.arn}
        if material_id is None:
            return Outcome(answer)
        if kms_key.key_spec == SYMMETRIC_DEFAULT:
            answer["KeyMaterialId"] = material_id
        return Outcome(
            answer,
            writes_of_loss(facts.members, kms_key, (material_id,)),
            afterwards=forgetting(kms_key, (material_id,)),
        )
