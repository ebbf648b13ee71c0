"""Key states: every cell of the matrix. Source: reference, sections 4.2 and 4.3.

The table is the reference's, cell by cell; "-" is what the reference does not publish or calls not
applicable. Where a cell depends on the kind of key (the code after `/`), the kind is checked before
the state, and the cell here is that of a key of the right kind.
"""

import pytest

from kagimori.operations.registry import OPERATIONS
from kagimori.rules.keys.states import COLUMNS, STATES, KeyState, check_state, refusal_of
from kagimori.rules.refusal import (
    DisabledException,
    KMSInvalidStateException,
    UnsupportedOperationException,
)

ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EXTERNAL = f"{ARN} origin is EXTERNAL which is not valid for this operation."

#                       Enabled Disabled PD PendingImport Unavailable Creating Updating
MATRIX = {
    "CancelKeyDeletion": "s4 s4 ok s4 s4 s4 s4",
    "CreateAlias": "ok ok s3 ok ok ok ok",
    "CreateGrant": "ok s1 s3 s5 ok s14 ok",
    "Encrypt": "ok s1 s3 s5 s11 s14 ok",
    "Decrypt": "ok s1 s3 s5 s11 s14 ok",
    "ReEncrypt": "ok s1 s3 s5 s11 s14 ok",
    "GenerateDataKey": "ok s1 s3 s5 s11 s14 ok",
    "GenerateDataKeyWithoutPlaintext": "ok s1 s3 s5 s11 s14 ok",
    "GenerateDataKeyPair": "ok s1 s3 s5 s7 s14 ok",
    "GenerateDataKeyPairWithoutPlaintext": "ok s1 s3 s5 s7 s14 ok",
    "Sign": "ok s1 s3 s5 - s14 ok",
    "Verify": "ok s1 s3 s5 - s14 ok",
    "GenerateMac": "ok s1 s3 s5 - s14 ok",
    "VerifyMac": "ok s1 s3 s5 - s14 ok",
    "DeriveSharedSecret": "ok s1 s3 s5 - s14 ok",
    "Encapsulate": "ok s1 s3 s5 - s14 ok",
    "Decapsulate": "ok s1 s3 s5 - s14 ok",
    "GetPublicKey": "ok ok s3 ok - s14 ok",
    "DeleteAlias": "ok ok ok ok ok ok ok",
    "DescribeKey": "ok ok ok ok ok ok ok",
    "GetKeyPolicy": "ok ok ok ok ok ok ok",
    "PutKeyPolicy": "ok ok ok ok ok ok ok",
    "ListKeyPolicies": "ok ok ok ok ok ok ok",
    "ListAliases": "ok ok ok ok ok ok ok",
    "ListGrants": "ok ok ok ok ok ok ok",
    "ListResourceTags": "ok ok ok ok ok ok ok",
    "RetireGrant": "ok ok ok ok ok ok ok",
    "RevokeGrant": "ok ok ok ok ok ok ok",
    "EnableKey": "ok ok s3 s5 ok s14 s15",
    "DisableKey": "ok ok s3 s5 ok s14 s15",
    "EnableKeyRotation": "ok s1 s3 s6 s7 s14 ok",
    "DisableKeyRotation": "ok s1 s3 s6 s7 s14 ok",
    # PendingImport is s6 in the older text: EXTERNAL keys are accepted since they rotate on demand.
    "GetKeyRotationStatus": "ok ok ok - - ok ok",
    "RotateKeyOnDemand": "ok s1 s3 s5 s7 s14 ok",
    "ListKeyRotations": "ok ok ok ok - ok ok",
    "GetKeyLastUsage": "ok ok ok ok ok ok ok",
    "GetParametersForImport": "ok ok s8 ok s9 s14 s15",
    # PD is s9 in the newest table, s8 for importable keys in the one before: a key of the right
    # kind can only be told s8.
    "ImportKeyMaterial": "ok ok s8 ok s9 s14 ok",
    "DeleteImportedKeyMaterial": "ok ok ok ok - s14 s15",
    "ReplicateKey": "ok s1 s3 s5 - s14 s15",
    "UpdatePrimaryRegion": "ok s1 s3 s5 - s14 ok",
    "ScheduleKeyDeletion": "ok ok s3 ok ok ok s15",
    "TagResource": "ok ok s3 ok ok ok ok",
    "UntagResource": "ok ok s3 ok ok ok ok",
    "UpdateKeyDescription": "ok ok s3 ok ok ok ok",
    "UpdateAlias": "ok ok s3 ok ok ok ok",
}
STATES_OF_COLUMN = {
    "Enabled": ("Enabled",),
    "Disabled": ("Disabled",),
    "PD": ("PendingDeletion", "PendingReplicaDeletion"),
    "PendingImport": ("PendingImport",),
    "Unavailable": ("Unavailable",),
    "Creating": ("Creating",),
    "Updating": ("Updating",),
}
# s7 and s9 name the origin of a key in a custom key store; those are refused before, by kind.
REFUSALS = {
    "s1": (DisabledException, f"{ARN} is disabled."),
    "s3": (KMSInvalidStateException, f"{ARN} is pending deletion."),
    "s4": (KMSInvalidStateException, f"{ARN} is not pending deletion."),
    "s5": (KMSInvalidStateException, f"{ARN} is pending import."),
    "s6": (UnsupportedOperationException, EXTERNAL),
    "s7": (UnsupportedOperationException, None),
    "s8": (KMSInvalidStateException, f"{ARN} is pending deletion."),
    "s9": (UnsupportedOperationException, None),
    "s11": (KMSInvalidStateException, f"{ARN} is unavailable."),
    "s14": (KMSInvalidStateException, f"{ARN} is creating."),
    "s15": (KMSInvalidStateException, f"{ARN} is updating."),
}
CELLS = [
    (operation, state, code)
    for operation, row in MATRIX.items()
    for column, code in zip(STATES_OF_COLUMN, row.split(), strict=True)
    for state in STATES_OF_COLUMN[column]
    if code != "-"
]


