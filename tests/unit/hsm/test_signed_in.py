"""Sign-in at the HSM: a session is for a right password, code and token, and for nothing less."""

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import AccessKeyProof, OneCode, Role, SessionProof
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import Bytes, Failed, Failure, SignedIn
from kagimori_hsm.journal import Journal
from kagimori_hsm.module import Module
from kagimori_hsm.refused import Refused
from kagimori_hsm.sign_in_attempts import (
    ACCOUNT,
    NAMED,
    NAMED_AT_SOURCE,
    REMEMBERED_MAX,
    SOURCE,
    TOTAL,
    Attempt,
    Attempts,
)
from kagimori_hsm.world import World
from totp import code

NOW = 1_800_000_000
HOME, OTHER = "111122223333", "444455556666"
ALICE, BOB = "AIDAALICEALICEALICE00", "AIDABOBBOBBOBBOBBOB00"
SERIALS = tuple(f"arn:aws:iam::{HOME}:mfa/{name}" for name in ("phone", "tablet"))
HOUR = 3600
FORBIDDEN, WRONG = Failed(Failure.FORBIDDEN), Failed(Failure.SIGN_IN_FAILED)


class Hsm:
    """A module, whose worker signs people in."""

    def __init__(self):
        self.now = float(NOW)
        world = World(now=lambda: self.now, monotonic=lambda: self.now)
        self.journal = Journal()
        self.module = Module(bytes(32), memory_locked=False, world=world, journal=self.journal)
        self.module.self_test()
        self.operator(commands.CreateDomains(["identity"], HOME))
        self.root = self.access_key(ROOT_HOLDER)
        self.sealed = {
            (HOME, ALICE): self.hashed("right").value,
            (HOME, ROOT_HOLDER): self.hashed("root's", user_id=ROOT_HOLDER).value,
        }
        self.seeds = [self.worker(commands.CreateMfaSeed(serial)) for serial in SERIALS]

    def operator(self, command):
        return self.module.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.module.perform(Role.WORKER, command)

    def access_key(self, holder, account=HOME):
        made = self.operator(commands.CreateSecret(account, "AKIAEXAMPLE", holder))
        return AccessKeyProof(account, "AKIAEXAMPLE", holder, made.sealed_secret)

    def hashed(self, password, account=HOME, user_id=ALICE, proof=None):
        return self.worker(
            commands.HashPassword(account, user_id, password, proof=proof or self.root)
        )

    def sign_in(self, password="right", account=HOME, principal=ALICE, seconds=HOUR, **members):
        given = {
            "named": (account, principal),
            "came_from": "192.0.2.1",
            "password": password,
            "sealed_password": self.sealed.get((account, principal), b""),
            **members,
        }
        begin = int(self.now) + given.pop("since", 0)
        command = commands.SignIn(
            "ASIAEXAMPLE", account, principal, begin, begin + seconds, b"claims", **given
        )
        return self.worker(command)

    def codes(self, seed, *, late=0):
        text = code(self.seeds[seed].base32_seed, self.now + late)
        return tuple(
            OneCode(serial, made.sealed_seed, text, 0, 0, self.now)
            for serial, made in zip(SERIALS, self.seeds, strict=True)
        )

    def token(self, principal=ROOT_HOLDER, proof=None, account=HOME, seconds=600):
        return self.worker(
            commands.CreateSignInToken(
                account, principal, int(self.now) + seconds, proof or self.root
            )
        )

    def entries(self):
        return [msgspec.json.decode(entry) for entry in self.journal.take()]


@pytest.fixture
def hsm(monkeypatch):
    # What a hash costs is measured elsewhere; here are many of them.
    monkeypatch.setattr("kagimori_hsm.commands.passwords._COST", 2)
    return Hsm()


def test_a_right_password_makes_a_session_that_opens(hsm):
    hsm.entries()
    made = hsm.sign_in()
    assert isinstance(made, SignedIn)
    opened = hsm.worker(
        commands.OpenSession("ASIAEXAMPLE", made.session_token, "20270115", "us-east-1", "kms")
    )
    assert (opened.kind, opened.account_id, opened.principal_id) == ("user", HOME, ALICE)
    (entry,) = hsm.entries()
    assert entry["askedBy"] == "a password"
    assert (entry["accessKeyId"], entry["principalId"]) == ("ASIAEXAMPLE", ALICE)
    root = hsm.sign_in("root's", principal=ROOT_HOLDER)
    opened = hsm.worker(
        commands.OpenSession("ASIAEXAMPLE", root.session_token, "20270115", "us-east-1", "kms")
    )
    assert opened.kind == "root"


