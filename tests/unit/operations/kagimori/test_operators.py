"""Dangerous actions as the admin service does them: requests, signatures, execution, alone."""

import json
import re

import pytest
from msgspec.structs import replace

from kagimori.entities.tables import APPROVALS, CLOSED_DOMAIN_KEYS, DOMAINS, KMS_KEYS
from kagimori.operations.kagimori.refusals import (
    ApprovalRequiredException,
    InvalidApprovalException,
    NotApprovedException,
    ResourceNotFoundException,
)
from kagimori.rules.keys.domains import CLOSED, succeeded
from kagimori.rules.keys.kms_key import AWS, KmsKey
from kagimori.rules.operators.approval import OPEN_MAX
from kagimori.rules.refusal import (
    AccessDeniedException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NotFoundException,
    ValidationException,
)
from kagimori_boundary import commands
from kagimori_boundary.commands import ApprovalRequest
from kagimori_boundary.replies import HsmState
from kagimori_boundary.seals import seals_in
from kagimori_client.approvals import NotAsShown
from kagimori_client.approvals import signed_text as by_the_client
from kagimori_hsm.approvals import signed_text as by_the_hsm
from kit.people import DAY, NAMES, Deployment, listed, public, signature
from kit.trial import NOW, OTHER, REGION, allow

KEY_ID = "11111111-2222-4333-8444-555555555555"
ARN = f"arn:aws:kms:{REGION}:{OTHER}:key/{KEY_ID}"
LOCKED = json.dumps({"Version": "2012-10-17", "Statement": []})
OPENED = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)
FOR_OPERATORS = [
    ("ListOperators", {}),
    ("AddOperators", {"Operators": listed("dave"), "Quorum": 1}),
    ("DestroyDomainKeys", {"DomainKeyIds": ["00" * 8]}),
    ("ZeroizeHsm", {}),
    ("RequestApproval", {"Action": "ZeroizeHsm", "Reason": "r"}),
    ("RequestApproval", {"Action": "ReplaceKeyPolicy", "Reason": "r", "KeyId": ARN}),
    ("ListApprovals", {}),
    ("GetApproval", {"RequestId": "00"}),
    ("SignApproval", {"RequestId": "00", "OperatorName": "alice", "Signature": "00" * 64}),
    ("RefuseApproval", {"RequestId": "00", "OperatorName": "alice", "Signature": "00" * 64}),
    ("ExecuteApproval", {"RequestId": "00"}),
]


@pytest.fixture
def bare():
    made = Deployment()
    made.view.put(
        KMS_KEYS,
        KmsKey(account_id=OTHER, region=REGION, key_id=KEY_ID, created_at=NOW, key_policy=LOCKED),
    )
    return made


@pytest.fixture
def deployment(bare):
    bare.add_operators()
    return bare


def policy_of(deployment):
    return deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID)).key_policy


def break_glass(deployment, **options):
    return deployment.approved("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED, **options)


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "members"), FOR_OPERATORS)
def test_no_other_account_may_do_any_of_it(deployment, name, members):
    with pytest.raises(AccessDeniedException):
        deployment.call(name, by=deployment.trial.root(OTHER), **members)


@pytest.mark.parametrize(("name", "members"), FOR_OPERATORS)
def test_a_user_of_the_operators_account_needs_a_policy(deployment, name, members):
    with pytest.raises(AccessDeniedException):
        deployment.call(name, by=deployment.trial.user("bob", allow("kms:*")), **members)


def test_the_permission_bears_the_name_of_the_operation(deployment):
    carol = replace(
        deployment.trial.user("carol", allow("kagimori:RequestApproval")), proof=deployment.proof
    )
    deployment.call("RequestApproval", by=carol, Action="ZeroizeHsm", Reason="r")
    with pytest.raises(AccessDeniedException):
        deployment.call("ListApprovals", by=carol)


# --- the first operators ------------------------------------------------------------------------


def test_the_administrator_adds_the_first_operators(bare):
    assert bare.call("ListOperators").answer == {
        "DeploymentId": "",
        "Quorum": 0,
        "Operators": [],
    }
    answer = bare.add_operators().answer
    assert answer["Operators"] == listed(*NAMES)
    assert (answer["Quorum"], len(answer["DeploymentId"])) == (2, 36)
    assert bare.call("ListOperators").answer == answer


