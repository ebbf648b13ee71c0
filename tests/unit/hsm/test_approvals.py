"""What several people must agree on, as the HSM holds it to: roster, requests, signatures, ends.

Promises: plain-keys-stay-inside.
"""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, AccessKeyProof, ApprovalRequest, Role
from kagimori_boundary.commands.approvals import (
    ADD_OPERATORS,
    CHANGE_QUORUM,
    DESTROY_DOMAIN_KEYS,
    REMOVE_OPERATORS,
    REMOVE_SEAL,
    REPLACE_KEY_POLICY,
    ZEROIZE_HSM,
)
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import (
    Bytes,
    DomainKeys,
    Failed,
    Failure,
    HsmState,
    OpenedApproval,
    SealedDomains,
)
from kagimori_boundary.seal_replies import SealProblem
from kagimori_boundary.seals import seals_in
from kagimori_hsm import roster as roster_file
from kagimori_hsm.approvals import canonical, signed_text
from kagimori_hsm.module import Module
from kagimori_hsm.roster import ENDED_MAX, OPERATORS_MAX, Roster, is_public_key
from kagimori_hsm.world import World

ACCOUNT, OTHER, REGION = "111122223333", "444455556666", "eu-west-1"
DAY, HOUR = 86_400, 3600
FORBIDDEN = Failed(Failure.FORBIDDEN)
NOT_APPROVED = Failed(Failure.NOT_APPROVED)
TOO_EARLY = Failed(Failure.TOO_EARLY)
INVALID_SIGNATURE = Failed(Failure.INVALID_SIGNATURE)
NAMES = ("alice", "bob", "carol")
KEYS = {name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)) for name in NAMES}
KEYS["dave"] = Ed25519PrivateKey.from_private_bytes(bytes(32))


def public(name):
    return KEYS[name].public_key().public_bytes_raw()


def as_parameters(names, quorum):
    return {**{f"operator.{name}": public(name).hex() for name in names}, "quorum": str(quorum)}


class Hsm:
    """A module with a clock of its own, and what the service would keep of it."""

    def __init__(self, account=ACCOUNT, refusal_seconds=DAY):
        self.now, self.account, self.refusal_seconds = 1_800_000_000.0, account, refusal_seconds
        self.module = self._new()
        self.kept = self.operator(commands.CreateDomains([IDENTITY_DOMAIN, REGION], account))
        secret = self.operator(commands.CreateSecret(account, "AKIA", ROOT_HOLDER))
        self.proof = AccessKeyProof(account, "AKIA", ROOT_HOLDER, secret.sealed_secret)

    def _new(self):
        world = World(now=lambda: self.now, refusal_seconds=self.refusal_seconds)
        made = Module(bytes(32), memory_locked=False, world=world)
        made.self_test()
        return made

    def operator(self, command):
        return self.module.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.module.perform(Role.WORKER, command)

    def restart(self):
        self.module = self._new()
        self.operator(commands.Unseal(self.kept.sealed_domains))

    def keep(self, reply, *, adopt=True):
        assert isinstance(reply, SealedDomains), reply
        self.kept = reply
        if adopt:
            assert isinstance(self.adopt(), DomainKeys)
        return reply

    def adopt(self):
        return self.operator(commands.AdoptDomains(self.kept.sealed_domains))

    def alone(self, action=ADD_OPERATORS, parameters=None, proof=None):
        given = as_parameters(NAMES, 2) if parameters is None else parameters
        return self.worker(
            commands.PerformAlone(self.kept.sealed_domains, action, given, 0.0, proof or self.proof)
        )

    def open(self, action=REPLACE_KEY_POLICY, parameters=None, *, valid_seconds=7 * DAY):
        """A request, as the service puts it together of what it asked and what the HSM answers."""
        given = {"policy_sha256": "00"} if parameters is None else parameters
        asked = (action, "arn:aws:kms:k", given, "locked out", "arn:aws:iam::alice")
        made = self.worker(
            commands.OpenApproval(self.kept.sealed_domains, *asked, valid_seconds, 0.0)
        )
        if not isinstance(made, OpenedApproval):
            return made
        times = (made.made_at, made.not_before, made.expires_at)
        return ApprovalRequest(made.request_id, made.deployment_id, *asked, *times), made.mac

    def approve(self, request, mac, name):
        signature = signed(request, name)
        return self.worker(
            commands.CheckApproval(self.kept.sealed_domains, request, mac, signature, 0.0)
        )

    def refuse(self, request, mac, name, decision="refuse"):
        signature = signed(request, name, decision)
        return self.worker(
            commands.RefuseApproval(self.kept.sealed_domains, request, mac, signature, 0.0)
        )

    def execute(self, request, mac, names=("alice", "bob"), sealed=None):
        signatures = [signed(request, one) if isinstance(one, str) else one for one in names]
        return self.worker(
            commands.ExecuteApproval(
                sealed or self.kept.sealed_domains, request, mac, signatures, 0.0
            )
        )

    def perform(self, action, parameters, names=("alice", "bob")):
        """All of it: a request, its delay, and its execution."""
        request, mac = self.open(action, parameters)
        self.now += self.refusal_seconds
        return self.execute(request, mac, names)


