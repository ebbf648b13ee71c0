"""The KMS keys with which a backup can show that it works: a known text is encrypted with one."""

from typing import Final

from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.states import KeyState

# Elsewhere the HSM has no key material to encrypt with.
_ORIGINS: Final = ("AWS_KMS", "EXTERNAL")


def can_make_sample(kms_key: KmsKey) -> bool:
    """Return whether the HSM itself encrypts with this key now."""
    return (
        kms_key.key_spec == SYMMETRIC_DEFAULT
        and kms_key.origin in _ORIGINS
        and kms_key.state is KeyState.ENABLED
        and kms_key.current_token is not None
    )