def test_with_operators_their_approval_is_needed_for_everything(deployment):
    for name, members in (
        ("AddOperators", {"Operators": listed("dave"), "Quorum": 1}),
        ("DestroyDomainKeys", {"DomainKeyIds": ["00" * 8]}),
        ("ZeroizeHsm", {}),
    ):
        with pytest.raises(ApprovalRequiredException, match="2 of 3 operators"):
            deployment.call(name, **members)


def test_without_operators_there_are_no_requests(bare):
    with pytest.raises(ApprovalRequiredException, match="AddOperators"):
        bare.request("ZeroizeHsm")
    with pytest.raises(ApprovalRequiredException):
        bare.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)


def test_a_caller_without_proof_adds_nobody(bare):
    with pytest.raises(NotApprovedException):
        bare.call(
            "AddOperators",
            by=replace(bare.administrator, proof=None),
            Operators=listed("mallory"),
            Quorum=1,
        )
    assert bare.kept.roster.operators == ()


@pytest.mark.parametrize(
    ("operators", "quorum", "text"),
    [
        (listed("alice", "alice"), 1, "each once"),
        (listed("alice"), 2, "Quorum must be between 1 and"),
        (
            [{"OperatorName": "a", "PublicKey": public("alice")}, *listed("alice")],
            1,
            "of their own",
        ),
        ([{"OperatorName": "alice", "PublicKey": "00" * 32}], 1, "public key"),
        ([{"OperatorName": "alice", "PublicKey": "01" + "00" * 31}], 1, "public key"),
    ],
)
def test_operators_that_cannot_be_are_refused(bare, operators, quorum, text):
    with pytest.raises(ValidationException, match=text):
        bare.call("AddOperators", Operators=operators, Quorum=quorum)
    assert bare.kept.roster.operators == ()


# --- requests -----------------------------------------------------------------------------------


def test_a_request_shows_all_that_is_signed_and_the_document(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    assert approval["Resource"] == ARN
    assert approval["Document"] == OPENED
    assert approval["State"] == "OPEN"
    assert approval["NotBefore"] - approval["MadeAt"] == DAY
    assert approval["DeploymentId"] == deployment.kept.roster.deployment_id
    shown = deployment.call("GetApproval", RequestId=approval["RequestId"]).answer["Approval"]
    assert shown == approval
    (listed_one,) = deployment.call("ListApprovals").answer["Approvals"]
    assert listed_one == {name: shown[name] for name in shown if name != "Document"}


def test_the_client_signs_the_bytes_that_the_hsm_verifies(deployment):
    approval = deployment.request("AddOperators", Operators=listed("dave"))
    stored = deployment.stored(approval)
    for decision in ("approve", "refuse"):
        assert by_the_client(decision, approval) == by_the_hsm(decision, stored.request)
    odd = replace(stored, reason='"\\\n\x00\x7f\u2028 ålice 🔑', parameters={"å": "\t"})
    shown = {**approval, "Reason": odd.reason, "Parameters": odd.parameters}
    assert by_the_client("approve", shown) == by_the_hsm("approve", odd.request)
    assert json.loads(by_the_client("approve", shown).partition(b"\n")[2])["reason"] == odd.reason


def test_the_client_signs_no_document_of_another_digest(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    with pytest.raises(NotAsShown):
        by_the_client("approve", {**approval, "Document": OPENED + " "})
    with pytest.raises(NotAsShown):
        by_the_client("approve", {name: approval[name] for name in approval if name != "Reason"})


@pytest.mark.parametrize(
    ("action", "members", "kind"),
    [
        ("AddOperators", {}, ValidationException),
        ("AddOperators", {"Operators": listed("alice")}, ValidationException),
        ("AddOperators", {"Operators": listed("dave"), "Quorum": 5}, ValidationException),
        ("AddOperators", {"Operators": listed("dave"), "KeyId": ARN}, ValidationException),
        ("RemoveOperators", {}, ValidationException),
        ("RemoveOperators", {"OperatorNames": ["dave"]}, ResourceNotFoundException),
        ("RemoveOperators", {"OperatorNames": ["alice", "bob"]}, ValidationException),
        ("ChangeQuorum", {}, ValidationException),
        ("ChangeQuorum", {"Quorum": 4}, ValidationException),
        ("ChangeQuorum", {"Quorum": 1, "Policy": "{}"}, ValidationException),
        ("DestroyDomainKeys", {}, ValidationException),
        ("DestroyDomainKeys", {"DomainKeyIds": ["00" * 8]}, ResourceNotFoundException),
        ("ZeroizeHsm", {"Quorum": 1}, ValidationException),
        ("RemoveSeal", {}, ValidationException),
        ("ReplaceKeyPolicy", {"KeyId": ARN}, ValidationException),
        ("ReplaceKeyPolicy", {"Policy": OPENED}, ValidationException),
        ("ReplaceKeyPolicy", {"KeyId": ARN, "Policy": "{"}, MalformedPolicyDocumentException),
        ("ReplaceKeyPolicy", {"KeyId": ARN[:-1] + "6", "Policy": OPENED}, NotFoundException),
    ],
)
def test_what_cannot_be_done_is_not_asked_for(deployment, action, members, kind):
    with pytest.raises(kind):
        deployment.request(action, **members)
    assert deployment.view.all(APPROVALS) == []


def test_the_policy_of_an_aws_managed_key_is_not_asked_for(deployment):
    key = deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID))
    deployment.view.put(KMS_KEYS, replace(key, key_manager=AWS))
    with pytest.raises(ValidationException, match="managed"):
        deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)