def signed(request, name, decision="approve"):
    return commands.OperatorSignature(name, KEYS[name].sign(signed_text(decision, request)))


@pytest.fixture
def bare():
    return Hsm()


@pytest.fixture
def hsm(bare):
    bare.keep(bare.alone())
    return bare


# --- the first operators ----------------------------------------------------------------------


def test_the_administrator_adds_the_first_operators_and_nobody_after_that(bare):
    made = bare.keep(bare.alone())
    assert (made.roster.quorum, set(made.roster.operators)) == (2, set(NAMES))
    assert bare.alone(parameters=as_parameters(["dave"], 1)) == NOT_APPROVED
    bare.restart()
    assert bare.alone(parameters=as_parameters(["dave"], 1)) == NOT_APPROVED


def test_the_administrator_is_of_the_operators_account(bare):
    secret = bare.operator(commands.CreateSecret(OTHER, "AKIB", ROOT_HOLDER))
    other = AccessKeyProof(OTHER, "AKIB", ROOT_HOLDER, secret.sealed_secret)
    assert bare.alone(proof=other) == FORBIDDEN
    forged = replace(bare.proof, account_id=ACCOUNT, sealed_secret=secret.sealed_secret)
    assert bare.alone(proof=forged) == Failed(Failure.TOKEN_REFUSED)
    nobody = commands.PerformAlone(
        bare.kept.sealed_domains, ADD_OPERATORS, as_parameters(NAMES, 2), 0.0
    )
    assert bare.worker(nobody) == FORBIDDEN


def test_sealed_domains_from_before_there_were_operators_add_none_afterwards(bare):
    """A worker may have kept an older blob: it is not what the HSM has in force."""
    before = bare.kept
    bare.keep(bare.alone())
    bare.kept, now = before, bare.kept
    assert bare.alone(parameters=as_parameters(["dave"], 1)) == FORBIDDEN
    assert bare.open() == FORBIDDEN
    assert bare.adopt() == FORBIDDEN
    bare.kept = now
    assert isinstance(bare.adopt(), DomainKeys)


def test_a_second_first_roster_is_not_adopted(bare):
    one, two = bare.alone(), bare.alone(parameters=as_parameters(["dave"], 1))
    bare.keep(one)
    bare.kept = two
    assert bare.adopt() == FORBIDDEN
    assert bare.open() == FORBIDDEN


@pytest.mark.parametrize(
    "parameters",
    [
        {"quorum": "1"},
        as_parameters(NAMES, 0),
        as_parameters(NAMES, 4),
        {**as_parameters(NAMES, 2), "quorum": "-1"},
        {**as_parameters(NAMES, 2), "quorum": "two"},
        {**as_parameters(NAMES, 2), "quorum": "2" * 5000},
        {name: value for name, value in as_parameters(NAMES, 2).items() if name != "quorum"},
        {"operator.alice": "zz", "quorum": "1"},
        {"operator.": public("alice").hex(), "quorum": "1"},
        {"operator.a b": public("alice").hex(), "quorum": "1"},
        {"operator.alice\n": public("alice").hex(), "quorum": "1"},
        {"operator.ålice": public("alice").hex(), "quorum": "1"},
        {f"operator.{'a' * 65}": public("alice").hex(), "quorum": "1"},
        {"operator.a": public("alice").hex(), "operator.b": public("alice").hex(), "quorum": "2"},
    ],
    ids=range(14),
)
def test_a_roster_that_cannot_be_is_refused(bare, parameters):
    assert bare.alone(parameters=parameters) == FORBIDDEN


