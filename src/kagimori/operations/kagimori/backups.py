"""The key of a backup, for operators of the deployment; the command makes the backup itself."""

from typing import Final

from kagimori.entities.tables import KMS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.samples import can_make_sample
from kagimori.rules.names import parse_key_ref
from kagimori_boundary.commands import Command
from kagimori_boundary.commands import CreateBackupKey as CreateKeyOfBackup
from kagimori_boundary.replies import NewBackupKey

_CREATE: Final = "kagimori:CreateBackupKey"


class SampleKey(Facts):
    """The KMS key that the known text is encrypted with, if one is named."""

    kms_key: KmsKey | None = None


class CreateBackupKey(Operation[SampleKey, NewBackupKey]):
    """Make the key that encrypts one backup."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> SampleKey:
        check_operator(asked, _CREATE)
        return SampleKey((Need(_CREATE),))

    def read(self, asked: Asked, facts: SampleKey) -> SampleKey:
        named = asked.call.input.KeyId
        if named is None:
            return facts
        ref = parse_key_ref(
            named, account_id=asked.caller.account_id, region=_region_in(named), aliases=False
        )
        view = deployment_view(asked, _CREATE)
        key: KmsKey | None = view.one(KMS_KEYS, (ref.account_id, ref.region, ref.key_id or ""))
        if key is None or not can_make_sample(key):
            raise ResourceNotFoundException(f"There is no enabled symmetric KMS key {named}.")
        return SampleKey(facts.needs, kms_key=key)

    def ask(self, asked: Request, allowed: Allowed, facts: SampleKey) -> Command | None:
        token = None if facts.kms_key is None else facts.kms_key.current_token
        return CreateKeyOfBackup(asked.call.input.BackupId, token or b"")

    def finish(self, asked: Request, facts: SampleKey, reply: NewBackupKey) -> Outcome:
        answer = {"BackupKey": reply.backup_key, "WrappedBackupKey": reply.wrapped_key}
        return Outcome({**answer, "Sample": reply.sample} if reply.sample else answer)


def _region_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - the region's place