def test_so_many_requests_wait_and_no_more_until_they_expire(deployment):
    for _ in range(OPEN_MAX):
        deployment.request("ZeroizeHsm")
    with pytest.raises(LimitExceededException):
        deployment.request("ZeroizeHsm")
    deployment.trial.now += 8 * DAY
    deployment.request("ZeroizeHsm")
    assert {one.state for one in deployment.view.all(APPROVALS)} == {"OPEN", "EXPIRED"}


def test_a_page_of_requests_goes_on_where_the_one_before_ended(deployment):
    made = []
    for _ in range(3):
        made.append(deployment.request("ZeroizeHsm")["RequestId"])
        deployment.trial.now += 1
    first = deployment.call("ListApprovals", MaxResults=2).answer
    rest = deployment.call("ListApprovals", MaxResults=2, NextToken=first["NextToken"]).answer
    ids = [one["RequestId"] for one in (*first["Approvals"], *rest["Approvals"])]
    assert ids == made == sorted(made)


# --- signatures ---------------------------------------------------------------------------------


def test_each_operator_approves_once(deployment):
    approval = deployment.request("ZeroizeHsm")
    after = deployment.sign(approval, "alice")
    assert [one["OperatorName"] for one in after["Approvals"]] == ["alice"]
    with pytest.raises(NotApprovedException, match="already"):
        deployment.sign(approval, "alice")


def test_a_wrong_signature_changes_nothing(deployment):
    approval, other = deployment.request("ZeroizeHsm"), deployment.request("ZeroizeHsm")
    wrong = {
        "of another key": signature(approval, "alice", key="mallory"),
        "of another operator": signature(approval, "bob"),
        "over another request": signature(other, "alice"),
        "over a refusal": signature(approval, "alice", "refuse"),
        "over another reason": signature({**approval, "Reason": "x"}, "alice"),
        "nothing": "00" * 64,
    }
    for name, given in wrong.items():
        with pytest.raises(InvalidApprovalException):
            deployment.call(
                "SignApproval",
                RequestId=approval["RequestId"],
                OperatorName="alice",
                Signature=given,
            )
        assert deployment.stored(approval).approvals == (), name
    with pytest.raises(InvalidApprovalException):
        deployment.sign(approval, "alice", operation="RefuseApproval", key="mallory")
    with pytest.raises(ResourceNotFoundException):
        deployment.sign(approval, "mallory")