@pytest.mark.parametrize(
    "key",
    [
        b"",
        bytes(31),
        bytes(33),
        bytes(32),  # order 4
        b"\x01" + bytes(31),  # the neutral element: everything verifies under it
        b"\xec" + b"\xff" * 30 + b"\x7f",  # order 2
        b"\xee" + b"\xff" * 30 + b"\x7f",  # the neutral element, not reduced
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ],
    ids=range(8),
)
def test_a_public_key_that_nobody_has_is_refused(bare, key):
    assert not is_public_key(key)
    given = {"operator.alice": key.hex(), "quorum": "1"}
    assert bare.alone(parameters=given) == Failed(Failure.INVALID_PUBLIC_KEY)


def test_there_are_no_more_operators_than_so_many(bare):
    many = {
        f"operator.o{number}": Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        .public_key()
        .public_bytes_raw()
        .hex()
        for number in range(OPERATORS_MAX + 1)
    }
    assert bare.alone(parameters={**many, "quorum": "1"}) == FORBIDDEN
    many.popitem()
    assert isinstance(bare.alone(parameters={**many, "quorum": "1"}), SealedDomains)


def test_without_operators_there_are_no_requests_and_no_key_policy_is_replaced(bare):
    assert bare.open() == FORBIDDEN
    assert bare.alone(REPLACE_KEY_POLICY, {"policy_sha256": "00"}) == NOT_APPROVED
    assert bare.alone("Restore", {}) == NOT_APPROVED


# --- requests and signatures --------------------------------------------------------------------


def test_what_is_signed_is_canonical_json_under_a_line_that_says_the_decision(hsm):
    request, _ = hsm.open()
    line, _, content = signed_text("approve", request).partition(b"\n")
    assert line == b"kagimori approve v1"
    assert json.loads(content)["parameters"] == {"policy_sha256": "00"}
    assert content == canonical(request)
    names = [*json.loads(content)]
    assert names == sorted(names)
    assert set(names) == set(ApprovalRequest.__struct_fields__), "everything is signed"


def test_a_request_has_an_id_and_times_of_the_hsm(hsm):
    (one, _), (two, _) = hsm.open(valid_seconds=HOUR), hsm.open()
    assert one.request_id != two.request_id
    assert one.made_at == int(hsm.now)
    assert (one.not_before, one.expires_at) == (one.made_at + DAY, one.made_at + DAY + HOUR)
    assert one.deployment_id == hsm.kept.roster.deployment_id != ""


@pytest.mark.parametrize("seconds", [-1, 0, 59, 91 * DAY, 2**60])
def test_a_request_is_valid_for_neither_too_short_nor_too_long(hsm, seconds):
    assert hsm.open(valid_seconds=seconds) == FORBIDDEN


def test_an_action_that_nobody_knows_is_not_asked_for(hsm):
    assert hsm.open("Sudo", {}) == Failed(Failure.UNSUPPORTED)


def test_enough_operators_and_the_delay_are_both_needed(hsm):
    request, mac = hsm.open()
    assert hsm.execute(request, mac) == TOO_EARLY
    hsm.now += DAY - 1
    assert hsm.execute(request, mac, NAMES) == TOO_EARLY
    hsm.now += 1
    assert hsm.execute(request, mac, ["alice"]) == NOT_APPROVED
    assert hsm.execute(request, mac, []) == NOT_APPROVED
    assert isinstance(hsm.execute(request, mac), SealedDomains)


def test_one_operator_is_counted_once(hsm):
    request, mac = hsm.open()
    hsm.now += DAY
    assert hsm.execute(request, mac, ["alice", "alice", "alice"]) == NOT_APPROVED


def test_a_signature_of_somebody_else_counts_for_nothing(hsm):
    request, mac = hsm.open()
    hsm.now += DAY
    of_dave = signed(request, "dave")
    for forged in (
        of_dave,
        commands.OperatorSignature("bob", of_dave.signature),
        commands.OperatorSignature("bob", signed(request, "alice").signature),
        commands.OperatorSignature("bob", b""),
        commands.OperatorSignature("bob", bytes(64)),
        signed(request, "bob", "refuse"),
        signed(replace(request, reason="another"), "bob"),
    ):
        assert hsm.execute(request, mac, ["alice", forged]) == NOT_APPROVED
        checked = commands.CheckApproval(hsm.kept.sealed_domains, request, mac, forged, 0.0)
        assert hsm.worker(checked) == INVALID_SIGNATURE
    assert hsm.approve(request, mac, "bob") == Bytes(b"")


