"""Custom key stores, step by step: who may, what is asked of which holder, and what is kept."""

import pytest

from kagimori.entities.tables import KEY_STORES, KMS_KEYS
from kagimori.operations.kms.duties import Due, duty_of
from kagimori.operations.registry import OPERATIONS
from kagimori.ports import ExpectAtMost, Outside
from kagimori.rules.entity import changed
from kagimori.rules.key_stores.asks import CheckStore
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.key_stores.refusals import (
    CustomKeyStoreHasCMKsException,
    CustomKeyStoreInvalidStateException,
    CustomKeyStoreNameInUseException,
    CustomKeyStoreNotFoundException,
    XksKeyAlreadyInUseException,
)
from kagimori.rules.key_stores.states import ConnectionState
from kagimori.rules.refusal import (
    AccessDeniedException,
    InvalidMarkerException,
    LimitExceededException,
    UnsupportedOperationException,
    ValidationException,
)
from kagimori_boundary import commands
from kagimori_boundary.commands import ForgetMaterial
from kagimori_boundary.replies import Bytes
from kit.hsm import ciphertext_of, reply_to
from kit.trial import ACCOUNT, MODELS, OTHER, REGION, Trial, allow, deny

CREDENTIAL = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43}
CLUSTER = {
    "CloudHsmClusterId": "cluster-3a23b4cdefg",
    "KeyStorePassword": "password",
    "TrustAnchorCertificate": "PEM",
}
SEALED = Bytes(b"sealed")


@pytest.fixture
def trial():
    return Trial()


def external(name="one", **members):
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": "https://xks.example.com",
        "XksProxyUriPath": f"/{name}/kms/xks/v1",
        "XksProxyAuthenticationCredential": CREDENTIAL,
        **members,
    }


def made(trial, **members):
    tried = trial.call("CreateCustomKeyStore", SEALED, **(members or external()))
    return tried.answer["CustomKeyStoreId"]


def stored(trial, store, region=REGION):
    return trial.view.one(KEY_STORES, (ACCOUNT, region, store))


def in_state(trial, store, state):
    before = stored(trial, store)
    trial.view.put(KEY_STORES, changed(before, state=ConnectionState(state)))


def key_in(trial, store, **members):
    members = members or {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "k1"}
    tried = trial.call("CreateKey", reply_to, CustomKeyStoreId=store, **members)
    return tried.answer["KeyMetadata"]["Arn"]


def connected(trial, **members):
    store = made(trial, **members)
    in_state(trial, store, "CONNECTED")
    return store


def test_each_of_the_six_needs_its_permission_and_knows_who_calls(trial):
    store = made(trial)
    nobody = trial.user("nobody")
    for operation, members in (
        ("CreateCustomKeyStore", external("two")),
        ("ConnectCustomKeyStore", {"CustomKeyStoreId": store}),
        ("DisconnectCustomKeyStore", {"CustomKeyStoreId": store}),
        ("UpdateCustomKeyStore", {"CustomKeyStoreId": store}),
        ("DeleteCustomKeyStore", {"CustomKeyStoreId": "cks-nobodys"}),
        ("DescribeCustomKeyStores", {}),
    ):
        with pytest.raises(AccessDeniedException):
            trial.call(operation, SEALED, by=nobody, **members)
    statement = allow("kms:*CustomKeyStore*")
    statement["Condition"] = {"StringEquals": {"kms:CallerAccount": ACCOUNT}}
    alice = trial.user("alice", statement)
    assert trial.call("DescribeCustomKeyStores", by=alice).answer["CustomKeyStores"]
    assert trial.call("CreateCustomKeyStore", SEALED, by=alice, **external("two")).answer


def test_a_new_store_is_checked_sealed_and_disconnected(trial):
    tried = trial.call("CreateCustomKeyStore", SEALED, **external())
    assert tried.command == CheckStore("s" * 43, reach=True)
    store = stored(trial, tried.answer["CustomKeyStoreId"])
    assert store.key_store_id.startswith("cks-")
    assert len(store.key_store_id) == 21
    assert (store.state, store.sealed_secret) == (ConnectionState.DISCONNECTED, b"sealed")
    assert tried.outcome.response_elements == {"CustomKeyStoreId": store.key_store_id}