def test_a_request_that_does_not_exist_is_not_found(deployment):
    approval = {**deployment.request("ZeroizeHsm"), "RequestId": "00"}
    for name in ("SignApproval", "RefuseApproval"):
        with pytest.raises(ResourceNotFoundException):
            deployment.sign(approval, "alice", operation=name)
    for name in ("GetApproval", "ExecuteApproval"):
        with pytest.raises(ResourceNotFoundException):
            deployment.call(name, RequestId="00")


# --- execution ----------------------------------------------------------------------------------


def test_a_locked_key_gets_a_new_policy_once_it_is_approved_and_nobody_refused(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    with pytest.raises(NotApprovedException, match="0 of 2"):
        deployment.execute(approval)
    deployment.sign(approval, "alice")
    with pytest.raises(NotApprovedException, match="1 of 2"):
        deployment.execute(approval)
    deployment.sign(approval, "carol")
    with pytest.raises(NotApprovedException, match="can refuse"):
        deployment.execute(approval)
    deployment.trial.now += DAY
    assert policy_of(deployment) == LOCKED
    done = deployment.execute(approval)
    assert policy_of(deployment) == OPENED
    assert done.answer["Approval"]["State"] == "EXECUTED"
    assert done.facts.resources == ((OTHER, ARN),), "the owner's trail has a copy of the record"
    assert done.outcome.response_elements == done.answer, "it is recorded in full"
    assert {put.table.name for put in done.outcome.writes} == {"approvals", "domains", "kms_keys"}
    deployment.trial.call("GetKeyPolicy", by=deployment.trial.root(OTHER), KeyId=ARN)


def test_what_was_performed_is_not_performed_again(deployment):
    approval = break_glass(deployment)
    deployment.execute(approval)
    key = deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID))
    deployment.view.put(KMS_KEYS, replace(key, key_policy=LOCKED))
    with pytest.raises(NotApprovedException, match="executed"):
        deployment.execute(approval)
    # Whoever writes the store makes it open again: the HSM knows better, also after a restart.
    deployment.view.put(APPROVALS, replace(deployment.stored(approval), state="OPEN"))
    for _ in range(2):
        with pytest.raises(NotApprovedException, match="HSM"):
            deployment.execute(approval)
        deployment.restart_hsm()
    assert policy_of(deployment) == LOCKED


def test_one_refusal_ends_a_request_for_good(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    for name in NAMES:
        deployment.sign(approval, name)
    after = deployment.refuse(approval, "carol")
    assert (after["State"], after["Refusal"]["OperatorName"]) == ("REFUSED", "carol")
    deployment.trial.now += DAY
    with pytest.raises(NotApprovedException, match="refused"):
        deployment.execute(approval)
    deployment.view.put(APPROVALS, replace(deployment.stored(approval), state="OPEN"))
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.execute(approval)
    assert policy_of(deployment) == LOCKED


def test_an_expired_request_is_neither_signed_nor_performed(deployment):
    approval = break_glass(deployment)
    deployment.trial.now += 7 * DAY
    for attempt in (
        lambda: deployment.execute(approval),
        lambda: deployment.sign(approval, "carol"),
        lambda: deployment.refuse(approval, "carol"),
    ):
        with pytest.raises(NotApprovedException, match="expired"):
            attempt()
    shown = deployment.call("GetApproval", RequestId=approval["RequestId"]).answer["Approval"]
    assert shown["State"] == "EXPIRED"


CHANGED = {
    "deployment_id": KEY_ID,
    "action": "ZeroizeHsm",
    "resource": ARN[:-1] + "6",
    "parameters": {"policy_sha256": "00" * 32},
    "reason": "another",
    "made_by": "arn:aws:iam::111122223333:user/mallory",
    "made_at": 1,
    "not_before": 1,
    "expires_at": int(NOW) + 900 * DAY,
    "mac": b"\x00" * 32,
    "document": LOCKED,
}


@pytest.mark.parametrize("field", CHANGED)
def test_a_request_that_was_changed_in_the_store_is_refused(deployment, field):
    approval = break_glass(deployment)
    key = deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID))
    deployment.view.put(KMS_KEYS, replace(key, key_id=KEY_ID[:-1] + "6"))
    changed = replace(deployment.stored(approval), **{field: CHANGED[field]})
    deployment.view.put(APPROVALS, changed)
    with pytest.raises(NotApprovedException):
        deployment.execute(approval)
    assert policy_of(deployment) == LOCKED
    assert set(CHANGED) >= set(ApprovalRequest.__struct_fields__) - {"request_id"}


