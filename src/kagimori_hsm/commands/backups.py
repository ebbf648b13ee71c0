"""The keys that encrypt backups: drawn here, and wrapped by the ring that every unsealing opens.

The plain key goes to whoever makes the backup, as a data key does. Back from a backup it comes only
to an operator of an HSM that a root has opened with the sealed domains in the backup itself.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from kagimori_boundary import commands
from kagimori_boundary.commands.backups import sample_context, sample_text
from kagimori_boundary.key_specs import KeyUsage
from kagimori_boundary.replies import Bytes, NewBackupKey, Reply
from kagimori_hsm import ciphertext
from kagimori_hsm.engines.software import BackingKeys
from kagimori_hsm.ring import Rings
from kagimori_hsm.tokens import binding_of

BACKUP_KEY_BYTES: Final = 32
_SYMMETRIC: Final = "SYMMETRIC_DEFAULT"


class BackupCommands:
    """One function for each command about the keys of backups."""

    def __init__(self, rings: Rings, keys: BackingKeys) -> None:
        self._rings, self._keys = rings, keys

    def functions(self) -> dict[type, Callable[[Any], Reply]]:
        return {
            commands.CreateBackupKey: self._create,
            commands.OpenBackupKey: self._open,
        }

    def _create(self, command: commands.CreateBackupKey) -> Reply:
        backup_key = os.urandom(BACKUP_KEY_BYTES)
        wrapped = self._rings.identity().wrap(backup_key, _binding(command.backup_id))
        sample = b""
        if command.sample_key:
            key = self._keys.open(command.sample_key)
            key.check(KeyUsage.ENCRYPT_DECRYPT, _SYMMETRIC)
            text = sample_text(command.backup_id)
            sample = ciphertext.seal(key, text, sample_context(command.backup_id))
        return NewBackupKey(backup_key, wrapped, sample)

    def _open(self, command: commands.OpenBackupKey) -> Reply:
        binding = _binding(command.backup_id)
        return Bytes(self._rings.identity().unwrap(command.wrapped_key, binding))


def _binding(backup_id: str) -> bytes:
    return binding_of("backup", backup_id)
