"""The key of a backup from an HSM of the command's own, while nobody serves the deployment."""

import time
from pathlib import Path

from kagimori.backups.making import BackupKey
from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import Opened, opened, with_hsm
from kagimori.entities.tables import KMS_KEYS
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.chance import new_uuid
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.names import parse_key_ref
from kagimori.rules.records.service_event import backup_event
from kagimori_boundary.commands import CreateBackupKey
from kagimori_boundary.replies import NewBackupKey


def own_backup_key(data: Path, backup_id: str, key_arn: str | None) -> BackupKey:
    """Return a key that an HSM, started for this, has made; it is recorded like a server's.

    Raises:
        Unusable: no deployment, or no root of it that needs nobody.
    """
    with opened(data) as deployment:
        token = b"" if key_arn is None else _token(deployment, key_arn)
        command = CreateBackupKey(backup_id, token)
        reply = with_hsm(deployment, lambda ask: ask(command))
        if not isinstance(reply, NewBackupKey):
            raise HsmRefused("the HSM answered something else")
        record = backup_event(
            event_id=new_uuid(),
            now=round(time.time(), 3),
            name="CreateBackupKey",
            account_id=deployment.facts.operator_account_id,
            region=deployment.facts.home_region,
            details={"backupId": backup_id},
        )
        deployment.store.commit((), record)
    return BackupKey(reply.backup_key, reply.wrapped_key, reply.sample)


def _token(deployment: Opened, key_arn: str) -> bytes:
    ref = parse_key_ref(key_arn, account_id="", region=key_arn.split(":")[3], aliases=False)
    key: KmsKey | None = deployment.store.one(
        KMS_KEYS, (ref.account_id, ref.region, ref.key_id or "")
    )
    if key is None or key.current_token is None:
        raise Unusable(f"{key_arn} was changed meanwhile: try again")
    return key.current_token