def test_a_request_under_another_name_is_refused(deployment):
    approval = break_glass(deployment)
    stored = deployment.stored(approval)
    deployment.view.put(APPROVALS, replace(stored, request_id="00"))
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.execute({"RequestId": "00"})


def test_approvals_that_the_store_invented_count_for_nothing(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    deployment.sign(approval, "alice")
    stored = deployment.stored(approval)
    (one,) = stored.approvals
    for invented in (replace(one, operator="bob"), replace(one, signature="00" * 64), one):
        forged = replace(invented, operator="bob")
        deployment.view.put(APPROVALS, replace(stored, approvals=(one, forged)))
        deployment.trial.now = approval["NotBefore"]
        with pytest.raises(NotApprovedException, match="HSM"):
            deployment.execute(approval)


def test_a_roster_that_the_store_invented_is_not_believed(deployment):
    approval = deployment.request("ReplaceKeyPolicy", KeyId=ARN, Policy=OPENED)
    kept = deployment.kept
    small = replace(kept.roster, quorum=1)
    deployment.view.put(DOMAINS, replace(kept, roster=small))
    deployment.sign(approval, "alice")
    deployment.trial.now += DAY
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.execute(approval)
    deployment.view.put(DOMAINS, replace(kept, roster=type(small)()))
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.call("AddOperators", Operators=listed("mallory"), Quorum=1)


def test_an_operator_who_was_removed_meanwhile_does_not_count(deployment):
    approval = break_glass(deployment)
    removal = deployment.approved("RemoveOperators", OperatorNames=["bob"])
    deployment.execute(removal)
    with pytest.raises(NotApprovedException, match="1 of 2"):
        deployment.execute(approval)
    with pytest.raises(ResourceNotFoundException):
        deployment.sign(approval, "bob")
    deployment.sign(approval, "carol")
    deployment.execute(approval)
    assert policy_of(deployment) == OPENED


def test_an_operator_who_came_back_with_another_key_signs_again(deployment):
    approval = break_glass(deployment, by=["bob", "carol"])
    deployment.execute(deployment.approved("RemoveOperators", OperatorNames=["bob"]))
    again = [{"OperatorName": "bob", "PublicKey": public("dave")}]
    added = deployment.approved("AddOperators", by=["alice", "carol"], Operators=again)
    deployment.execute(added)
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.execute(approval)


def test_a_key_that_is_gone_meanwhile_ends_nothing(deployment):
    approval = break_glass(deployment)
    key = deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID))
    deployment.view._entities[KMS_KEYS.name].clear()
    with pytest.raises(NotFoundException):
        deployment.execute(approval)
    deployment.view.put(KMS_KEYS, key)
    deployment.execute(approval)
    assert policy_of(deployment) == OPENED


def test_operators_and_their_quorum_change_by_approval(deployment):
    deployment.execute(deployment.approved("AddOperators", Operators=listed("dave"), Quorum=3))
    roster = deployment.kept.roster
    assert (roster.quorum, roster.names) == (3, {*NAMES, "dave"})
    with pytest.raises(NotApprovedException, match="2 of 3"):
        deployment.execute(deployment.approved("ChangeQuorum", Quorum=1))
    deployment.execute(deployment.approved("ChangeQuorum", by=["alice", "bob", "dave"], Quorum=1))
    deployment.execute(
        deployment.approved("RemoveOperators", by=["dave"], OperatorNames=["alice", "carol"])
    )
    assert (deployment.kept.roster.quorum, deployment.kept.roster.names) == (1, {"bob", "dave"})


def retired_key(deployment):
    deployment.call("RotateDomainKey", DomainName=REGION)
    (key,) = deployment.kept.stale
    return key.key_id