OTHER_VALUES = {
    "request_id": "11111111-2222-4333-8444-555555555555",
    "deployment_id": "11111111-2222-4333-8444-555555555555",
    "action": ZEROIZE_HSM,
    "resource": "arn:aws:kms:other",
    "parameters": {"policy_sha256": "01"},
    "reason": "another",
    "made_by": "arn:aws:iam::mallory",
    "made_at": 1,
    "not_before": 1,
    "expires_at": 2_000_000_000,
}


@pytest.mark.parametrize("member", ApprovalRequest.__struct_fields__)
def test_a_request_that_was_changed_is_refused_even_with_signatures_over_the_change(hsm, member):
    request, mac = hsm.open()
    hsm.now += DAY
    changed = replace(request, **{member: OTHER_VALUES[member]})
    signatures = [signed(request, "alice"), signed(request, "bob")]
    assert hsm.execute(changed, mac, signatures) == NOT_APPROVED
    assert hsm.execute(changed, mac) == NOT_APPROVED, "nor with a mac of the one before"
    assert hsm.approve(changed, mac, "alice") == NOT_APPROVED
    assert hsm.refuse(changed, mac, "alice") == NOT_APPROVED


@pytest.mark.parametrize("mac", [b"", bytes(32)])
def test_a_request_that_the_hsm_did_not_make_is_refused(hsm, mac):
    request, _ = hsm.open()
    hsm.now += DAY
    assert hsm.execute(request, mac) == NOT_APPROVED


def test_a_request_of_another_deployment_is_refused(hsm):
    """The same operators, the same keys."""
    other = Hsm()
    other.keep(other.alone())
    request, mac = other.open()
    hsm.now += DAY
    assert hsm.execute(request, mac) == NOT_APPROVED
    ours, of_ours = hsm.open()
    mixed = replace(request, deployment_id=ours.deployment_id)
    assert hsm.execute(mixed, of_ours) == NOT_APPROVED


def test_a_request_is_performed_once(hsm):
    request, mac = hsm.open()
    hsm.now += DAY
    before = hsm.kept.sealed_domains
    hsm.keep(hsm.execute(request, mac))
    for state in ("at once", "after a restart"):
        assert hsm.execute(request, mac) == NOT_APPROVED, state
        assert hsm.approve(request, mac, "carol") == NOT_APPROVED, state
        assert hsm.execute(request, mac, sealed=before) in (FORBIDDEN, NOT_APPROVED), state
        hsm.restart()


def test_a_request_expires(hsm):
    request, mac = hsm.open(valid_seconds=HOUR)
    hsm.now += DAY + HOUR - 1
    assert isinstance(hsm.execute(request, mac), SealedDomains)
    hsm.now += 1
    assert hsm.execute(request, mac) == NOT_APPROVED
    assert hsm.approve(request, mac, "carol") == NOT_APPROVED
    assert hsm.refuse(request, mac, "carol") == NOT_APPROVED


def test_one_operator_can_refuse_what_all_others_approved(hsm):
    request, mac = hsm.open()
    assert hsm.refuse(request, mac, "carol", "approve") == INVALID_SIGNATURE
    assert hsm.refuse(request, mac, "dave") == INVALID_SIGNATURE
    hsm.keep(hsm.refuse(request, mac, "carol"))
    hsm.now += DAY
    assert hsm.execute(request, mac, NAMES) == NOT_APPROVED
    assert hsm.refuse(request, mac, "carol") == NOT_APPROVED
    hsm.restart()
    assert hsm.execute(request, mac, NAMES) == NOT_APPROVED


def test_what_is_over_is_forgotten_once_it_has_expired(hsm):
    request, mac = hsm.open(valid_seconds=HOUR)
    hsm.keep(hsm.refuse(request, mac, "alice"))
    hsm.now += DAY + HOUR
    other = hsm.open()
    hsm.keep(hsm.refuse(*other, "alice"))
    assert hsm.execute(request, mac) == NOT_APPROVED


def test_what_is_over_is_bounded():
    full = Roster(ended={str(number): 10 for number in range(ENDED_MAX)})
    with pytest.raises(roster_file.Refused):
        full.with_ended("one", 10, 5.0)
    assert set(full.with_ended("one", 20, 10.0).ended) == {"one"}


# --- what is performed ----------------------------------------------------------------------------