class InState:
    """A key in a state: of our own HSM, or in the custom key store of a cluster."""

    arn, is_external = ARN, False

    def __init__(self, state):
        self.visible_state = KeyState(state)
        self.origin = "AWS_CLOUDHSM" if state == "Unavailable" else "EXTERNAL"


def expected(code, state):
    kind, message = REFUSALS[code]
    if code in ("s7", "s9") and state == "Unavailable":
        message = f"{ARN} origin is AWS_CLOUDHSM which is not valid for this operation."
    if state == "PendingReplicaDeletion" and message is not None:
        message = message.replace("pending deletion", "pending replica deletion")
    return kind, message


@pytest.mark.parametrize(("operation", "state", "code"), CELLS)
def test_cell(operation, state, code):
    if code == "ok":
        check_state(operation, InState(state))
        return
    kind, message = expected(code, state)
    with pytest.raises(kind) as refused:
        check_state(operation, InState(state))
    assert type(refused.value) is kind
    assert refused.value.message == message


def test_the_table_has_every_operation_on_a_key_and_no_other():
    offered = {name for service, name in OPERATIONS if service == "kms"}
    on_no_key = {"CreateKey", "GenerateRandom", "ListKeys", "ListRetirableGrants"}
    custom_key_stores = {name for name in offered if "CustomKeyStore" in name}
    assert set(MATRIX) == offered - on_no_key - custom_key_stores
    assert set(STATES) <= set(MATRIX)


def test_every_state_has_a_column():
    assert set(COLUMNS) == set(STATES_OF_COLUMN)
    assert {s for states in STATES_OF_COLUMN.values() for s in states} == set(KeyState)
    assert all(len(row) == len(COLUMNS) for row in STATES.values())


@pytest.mark.parametrize("code", REFUSALS)
def test_disabled_exception_is_for_disabled_keys_alone(code):
    state = {
        "s1": "Disabled",
        "s5": "PendingImport",
        "s11": "Unavailable",
        "s14": "Creating",
        "s15": "Updating",
    }
    refusal = refusal_of(code, KeyState(state.get(code, "PendingDeletion")), ARN)
    assert isinstance(refusal, DisabledException) == (code == "s1")


def test_an_external_key_that_is_unavailable_has_the_words_of_its_store():
    key = InState("Unavailable")
    key.is_external = True
    with pytest.raises(KMSInvalidStateException, match="not connected to its external key store"):
        check_state("Encrypt", key)