def test_a_domain_key_to_be_destroyed_is_closed_at_once(deployment):
    current = next(iter(deployment.kept.current_ids))
    with pytest.raises(ValidationException, match="current"):
        deployment.request("DestroyDomainKeys", DomainKeyIds=[current])
    key_id = retired_key(deployment)
    deployment.execute(deployment.approved("DestroyDomainKeys", DomainKeyIds=[key_id]))
    assert [key.state for key in deployment.kept.stale] == [CLOSED]
    assert deployment.view.one(CLOSED_DOMAIN_KEYS, (key_id,)).closed_at == deployment.trial.now


def test_the_administrator_alone_has_a_domain_key_destroyed_without_operators(bare):
    key_id = retired_key(bare)
    answer = bare.call("DestroyDomainKeys", DomainKeyIds=[key_id]).answer
    states = {key["DomainKeyId"]: key["State"] for d in answer["Domains"] for key in d["Keys"]}
    assert states[key_id] == CLOSED


def test_a_seal_is_removed_by_approval(deployment):
    seals = seals_in(deployment.kept.sealed)
    with pytest.raises(ValidationException, match="last"):
        deployment.request("RemoveSeal", SealId=seals[0].seal_id)
    with pytest.raises(ResourceNotFoundException):
        deployment.request("RemoveSeal", SealId="00")
    made = deployment.operator(
        commands.AddSeal("passphrase", "spare", {}, b"correct horse battery")
    )
    change = deployment.worker(commands.MakeSealChange(deployment.kept.sealed))
    after = succeeded(deployment.kept, change.sealed_domains, change.keys)
    deployment.view.put(DOMAINS, after)
    deployment.adopt()
    approval = deployment.approved("RemoveSeal", SealId=made.seal_id)
    assert (approval["Parameters"]["kind"], approval["Parameters"]["label"]) == (
        "passphrase",
        "spare",
    )
    deployment.execute(approval)
    assert [one.seal_id for one in seals_in(deployment.kept.sealed)] == [seals[0].seal_id]
    deployment.restart_hsm()
    assert deployment.hsm.state is HsmState.OPERATIONAL


def test_the_hsm_forgets_every_key_once_that_is_approved(deployment):
    approval = deployment.approved("ZeroizeHsm")
    deployment.execute(approval)
    assert deployment.hsm.state is HsmState.ZEROIZED
    deployment.restart_hsm()
    assert deployment.hsm.state is HsmState.OPERATIONAL
    with pytest.raises(NotApprovedException):
        deployment.execute(approval)


def test_the_administrator_alone_zeroizes_without_operators(bare):
    bare.call("ZeroizeHsm")
    assert bare.hsm.state is HsmState.ZEROIZED


def test_a_crash_before_or_after_the_commit_leaves_all_or_nothing(deployment):
    """Nothing that the HSM answered counts before it is kept; what is kept counts for good."""
    approval = break_glass(deployment)
    request = deployment.stored(approval)
    before = deployment.view.copy()
    deployment.execute(approval, adopt=False)
    after, deployment.trial.view = deployment.view, before
    deployment.view, deployment.trial.view = before, before
    deployment.restart_hsm()
    assert policy_of(deployment) == LOCKED
    assert deployment.stored(approval) == request
    deployment.execute(approval)
    assert policy_of(deployment) == OPENED
    deployment.view, deployment.trial.view = after, after
    deployment.restart_hsm()
    with pytest.raises(NotApprovedException, match="executed"):
        deployment.execute(approval)
    assert policy_of(deployment) == OPENED


def test_a_request_of_another_deployment_with_the_same_operators_is_refused(deployment):
    other = Deployment()
    other.add_operators()
    for one in (deployment, other):
        one.view.put(KMS_KEYS, deployment.view.one(KMS_KEYS, (OTHER, REGION, KEY_ID)))
    approval = break_glass(other)
    deployment.trial.now = other.trial.now
    deployment.view.put(APPROVALS, other.stored(approval))
    with pytest.raises(NotApprovedException, match="HSM"):
        deployment.execute(approval)


def test_no_secret_is_shown(deployment):
    approval = deployment.request("ZeroizeHsm")
    assert deployment.stored(approval).mac.hex() not in json.dumps(approval)
    assert re.fullmatch(r"[0-9a-f]{10}-[0-9a-f]{16}", approval["RequestId"])