def test_a_change_of_operators_needs_the_quorum(hsm):
    parameters = as_parameters(["dave"], 3)
    assert hsm.perform(ADD_OPERATORS, parameters, ["alice"]) == NOT_APPROVED
    made = hsm.keep(hsm.perform(ADD_OPERATORS, parameters))
    assert (made.roster.quorum, set(made.roster.operators)) == (3, {*NAMES, "dave"})
    assert hsm.perform(REMOVE_OPERATORS, {"operator_names": "dave", "quorum": "2"}) == NOT_APPROVED
    gone = {"operator_names": "dave,carol", "quorum": "1"}
    made = hsm.keep(hsm.perform(REMOVE_OPERATORS, gone, ["alice", "bob", "dave"]))
    assert (made.roster.quorum, set(made.roster.operators)) == (1, {"alice", "bob"})
    made = hsm.keep(hsm.perform(CHANGE_QUORUM, {"quorum": "2"}, ["bob"]))
    assert made.roster.quorum == 2


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        (ADD_OPERATORS, as_parameters(["alice"], 2)),
        (ADD_OPERATORS, {"operator.dave": public("bob").hex(), "quorum": "2"}),
        (ADD_OPERATORS, {"quorum": "1"}),
        (REMOVE_OPERATORS, {"operator_names": "dave", "quorum": "2"}),
        (REMOVE_OPERATORS, {"operator_names": "alice,bob,carol", "quorum": "0"}),
        (REMOVE_OPERATORS, {"operator_names": "alice,bob", "quorum": "2"}),
        (REMOVE_OPERATORS, {"operator_names": "", "quorum": "1"}),
        (CHANGE_QUORUM, {"quorum": "4"}),
        (CHANGE_QUORUM, {"quorum": "0"}),
        (CHANGE_QUORUM, {}),
        (DESTROY_DOMAIN_KEYS, {}),
        (DESTROY_DOMAIN_KEYS, {"domain_key_ids": "00" * 8}),
        (DESTROY_DOMAIN_KEYS, {"domain_key_ids": "zz"}),
    ],
    ids=range(13),
)
def test_what_cannot_be_done_is_not_done_whoever_approves(hsm, action, parameters):
    assert hsm.perform(action, parameters) == FORBIDDEN


def test_an_operator_who_was_removed_meanwhile_counts_for_nothing(hsm):
    request, mac = hsm.open()
    early = [signed(request, "alice"), signed(request, "bob")]
    hsm.now += DAY
    hsm.keep(hsm.perform(REMOVE_OPERATORS, {"operator_names": "bob", "quorum": "2"}))
    assert hsm.execute(request, mac, early) == NOT_APPROVED
    assert hsm.approve(request, mac, "bob") == INVALID_SIGNATURE
    assert hsm.refuse(request, mac, "bob") == INVALID_SIGNATURE
    assert isinstance(hsm.execute(request, mac, [*early, "carol"]), SealedDomains)


def test_a_rotation_keeps_the_operators(hsm):
    rotated = hsm.worker(commands.RotateDomainKeys(hsm.kept.sealed_domains, [REGION], 0.0))
    assert hsm.keep(rotated).roster == hsm.kept.roster
    assert hsm.kept.roster.quorum == 2
    hsm.operator(commands.CreateDomains(["us-east-1"]))
    assert hsm.open() != FORBIDDEN


def old_keys(hsm):
    return [key.key_id for key in hsm.kept.keys if not key.is_current]


def rotate(hsm, *, adopt=True):
    sealed = hsm.kept.sealed_domains
    hsm.keep(hsm.worker(commands.RotateDomainKeys(sealed, [REGION], 0.0)), adopt=adopt)


def destroy(hsm, key_ids):
    sealed = hsm.kept.sealed_domains
    return hsm.worker(commands.DestroyDomainKeys(sealed, list(key_ids), 0.0))


def test_a_domain_key_need_not_rest_once_its_destruction_is_approved(hsm):
    current = [key.key_id for key in hsm.kept.keys if key.is_current]
    assert hsm.perform(DESTROY_DOMAIN_KEYS, {"domain_key_ids": current[0].hex()}) == FORBIDDEN
    rotate(hsm)
    rotate(hsm)
    one, other = old_keys(hsm)
    hsm.refusal_seconds = 0
    hsm.restart()
    hsm.keep(hsm.perform(DESTROY_DOMAIN_KEYS, {"domain_key_ids": one.hex()}))
    assert set(old_keys(hsm)) == {one, other}, "the keeper destroys it, once nothing needs it"
    assert destroy(hsm, [other]) == FORBIDDEN
    assert destroy(hsm, [one, other]) == FORBIDDEN
    hsm.keep(destroy(hsm, [one]))
    assert old_keys(hsm) == [other]
    assert destroy(hsm, [other]) == FORBIDDEN