def test_a_proxy_inside_is_not_asked_before_it_is_connected(trial):
    service = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
    members = external(
        XksProxyConnectivity="VPC_ENDPOINT_SERVICE", XksProxyVpcEndpointServiceName=service
    )
    tried = trial.call("CreateCustomKeyStore", SEALED, **members)
    assert tried.command == CheckStore("s" * 43, reach=False)
    (entry,) = trial.call("DescribeCustomKeyStores").answer["CustomKeyStores"]
    assert entry["XksProxyConfiguration"]["VpcEndpointServiceName"] == service
    assert entry["XksProxyConfiguration"]["VpcEndpointServiceOwner"] == ACCOUNT


def test_names_are_unique_and_an_account_has_ten_in_a_region(trial):
    made(trial)
    with pytest.raises(CustomKeyStoreNameInUseException):
        made(trial, **external())
    for number in range(9):
        made(trial, **external(f"n{number}"))
    with pytest.raises(LimitExceededException):
        made(trial, **external("eleventh"))
    tried = trial.call("CreateCustomKeyStore", SEALED, region="eu-west-1", **external())
    assert tried.answer, "each region counts for itself"


def test_two_who_create_at_once_do_not_pass_each_other(trial):
    tried = trial.call("CreateCustomKeyStore", SEALED, **external())
    expectations = [w for w in tried.outcome.writes if isinstance(w, ExpectAtMost)]
    assert [(one.values, one.most) for one in expectations] == [((ACCOUNT, REGION), 1)]


def test_a_store_is_another_accounts_for_nobody(trial):
    store = made(trial)
    other = trial.root(OTHER)
    for operation in ("ConnectCustomKeyStore", "DeleteCustomKeyStore", "UpdateCustomKeyStore"):
        with pytest.raises(CustomKeyStoreNotFoundException):
            trial.call(operation, SEALED, by=other, CustomKeyStoreId=store)
    assert trial.call("DescribeCustomKeyStores", by=other).answer["CustomKeyStores"] == []
    with pytest.raises(CustomKeyStoreNotFoundException):
        trial.call("DescribeCustomKeyStores", by=other, CustomKeyStoreId=store)
    with pytest.raises(CustomKeyStoreNotFoundException):
        trial.call(
            "CreateKey",
            by=other,
            Origin="EXTERNAL_KEY_STORE",
            XksKeyId="k",
            CustomKeyStoreId=store,
        )


def test_stores_are_listed_in_pages_by_name_and_by_id(trial):
    ids = sorted(made(trial, **external(f"n{number}")) for number in range(5))
    found, marker = [], {}
    while True:
        page = trial.call("DescribeCustomKeyStores", Limit=2, **marker).answer
        found += [entry["CustomKeyStoreId"] for entry in page["CustomKeyStores"]]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert found == ids
    (entry,) = trial.call("DescribeCustomKeyStores", CustomKeyStoreName="n3").answer[
        "CustomKeyStores"
    ]
    assert entry["CustomKeyStoreName"] == "n3"
    with pytest.raises(ValidationException):
        trial.call("DescribeCustomKeyStores", CustomKeyStoreName="n3", CustomKeyStoreId=ids[0])
    with pytest.raises(CustomKeyStoreNotFoundException):
        trial.call("DescribeCustomKeyStores", CustomKeyStoreName="nobody")
    with pytest.raises(InvalidMarkerException):
        trial.call("DescribeCustomKeyStores", Marker="bm9uZQ==")


def test_connecting_is_noted_and_done_later(trial):
    store = made(trial)
    tried = trial.call("ConnectCustomKeyStore", CustomKeyStoreId=store)
    assert (tried.answer, tried.command) == ({}, None)
    assert stored(trial, store).state is ConnectionState.CONNECTING
    assert stored(trial, store).due_at == trial.now
    assert not trial.call("ConnectCustomKeyStore", CustomKeyStoreId=store).outcome.writes
    in_state(trial, store, "CONNECTED")
    assert not trial.call("ConnectCustomKeyStore", CustomKeyStoreId=store).outcome.writes


def test_a_cluster_is_released_in_the_background(trial):
    store = connected(trial, CustomKeyStoreName="c", **CLUSTER)
    tried = trial.call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert tried.outcome.additional == {
        "customKeyStoreName": "c",
        "clusterId": "cluster-3a23b4cdefg",
    }
    assert stored(trial, store).state is ConnectionState.DISCONNECTING
    for operation in ("ConnectCustomKeyStore", "DeleteCustomKeyStore", "DisconnectCustomKeyStore"):
        with pytest.raises(CustomKeyStoreInvalidStateException):
            trial.call(operation, CustomKeyStoreId=store)


