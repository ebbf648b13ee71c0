"""Commands about backups: a key for each, which only a root of the deployment gives back."""

from typing import ClassVar, Final

from kagimori_boundary.commands.command import (
    OPERATOR_ALONE,
    OPERATOR_AND_WORKER,
    HsmCommand,
    Role,
)

SAMPLE_CONTEXT: Final = "kagimori:backup"


class CreateBackupKey(HsmCommand, frozen=True, tag=100):
    """Draw the key that encrypts one backup; answers it in plain and wrapped.

    `sample_key` is a bound token of a symmetric key, or empty: a known text is encrypted with it,
    so that decrypting it later shows that the backup works.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER

    backup_id: str
    sample_key: bytes = b""


class OpenBackupKey(HsmCommand, frozen=True, tag=101):
    """Operator: unwrap the key of one backup. No worker can have the key of an older backup."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    backup_id: str
    wrapped_key: bytes


def sample_text(backup_id: str) -> bytes:
    """Return the text that the sample in a backup is made of."""
    return b"kagimori backup " + backup_id.encode()


def sample_context(backup_id: str) -> dict[str, str]:
    """Return the encryption context of the sample in a backup."""
    return {SAMPLE_CONTEXT: backup_id}