@pytest.mark.parametrize(
    "password", ["wrong", "", "Right", "right ", "right\0", "\N{GRINNING FACE}" * 9]
)
def test_a_wrong_password_makes_none(hsm, password):
    hsm.entries()
    assert hsm.sign_in(password) == WRONG
    assert hsm.entries() == []


def test_a_worker_has_no_session_with_what_another_has(hsm):
    """A hash opens for its own user alone, and who has none has no session."""
    assert hsm.sign_in(principal=BOB) == WRONG
    assert hsm.sign_in("", principal="") == WRONG
    assert hsm.sign_in(account="", principal="") == WRONG
    for account, principal in ((HOME, BOB), (OTHER, ALICE), (HOME, ROOT_HOLDER)):
        sealed = hsm.sealed[HOME, ALICE]
        made = hsm.sign_in(account=account, principal=principal, sealed_password=sealed)
        assert made == Failed(Failure.TOKEN_REFUSED)


@pytest.mark.parametrize("principal", [ALICE, ROOT_HOLDER])
def test_a_password_is_set_for_a_caller_of_the_account(hsm, principal):
    """Else a worker that was taken over would set one and sign in with it."""
    alice = hsm.access_key(ALICE)
    of_root = principal == ROOT_HOLDER
    assert isinstance(hsm.hashed("x", user_id=principal), Bytes)
    assert isinstance(hsm.hashed("x", user_id=principal, proof=alice), Failed if of_root else Bytes)
    other = hsm.access_key(ROOT_HOLDER, OTHER)
    assert hsm.hashed("x", user_id=principal, proof=other) == FORBIDDEN
    assert hsm.worker(commands.HashPassword(HOME, principal, "x")) == FORBIDDEN


@pytest.mark.parametrize(
    ("seconds", "since"),
    [(899, 0), (12 * HOUR + 1, 0), (-1, 0), (10**12, 0), (HOUR, 400), (HOUR, -400)],
)
def test_a_session_is_held_to_the_clock_of_the_hsm(hsm, seconds, since):
    assert hsm.sign_in(seconds=seconds, since=since) == FORBIDDEN


def test_a_code_is_asked_for_after_a_right_password_alone(hsm):
    assert hsm.sign_in(wants_code=True) == Failed(Failure.MFA_REQUIRED)
    assert hsm.sign_in("wrong", wants_code=True) == WRONG