def test_updates_ask_for_what_they_change(trial):
    store = made(trial)
    update = {"CustomKeyStoreId": store}
    tried = trial.call("UpdateCustomKeyStore", **update, NewCustomKeyStoreName="new")
    assert tried.command is None
    assert stored(trial, store).name == "new"
    assert trial.call("UpdateCustomKeyStore", **update).outcome.writes == ()
    tried = trial.call("UpdateCustomKeyStore", Bytes(b""), **update, XksProxyUriPath="/kms/xks/v1")
    assert tried.command == CheckStore("", reach=True)
    assert stored(trial, store).sealed_secret == b"sealed", "the secret is the one it had"
    tried = trial.call(
        "UpdateCustomKeyStore",
        Bytes(b"anew"),
        **update,
        XksProxyAuthenticationCredential={**CREDENTIAL, "AccessKeyId": "B" * 20},
    )
    assert stored(trial, store).sealed_secret == b"anew"
    assert stored(trial, store).proxy.access_key_id == "B" * 20
    in_state(trial, store, "CONNECTED")
    trial.call("UpdateCustomKeyStore", **update, NewCustomKeyStoreName="while-connected")
    with pytest.raises(CustomKeyStoreInvalidStateException):
        trial.call("UpdateCustomKeyStore", **update, XksProxyUriEndpoint="https://b.example.com")


def test_another_cluster_must_be_related(trial):
    store = made(trial, CustomKeyStoreName="c", **CLUSTER)
    operation = OPERATIONS["kms", "UpdateCustomKeyStore"]
    assert operation.refusal_outside(None, None, Cause.TRUST_ANCHOR).code == (
        "CloudHsmClusterNotRelatedException"
    )
    tried = trial.call(
        "UpdateCustomKeyStore",
        Bytes(b""),
        CustomKeyStoreId=store,
        CloudHsmClusterId="cluster-2a23b4cdefg",
    )
    assert tried.command == CheckStore("", reach=True)
    assert tried.facts.outside.place.store.cluster_id == "cluster-2a23b4cdefg"


def test_a_store_is_deleted_once_it_is_disconnected_and_empty(trial):
    store = connected(trial)
    key_in(trial, store)
    with pytest.raises(CustomKeyStoreInvalidStateException):
        trial.call("DeleteCustomKeyStore", CustomKeyStoreId=store)
    trial.call("DisconnectCustomKeyStore", CustomKeyStoreId=store)
    assert stored(trial, store).state is ConnectionState.DISCONNECTED
    with pytest.raises(CustomKeyStoreHasCMKsException):
        trial.call("DeleteCustomKeyStore", CustomKeyStoreId=store)
    empty = made(trial, **external("empty"))
    tried = trial.call("DeleteCustomKeyStore", CustomKeyStoreId=empty)
    assert stored(trial, empty) is None
    assert any(isinstance(write, ExpectAtMost) for write in tried.outcome.writes)


def test_a_key_is_made_where_its_store_is(trial):
    store = connected(trial)
    tried = trial.call(
        "CreateKey",
        reply_to,
        CustomKeyStoreId=store,
        Origin="EXTERNAL_KEY_STORE",
        XksKeyId="k1",
    )
    assert isinstance(tried.command, commands.GenerateKey)
    assert tried.facts.outside.place.key_name == "k1"
    assert tried.facts.outside.purpose.operation == "CreateKey"
    with pytest.raises(XksKeyAlreadyInUseException):
        key_in(trial, store)
    cluster = connected(trial, CustomKeyStoreName="c", **CLUSTER)
    tried = trial.call("CreateKey", reply_to, CustomKeyStoreId=cluster, Origin="AWS_CLOUDHSM")
    metadata = tried.answer["KeyMetadata"]
    assert metadata["CloudHsmClusterId"] == "cluster-3a23b4cdefg"
    assert "backingKeyId" in tried.outcome.additional["backingKey"]


