"""CancelKeyDeletion of a key in a cluster: not once its backing key is being destroyed there."""

import pytest

from kagimori.entities.tables import KEY_STORES, KMS_KEYS
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori.rules.key_stores.states import ConnectionState
from kagimori.rules.refusal import NotFoundException
from kit.hsm import reply_to
from kit.trial import ACCOUNT, REGION, Trial

STORE = CustomKeyStore(
    account_id=ACCOUNT,
    region=REGION,
    key_store_id="cks-0123456789abcdef0",
    name="vault",
    key_store_type=KeyStoreType.CLOUDHSM,
    created_at=0.0,
    state=ConnectionState.CONNECTED,
    cluster_id="cluster-aaaaaaaaaaa",
)
WEEK = 7 * 86_400


@pytest.mark.parametrize("in_cluster", [True, False])
def test_the_waiting_period_of_a_key_in_a_cluster_is_over_when_it_is_over(in_cluster):
    trial = Trial()
    trial.view.put(KEY_STORES, STORE)
    where = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": STORE.key_store_id} if in_cluster else {}
    made = trial.call("CreateKey", reply_to, **where)
    key_id = made.answer["KeyMetadata"]["KeyId"]
    trial.call("ScheduleKeyDeletion", reply_to, KeyId=key_id, PendingWindowInDays=7)
    later = trial.copy()
    trial.now += WEEK - 1
    trial.call("CancelKeyDeletion", reply_to, KeyId=key_id)
    kms_key = trial.view.one(KMS_KEYS, (ACCOUNT, REGION, key_id))
    assert kms_key.deletion_at is None
    later.now = trial.now + 1
    if not in_cluster:
        later.call("CancelKeyDeletion", reply_to, KeyId=key_id)
        return
    with pytest.raises(NotFoundException):
        later.call("CancelKeyDeletion", reply_to, KeyId=key_id)