def test_a_code_may_be_of_any_of_the_devices(hsm):
    for seed in (0, 1):
        made = hsm.sign_in(wants_code=True, codes=hsm.codes(seed))
        assert (made.device, made.taken.step) == (seed, NOW // 30)
    assert hsm.sign_in(wants_code=True, codes=hsm.codes(0, late=300)) == WRONG
    assert hsm.sign_in("wrong", wants_code=True, codes=hsm.codes(0)) == WRONG
    taken = [msgspec.structs.replace(one, after=NOW // 30) for one in hsm.codes(0)]
    assert hsm.sign_in(wants_code=True, codes=tuple(taken)) == WRONG


def test_a_password_that_is_due_is_changed_or_there_is_no_session(hsm):
    due = Failed(Failure.PASSWORD_CHANGE_REQUIRED)
    assert hsm.sign_in(is_change_due=True) == due
    assert hsm.sign_in("wrong", is_change_due=True, new_password="new") == WRONG
    used = hsm.sign_in(is_change_due=True, new_password="right", remembered=1)
    assert used == Failed(Failure.USED_PASSWORD)
    made = hsm.sign_in(is_change_due=True, new_password="new", remembered=1)
    hsm.sealed[HOME, ALICE] = made.sealed_password
    assert hsm.sign_in() == WRONG
    assert isinstance(hsm.sign_in("new"), SignedIn)
    back = hsm.sign_in("new", is_change_due=True, new_password="right", remembered=2)
    assert back == used


# --- tokens ---------------------------------------------------------------------------------------


def by_token(hsm, token, **members):
    return hsm.sign_in("", token=token, **{"principal": ROOT_HOLDER, **members})


def test_a_token_is_of_one_principal_until_its_end(hsm):
    made = hsm.token().value
    hsm.entries()
    assert isinstance(by_token(hsm, made), SignedIn)
    assert hsm.entries()[0]["askedBy"] == "AKIAEXAMPLE"
    assert by_token(hsm, made, principal=ALICE) == WRONG
    assert by_token(hsm, made, account=OTHER) == WRONG
    for altered in (made[:-4] + b"AAAA", made[:-1], b"x", b"\xff", made + made):
        assert by_token(hsm, altered) == WRONG
    hsm.now += 600
    assert by_token(hsm, made) == WRONG


def test_a_token_is_made_for_who_shows_an_access_key(hsm):
    alice = hsm.access_key(ALICE)
    assert isinstance(hsm.token(ALICE, alice), Bytes)
    assert hsm.token(ROOT_HOLDER, alice) == FORBIDDEN
    assert hsm.token(BOB, alice) == FORBIDDEN
    assert hsm.token(ALICE, alice, account=OTHER) == FORBIDDEN
    assert hsm.token(seconds=10**6) == FORBIDDEN
    session = hsm.sign_in("root's", principal=ROOT_HOLDER).session_token
    assert hsm.token(proof=SessionProof("ASIAEXAMPLE", session)) == FORBIDDEN
    none = commands.CreateSignInToken(HOME, ROOT_HOLDER, NOW + 600)
    assert hsm.worker(none) == FORBIDDEN


# --- guessing -------------------------------------------------------------------------------------

OFTEN = Failed(Failure.TOO_OFTEN)
AT_SOURCE = int(NAMED_AT_SOURCE[0])


def test_guessing_is_slow_and_the_same_for_a_user_that_does_not_exist(hsm):
    for principal in (ALICE, ""):
        named = {"named": (HOME, principal or "nobody"), "principal": principal}
        for _ in range(AT_SOURCE):
            assert hsm.sign_in("wrong", **named) == WRONG
        assert hsm.sign_in("wrong", **named) == OFTEN
        assert hsm.sign_in("right", **named) == OFTEN
        hsm.now += 1 / NAMED_AT_SOURCE[1]
        assert hsm.sign_in("wrong", **named) == WRONG
        assert hsm.sign_in("wrong", **named) == OFTEN


def test_a_right_password_gives_its_permits_back(hsm):
    for _ in range(AT_SOURCE - 1):
        assert hsm.sign_in("wrong") == WRONG
    for _ in range(AT_SOURCE):
        hsm.now += 1
        assert isinstance(hsm.sign_in(), SignedIn)


def test_strangers_do_not_keep_a_known_device_out(hsm):
    known = hsm.sign_in().known_device
    for number in range(AT_SOURCE * 4):
        hsm.now += 1
        hsm.sign_in("wrong", came_from=f"198.51.100.{number}")
    hsm.now += 1  # for all together; it takes five until there is one more for this user
    while hsm.sign_in("wrong", came_from="203.0.113.8") == WRONG:
        pass
    assert hsm.sign_in(came_from="203.0.113.9") == OFTEN
    assert isinstance(hsm.sign_in(came_from="203.0.113.9", known_device=known), SignedIn)
    # It is one user's, and is itself no way to guess for long.
    assert hsm.sign_in("root's", principal=ROOT_HOLDER, known_device=known) != OFTEN
    answers = [hsm.sign_in("wrong", known_device=known) for _ in range(20)]
    assert answers[-1] == OFTEN
    for _ in range(180):
        hsm.now += 86_400
    assert hsm.worker(commands.Hello(1)) is not None
    assert isinstance(hsm.sign_in(known_device=b"none of ours"), SignedIn)


def refused(attempts, *attempt):
    try:
        attempts.begin(Attempt(*attempt))
    except Refused:
        return True
    return False


def test_all_together_cost_no_more_than_a_part_of_the_processor():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    admitted = 0
    for number in range(10_000):
        now[0] = number / 100
        admitted += not refused(attempts, f"{number}", f"user{number}", f"192.0.2.{number}")
    assert admitted <= TOTAL[0] + 100 * TOTAL[1] + 1


@pytest.mark.parametrize(
    ("size", "attempt"),
    [
        (SOURCE, lambda n: (f"account{n}", "alice", "192.0.2.1")),
        (ACCOUNT, lambda n: ("account", f"user{n}", f"address{n}")),
        (NAMED, lambda n: ("account", "alice", f"address{n}")),
        (NAMED_AT_SOURCE, lambda n: ("account", "alice", "192.0.2.1")),
    ],
)
def test_each_bound_holds_by_itself(size, attempt):
    attempts = Attempts(lambda: 0.0)
    attempts._totals[False]._burst = attempts._totals[False]._left = 10_000.0
    answers = [refused(attempts, *attempt(number)) for number in range(1000)]
    assert answers.index(True) == size[0]
    assert all(answers[int(size[0]) :])


def test_what_is_remembered_is_bounded():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for number in range(REMEMBERED_MAX):
        now[0] += 1.0
        refused(attempts, f"account{number}", f"user{number}", f"address{number}")
    assert len(attempts._buckets) <= REMEMBERED_MAX