def test_conditions_see_the_origin_of_the_key_to_be(trial):
    store = connected(trial)
    refusing = deny("kms:CreateKey")
    refusing["Condition"] = {"StringEquals": {"kms:KeyOrigin": "EXTERNAL_KEY_STORE"}}
    alice = trial.user("alice", allow("kms:*"), refusing)
    with pytest.raises(AccessDeniedException):
        trial.call(
            "CreateKey",
            by=alice,
            CustomKeyStoreId=store,
            Origin="EXTERNAL_KEY_STORE",
            XksKeyId="k1",
        )
    assert trial.call("CreateKey", reply_to, by=alice).answer


def test_random_bytes_come_from_the_cluster_that_is_named(trial):
    cluster = connected(trial, CustomKeyStoreName="c", **CLUSTER)
    tried = trial.call("GenerateRandom", Bytes(b"x"), NumberOfBytes=1, CustomKeyStoreId=cluster)
    assert tried.facts.outside.place.store.key_store_id == cluster
    in_state(trial, cluster, "FAILED")
    with pytest.raises(CustomKeyStoreInvalidStateException):
        trial.call("GenerateRandom", NumberOfBytes=1, CustomKeyStoreId=cluster)
    with pytest.raises(UnsupportedOperationException):
        trial.call("GenerateRandom", NumberOfBytes=1, CustomKeyStoreId=connected(trial))


def test_no_command_about_a_key_of_a_store_goes_to_our_own_hsm(trial):
    """Every operation that asks something of a holder says where the key is."""
    key = key_in(trial, connected(trial))
    kms_key = next(one for one in trial.view.all(KMS_KEYS) if one.arn == key)
    blob = ciphertext_of(kms_key.current_material_id)
    members = {
        "KeyId": key,
        "Plaintext": b"x",
        "CiphertextBlob": blob,
        "SourceKeyId": key,
        "DestinationKeyId": key,
        "KeySpec": "AES_256",
        "KeyPairSpec": "ECC_NIST_P256",
        "Message": b"x",
        "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": b"x",
        "Mac": b"x",
        "MacAlgorithm": "HMAC_SHA_256",
        "PublicKey": b"x",
        "KeyAgreementAlgorithm": "ECDH",
        "EncapsulationAlgorithm": "ML_KEM",
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
        "ImportToken": b"x",
        "EncryptedKeyMaterial": b"x",
        "ReplicaRegion": "eu-west-1",
        "PrimaryRegion": "eu-west-1",
    }
    asked = set()
    for (service, name), operation in OPERATIONS.items():
        if service != "kms" or name in ("CreateKey", "GenerateRandom", "CreateCustomKeyStore"):
            continue
        taken = _members_of(name)
        if not taken & {"KeyId", "SourceKeyId"}:
            continue
        given = {member: members[member] for member in taken & members.keys()}
        seen = []
        try:
            trial.copy().call(name, lambda command, seen=seen: seen.append(command), **given)
        except Exception:
            pass
        if seen and seen[0] is not None:
            asked.add(name)
            fresh = trial.copy()
            request = fresh.asked(name, **given)
            facts = operation.look_up(request)
            assert isinstance(facts.outside, Outside), name
    assert asked == {
        *("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
    }


def _members_of(name):
    return set(MODELS["kms"].operation(name).input_type.__struct_fields__)


def test_a_key_of_a_cluster_is_deleted_there_if_that_can_be(trial):
    store = connected(trial, CustomKeyStoreName="c", **CLUSTER)
    key = key_in(trial, store, Origin="AWS_CLOUDHSM")
    scheduled = trial.call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert scheduled.outcome.additional["customKeyStoreId"] == store
    assert scheduled.outcome.additional["clusterId"] == "cluster-3a23b4cdefg"
    kms_key = next(one for one in trial.view.all(KMS_KEYS) if one.arn == key)
    due = Due(kms_key, kms_key.deletion_at, trial.view)
    duty = duty_of(kms_key, due.now)
    assert isinstance(duty.ask(due), ForgetMaterial)
    assert duty.outside(due).place.store.key_store_id == store
    for reply, status in ((Bytes(b""), "SUCCESS"), (None, "FAILURE")):
        done = duty.finish(due, reply)
        assert status in done.additional["backingKeysDeletionStatus"]
        assert done.afterwards is None
    in_state(trial, store, "DISCONNECTED")
    assert duty.ask(due) is None, "it is not kept for that"
