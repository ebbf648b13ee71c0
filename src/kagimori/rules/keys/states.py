"""The table of key states: which operations work in which state, and the errors otherwise.

Source: KMS Developer Guide, "Key states of AWS KMS keys". A code stands for the error of an
operation in a state; an operation that is not in the table works in every state.
"""

from enum import StrEnum
from typing import Final, Protocol

from kagimori.rules.key_stores.causes import Cause, refusal_of_use
from kagimori.rules.refusal import (
    DisabledException,
    KMSInvalidStateException,
    Refusal,
    UnsupportedOperationException,
)


class KeyState(StrEnum):
    CREATING = "Creating"
    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_IMPORT = "PendingImport"
    PENDING_DELETION = "PendingDeletion"
    PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
    UNAVAILABLE = "Unavailable"
    UPDATING = "Updating"


# Columns, in order; PD stands for both pending-deletion states.
COLUMNS: Final = (
    "Enabled",
    "Disabled",
    "PD",
    "PendingImport",
    "Unavailable",
    "Creating",
    "Updating",
)

OK: Final = "ok"
_CRYPTOGRAPHY: Final = (OK, "s1", "s3", "s5", "s11", "s14", OK)
_DATA_KEY_PAIR: Final = (OK, "s1", "s3", "s5", "s7", "s14", OK)
_SWITCH: Final = (OK, OK, "s3", "s5", OK, "s14", "s15")
_EDIT: Final = (OK, OK, "s3", OK, OK, OK, OK)
_ROTATION: Final = (OK, "s1", "s3", "s6", "s7", "s14", OK)

STATES: Final[dict[str, tuple[str, ...]]] = {
    "CancelKeyDeletion": ("s4", "s4", OK, "s4", "s4", "s4", "s4"),
    "CreateAlias": _EDIT,
    "UpdateAlias": _EDIT,
    "CreateGrant": (OK, "s1", "s3", "s5", OK, "s14", OK),
    "Encrypt": _CRYPTOGRAPHY,
    "Decrypt": _CRYPTOGRAPHY,
    "ReEncrypt": _CRYPTOGRAPHY,
    "GenerateDataKey": _CRYPTOGRAPHY,
    "GenerateDataKeyWithoutPlaintext": _CRYPTOGRAPHY,
    "GenerateDataKeyPair": _DATA_KEY_PAIR,
    "GenerateDataKeyPairWithoutPlaintext": _DATA_KEY_PAIR,
    "Sign": _CRYPTOGRAPHY,
    "Verify": _CRYPTOGRAPHY,
    "GenerateMac": _CRYPTOGRAPHY,
    "VerifyMac": _CRYPTOGRAPHY,
    "DeriveSharedSecret": _CRYPTOGRAPHY,
    "Encapsulate": _CRYPTOGRAPHY,
    "Decapsulate": _CRYPTOGRAPHY,
    "GetPublicKey": (OK, OK, "s3", OK, "s11", "s14", OK),
    "EnableKey": _SWITCH,
    "DisableKey": _SWITCH,
    "EnableKeyRotation": _ROTATION,
    "DisableKeyRotation": _ROTATION,
    "RotateKeyOnDemand": (OK, "s1", "s3", "s5", "s7", "s14", OK),
    "GetParametersForImport": (OK, OK, "s8", OK, "s9", "s14", "s15"),
    "ImportKeyMaterial": (OK, OK, "s8", OK, "s9", "s14", OK),
    "DeleteImportedKeyMaterial": (OK, OK, OK, OK, "s9", "s14", "s15"),
    "ReplicateKey": (OK, "s1", "s3", "s5", "s11", "s14", "s15"),
    "UpdatePrimaryRegion": (OK, "s1", "s3", "s5", "s11", "s14", OK),
    "ScheduleKeyDeletion": (OK, OK, "s3", OK, OK, OK, "s15"),
    "TagResource": _EDIT,
    "UntagResource": _EDIT,
    "UpdateKeyDescription": _EDIT,
}

_COLUMN_OF: Final = {
    state: COLUMNS.index(state.value) for state in KeyState if state in COLUMNS
} | {
    KeyState.PENDING_DELETION: 2,
    KeyState.PENDING_REPLICA_DELETION: 2,
}

# Most operations on most keys: answered without a look at the table.
_WORKS: Final = {
    (operation, state)
    for operation, row in STATES.items()
    for state, column in _COLUMN_OF.items()
    if row[column] == OK
}


class InState(Protocol):
    """A KMS key, as far as its state is concerned."""

    @property
    def visible_state(self) -> KeyState: ...

    @property
    def arn(self) -> str: ...

    @property
    def is_external(self) -> bool: ...

    @property
    def origin(self) -> str: ...


def check_state(operation: str, kms_key: InState) -> None:
    """Check that the operation works in the state that the key is in, as callers see it.

    Raises:
        DisabledException: the key is disabled.
        KMSInvalidStateException: any other state that refuses.
        UnsupportedOperationException: the key's kind refuses in this state (rotation, import).
    """
    if operation not in STATES:
        return
    state = kms_key.visible_state
    if (operation, state) in _WORKS:
        return
    code = STATES[operation][_COLUMN_OF[state]]
    if code == "s11" and kms_key.is_external:
        raise refusal_of_use(Cause.NOT_CONNECTED)
    raise refusal_of(code, state, kms_key.arn, kms_key.origin)


def refusal_of(code: str, state: KeyState, arn: str, origin: str = "EXTERNAL") -> Refusal:
    """Return the refusal for a code of the table; `origin` is the key's."""
    if code == "s1":
        return DisabledException(f"{arn} is disabled.")
    if code == "s4":
        return KMSInvalidStateException(f"{arn} is not pending deletion.")
    if code == "s6" or (code in ("s7", "s9") and state is KeyState.UNAVAILABLE):
        return refusal_of_origin(arn, origin)
    if code in ("s7", "s9"):  # the kind of key is refused in any state, in words of its own
        return UnsupportedOperationException()
    return KMSInvalidStateException(f"{arn} is {_WORDS[state]}.")


def refusal_of_origin(arn: str, origin: str) -> Refusal:
    """Return the refusal of an operation that is not for keys of this origin."""
    return UnsupportedOperationException(
        f"{arn} origin is {origin} which is not valid for this operation."
    )


_WORDS: Final = {
    KeyState.PENDING_DELETION: "pending deletion",
    KeyState.PENDING_REPLICA_DELETION: "pending replica deletion",
    KeyState.PENDING_IMPORT: "pending import",
    KeyState.UNAVAILABLE: "unavailable",
    KeyState.CREATING: "creating",
    KeyState.UPDATING: "updating",
}