def test_a_rotation_that_is_not_in_force_yet_is_not_the_end_of_the_key_before(hsm):
    """A successor without it could not be adopted: the key still wraps what is new."""
    rotate(hsm, adopt=False)
    (old,) = old_keys(hsm)
    order = hsm.perform(DESTROY_DOMAIN_KEYS, {"domain_key_ids": old.hex()})
    hsm.keep(order, adopt=False)
    assert destroy(hsm, [old]) == FORBIDDEN
    hsm.adopt()
    hsm.keep(destroy(hsm, [old]))


PASSPHRASE = b"correct horse battery staple"


def add_seal(hsm):
    made = hsm.operator(commands.AddSeal("passphrase", "spare", {}, PASSPHRASE))
    reply = hsm.worker(commands.MakeSealChange(hsm.kept.sealed_domains))
    hsm.keep(SealedDomains(reply.sealed_domains, reply.keys))
    return made.seal_id


def seal_ids(hsm):
    return [seal.seal_id for seal in seals_in(hsm.kept.sealed_domains)]


def test_a_seal_is_removed_by_operators_and_by_nobody_else_once_there_are_some(hsm):
    (first,) = seal_ids(hsm)
    assert hsm.perform(REMOVE_SEAL, {"seal_id": first}) == FORBIDDEN, "the last one"
    spare = add_seal(hsm)
    before = {key.key_id for key in hsm.kept.keys if key.is_current}
    assert hsm.operator(commands.RemoveSeal(spare)).problem is SealProblem.NOT_APPROVED
    assert hsm.perform(REMOVE_SEAL, {"seal_id": "00"}) == FORBIDDEN
    assert hsm.perform(REMOVE_SEAL, {}) == FORBIDDEN
    assert hsm.perform(REMOVE_SEAL, {"seal_id": spare}, ["alice"]) == NOT_APPROVED
    request, mac = hsm.open(REMOVE_SEAL, {"seal_id": spare})
    hsm.now += DAY
    lost = hsm.execute(request, mac)  # somebody else's change was first: it is asked again
    hsm.keep(hsm.execute(request, mac))
    assert seal_ids(hsm) == [first]
    assert not before & {key.key_id for key in hsm.kept.keys if key.is_current}
    assert hsm.worker(commands.DescribeSeals()).seals[0].seal_id == first
    hsm.restart()
    assert hsm.module.state is HsmState.OPERATIONAL
    assert hsm.execute(request, mac) == NOT_APPROVED
    hsm.kept = lost
    assert hsm.adopt() != DomainKeys(lost.keys), "of a root key that nobody has"


def test_every_key_is_forgotten_once_the_order_is_adopted_and_not_again_after_a_restart(hsm):
    hsm.keep(hsm.perform(ZEROIZE_HSM, {}), adopt=False)
    assert hsm.module.state is HsmState.OPERATIONAL, "it is not kept yet, as far as it knows"
    assert hsm.adopt() == DomainKeys([])
    assert hsm.module.state is HsmState.ZEROIZED
    assert hsm.worker(commands.DescribeDomains()) == Failed(Failure.NOT_OPERATIONAL)
    hsm.restart()
    assert hsm.module.state is HsmState.OPERATIONAL
    assert isinstance(hsm.adopt(), DomainKeys)
    assert hsm.module.state is HsmState.OPERATIONAL


def test_without_operators_the_administrator_destroys_and_zeroizes_alone(bare):
    rotate(bare)
    (old,) = old_keys(bare)
    bare.keep(bare.alone(DESTROY_DOMAIN_KEYS, {"domain_key_ids": old.hex()}))
    bare.keep(destroy(bare, [old]))
    assert old_keys(bare) == []
    bare.keep(bare.alone(ZEROIZE_HSM, {}))
    assert bare.module.state is HsmState.ZEROIZED


def test_the_secret_of_a_roster_is_not_shown():
    assert "sesame" not in repr(Roster(secret=b"sesame"))
