"""Seals of every kind: they open what they sealed, and wrong secrets cost time and change nothing."""

import socket
import threading

import pytest

from kagimori_boundary import commands, opener
from kagimori_boundary.commands import Role
from kagimori_boundary.replies import Failed, Failure, HsmState, SealChange
from kagimori_boundary.seal_replies import (
    SealAdded,
    SealProblem,
    SealProgress,
    SealRefusal,
)
from kagimori_boundary.seals import seals_in
from kagimori_hsm.module import Module
from kagimori_hsm.roots import secrets
from kagimori_hsm.roots.opener import Opener
from kagimori_hsm.world import World

FILE_KEY = bytes(range(32))
PASSPHRASE = b"correct horse battery staple"
OPERATORS = "111122223333"
DONE = SealProgress(is_done=True, given=1, needed=1)


@pytest.fixture(autouse=True)
def fast_passphrases(monkeypatch):
    monkeypatch.setattr(secrets, "_MEMORY_KIB", 64)
    monkeypatch.setattr(secrets, "_ITERATIONS", 1)


class FakeOpener:
    """A token and a KMS, in this process: wrapped bytes are the secret and its mark."""

    def __init__(self):
        self.trouble = None

    def wrap(self, kind, parameters, secret):
        return self._answer(kind.encode() + secret[::-1])

    def unwrap(self, kind, parameters, wrapped):
        return self._answer(wrapped.removeprefix(kind.encode())[::-1])

    def _answer(self, value):
        if self.trouble is not None:
            raise secrets.SecretRefused(self.trouble)
        return value


class Deployment:
    """HSM processes one after another, and what the store has of the sealed domains."""

    def __init__(self, first=("file", {}, FILE_KEY)):
        self.now, self.opener, self.file_keys = 1000.0, FakeOpener(), (FILE_KEY,)
        kind, parameters, secret = first
        if kind != "file":
            self.file_keys = ()
        self.start()
        made = self.operator(commands.MakeFirstSeal(kind, "", parameters, secret))
        self.shares = made.shares
        self.kept = self.operator(commands.CreateDomains(["identity"], OPERATORS)).sealed_domains

    def start(self):
        self.module = Module(
            b"",
            further_seal_keys=self.file_keys,
            memory_locked=False,
            world=World(now=lambda: self.now, monotonic=lambda: self.now),
            opener=self.opener,
        )
        self.module.self_test()

    def restart(self):
        self.start()
        return self.operator(commands.Unseal(self.kept))

    def operator(self, command):
        return self.module.perform(Role.OPERATOR, command)

    def custodian(self, command):
        return self.module.perform(Role.CUSTODIAN, command)

    def worker(self, command):
        return self.module.perform(Role.WORKER, command)

    @property
    def seals(self):
        return seals_in(self.kept)

    def seal_of(self, kind):
        (found,) = [seal for seal in self.seals if seal.kind == kind]
        return found.seal_id

    def keep(self):
        change = self.worker(commands.MakeSealChange(self.kept))
        assert isinstance(change, SealChange), change
        self.kept = change.sealed_domains
        return change

    def adopt(self):
        return self.operator(commands.AdoptDomains(self.kept))

    def add(self, kind, secret=b"", **parameters):
        made = self.custodian(commands.AddSeal(kind, f"a {kind}", parameters, secret))
        assert isinstance(made, SealAdded), made
        self.keep()
        self.adopt()
        return made

    def remove(self, seal_id):
        reply = self.custodian(commands.RemoveSeal(seal_id))
        assert isinstance(reply, SealProgress), reply
        self.keep()
        self.adopt()

    def open(self, kind, secret):
        return self.custodian(commands.OpenSeal(self.seal_of(kind), secret))

    def events(self):
        found = self.worker(commands.TakeSealEvents(0)).events
        return [(event.name, event.problem) for event in found]


@pytest.fixture
def deployment():
    return Deployment()


def test_a_passphrase_opens_a_deployment_without_a_file():
    made = Deployment(("passphrase", {}, PASSPHRASE))
    assert made.restart().state is HsmState.SEALED
    assert made.open("passphrase", PASSPHRASE) == DONE
    assert made.module.state is HsmState.OPERATIONAL
    assert made.worker(commands.DescribeDomains()).keys


def test_a_passphrase_is_the_same_however_it_was_typed():
    made = Deployment(("passphrase", {}, "ｆｕｌｌ ｗｉｄｔｈ café".encode()))
    made.restart()
    assert made.open("passphrase", "full width cafe\u0301".encode()) == DONE


def test_wrong_passphrases_cost_more_and_more_time_and_change_nothing():
    made = Deployment(("passphrase", {}, PASSPHRASE))
    made.restart()
    for failures in range(12):
        seconds = min(300.0, 2.0**failures)
        wrong = made.open("passphrase", b"wrong passphrase %d" % failures)
        assert wrong == SealRefusal(SealProblem.WRONG, seconds)
        # The right one is not even tried before the time is over.
        made.now += seconds - 0.5
        assert made.open("passphrase", PASSPHRASE) == SealRefusal(SealProblem.DELAYED, 0.5)
        made.now += 0.5
    assert made.module.state is HsmState.SEALED
    assert made.events() == [("UnsealDomains", "WRONG")] * 12
    assert made.open("passphrase", PASSPHRASE) == DONE
    assert made.events()[-1] == ("UnsealDomains", "")


def test_shares_of_a_quorum_open_whichever_they_are_and_in_any_order():
    made = Deployment(("quorum", {"threshold": 2, "shares": 3}, b""))
    assert len(made.shares) == 3
    for chosen in ((0, 1), (2, 0), (1, 2)):
        assert made.restart().state is HsmState.SEALED
        first, second = (made.shares[at].encode() for at in chosen)
        assert made.open("quorum", first) == SealProgress(is_done=False, given=1, needed=2)
        assert made.open("quorum", second) == SealProgress(is_done=True, given=2, needed=2)
        assert made.module.state is HsmState.OPERATIONAL


def test_one_share_given_twice_is_one_share():
    made = Deployment(("quorum", {"threshold": 3, "shares": 3}, b""))
    made.restart()
    share = made.shares[0]
    assert made.open("quorum", share.encode()).given == 1
    for again in (share, share.upper(), f"  {share.replace(' ', '  ')}\n"):
        assert made.open("quorum", again.encode()) == SealRefusal(SealProblem.SAME_SHARE)
    assert made.custodian(commands.DescribeSeals()).seals[0].given == 1


def test_words_that_are_no_share_of_this_seal_are_refused_and_the_others_stay():
    made = Deployment(("quorum", {"threshold": 2, "shares": 2}, b""))
    other = Deployment(("quorum", {"threshold": 2, "shares": 2}, b""))
    made.restart()
    made.open("quorum", made.shares[0].encode())
    words = made.shares[1].split()
    words[7] = "academic" if words[7] != "academic" else "acid"
    misspelt = " ".join(words)
    refused = (
        (misspelt, SealProblem.NO_SHARE),
        ("no words at all", SealProblem.NO_SHARE),
        ("", SealProblem.NO_SHARE),
        (b"\xff\xfe", SealProblem.NO_SHARE),
        (other.shares[1], SealProblem.OTHER_SHARES),
    )
    for words, problem in refused:
        given = words if isinstance(words, bytes) else words.encode()
        assert made.open("quorum", given).problem is problem
        made.now += 300
    assert made.open("quorum", made.shares[1].encode()).is_done


def test_shares_are_forgotten_after_half_an_hour():
    made = Deployment(("quorum", {"threshold": 2, "shares": 2}, b""))
    made.restart()
    made.open("quorum", made.shares[0].encode())
    made.now += 1801
    made.worker(commands.TakeSealEvents(0))  # a worker asks every second
    assert made.module._seals._collecting == {}
    assert made.open("quorum", made.shares[1].encode()).given == 1


def test_shares_are_forgotten_once_they_have_opened_it():
    made = Deployment(("quorum", {"threshold": 2, "shares": 2}, b""))
    made.restart()
    for share in made.shares:
        made.open("quorum", share.encode())
    assert made.module._seals._collecting == {}


@pytest.mark.parametrize("kind", ["pkcs11", "kms"])
def test_a_root_that_is_reached_opens_by_itself_and_waits_while_it_is_not(kind):
    made = Deployment((kind, {"name": "x"}, b""))
    assert made.restart().state is HsmState.OPERATIONAL
    made.opener.trouble = SealProblem.UNREACHABLE
    assert made.restart().state is HsmState.SEALED
    made.opener.trouble = None
    assert made.operator(commands.Unseal(made.kept)).state is HsmState.OPERATIONAL


def test_every_kind_opens_the_same_domains_in_parallel(deployment):
    deployment.add("passphrase", PASSPHRASE)
    shares = deployment.add("quorum", threshold=2, shares=2).shares
    deployment.add("pkcs11", name="x")
    keys = deployment.worker(commands.DescribeDomains()).keys
    assert deployment.restart().state is HsmState.OPERATIONAL
    deployment.opener.trouble, deployment.file_keys = SealProblem.UNREACHABLE, ()
    assert deployment.restart().state is HsmState.SEALED
    assert deployment.open("passphrase", PASSPHRASE) == DONE
    deployment.restart()
    for share in shares:
        deployment.open("quorum", share.encode())
    assert deployment.worker(commands.DescribeDomains()).keys == keys


def test_a_removed_seal_opens_nothing_that_is_kept_from_then_on(deployment):
    deployment.add("passphrase", PASSPHRASE)
    before, head = deployment.kept, seals_in(deployment.kept)
    old_keys = {key.key_id for key in deployment.worker(commands.DescribeDomains()).keys}
    deployment.remove(deployment.seal_of("file"))
    assert [seal.kind for seal in deployment.seals] == ["passphrase"]
    assert deployment.restart().state is HsmState.SEALED
    # Nor with the seal's record put back where it was.
    assert head[0].encrypted_root_key not in deployment.kept
    assert deployment.open("passphrase", PASSPHRASE) == DONE
    now = deployment.worker(commands.DescribeDomains()).keys
    assert not old_keys & {key.key_id for key in now if key.is_current}
    # What was kept before it still opens: a copy is a copy.
    deployment.kept = before
    assert deployment.restart().state is HsmState.OPERATIONAL


def test_the_last_seal_stays(deployment):
    reply = deployment.custodian(commands.RemoveSeal(deployment.seals[0].seal_id))
    assert reply == SealRefusal(SealProblem.LAST_SEAL)
    deployment.add("passphrase", PASSPHRASE)
    for seal in deployment.seals:
        assert isinstance(deployment.custodian(commands.RemoveSeal(seal.seal_id)), SealProgress)
        assert (
            deployment.custodian(commands.RemoveSeal(deployment.seals[1].seal_id)).problem
            is SealProblem.BUSY
        )
        break


def test_what_is_not_kept_is_given_up(deployment):
    deployment.custodian(commands.AddSeal("passphrase", "", {}, PASSPHRASE))
    assert deployment.custodian(commands.DescribeSeals()).is_changing
    deployment.now += 61
    assert not deployment.custodian(commands.DescribeSeals()).is_changing
    assert deployment.worker(commands.MakeSealChange(deployment.kept)) == Failed(Failure.FORBIDDEN)
    deployment.add("passphrase", PASSPHRASE)


@pytest.mark.parametrize("crash", ["before it is kept", "before it is adopted", "after"])
@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_crash_at_each_step_leaves_all_seals_of_before_or_all_of_after(crash, change):
    made = Deployment()
    made.add("passphrase", PASSPHRASE)
    if change == "add":
        made.custodian(commands.AddSeal("quorum", "", {"threshold": 2, "shares": 2}, b""))
    else:
        made.custodian(commands.RemoveSeal(made.seal_of("passphrase")))
    before = [seal.seal_id for seal in made.seals]
    if crash != "before it is kept":
        made.keep()
    if crash == "after":
        made.adopt()
    assert made.restart().state is HsmState.OPERATIONAL
    after = [seal.seal_id for seal in made.seals]
    assert (after == before) is (crash == "before it is kept")
    assert made.custodian(commands.DescribeSeals()).is_changing is False
    # And the next change goes through.
    made.add("pkcs11", name="x")
    for seal in made.seals:
        if seal.kind == "passphrase":
            tested = made.custodian(commands.TestSeal(seal.seal_id, PASSPHRASE))
            assert tested == DONE


def test_domain_keys_rotated_between_asking_and_keeping_are_not_lost(deployment):
    deployment.add("passphrase", PASSPHRASE)
    deployment.custodian(commands.RemoveSeal(deployment.seal_of("passphrase")))
    first = deployment.worker(commands.MakeSealChange(deployment.kept))
    # Somebody else was first: what the worker made is in conflict, and is made again.
    rotated = deployment.worker(commands.RotateDomainKeys(deployment.kept, ["identity"], 0.0))
    deployment.kept = rotated.sealed_domains
    deployment.adopt()
    deployment.keep()
    assert not isinstance(deployment.adopt(), Failed)
    late = deployment.operator(commands.AdoptDomains(first.sealed_domains))
    assert late == Failed(Failure.FORBIDDEN)
    assert deployment.restart().state is HsmState.OPERATIONAL
    keys = {key.key_id for key in rotated.keys}
    assert keys < {key.key_id for key in deployment.worker(commands.DescribeDomains()).keys}


def test_a_change_that_is_kept_while_the_one_before_it_is_adopted_is_not_lost(deployment):
    deployment.add("passphrase", PASSPHRASE)
    deployment.custodian(commands.RemoveSeal(deployment.seal_of("file")))
    rotated = deployment.worker(commands.RotateDomainKeys(deployment.kept, ["identity"], 0.0))
    deployment.kept = rotated.sealed_domains
    deployment.keep()
    assert not isinstance(
        deployment.operator(commands.AdoptDomains(rotated.sealed_domains)), Failed
    )
    assert not isinstance(deployment.adopt(), Failed)
    assert len(deployment.module._roots._root_keys) == 1


def test_a_seal_is_tried_without_changing_anything(deployment):
    deployment.add("passphrase", PASSPHRASE)
    shares = deployment.add("quorum", threshold=2, shares=3).shares
    deployment.add("kms", name="x")
    kept = deployment.kept
    assert deployment.custodian(commands.TestSeal(deployment.seal_of("file"), b"")) == DONE
    assert deployment.custodian(commands.TestSeal(deployment.seal_of("kms"), b"")) == DONE
    right = commands.TestSeal(deployment.seal_of("passphrase"), PASSPHRASE)
    assert deployment.custodian(right) == DONE
    quorum = deployment.seal_of("quorum")
    for given, share in enumerate(shares[:2], 1):
        reply = deployment.custodian(commands.TestSeal(quorum, share.encode()))
        assert reply == SealProgress(is_done=given == 2, given=given, needed=2)
    wrong = commands.TestSeal(deployment.seal_of("passphrase"), b"something else")
    assert deployment.custodian(wrong) == SealRefusal(SealProblem.WRONG, 1.0)
    deployment.opener.trouble = SealProblem.WRONG
    reply = deployment.custodian(commands.TestSeal(deployment.seal_of("kms"), b""))
    assert reply == SealRefusal(SealProblem.WRONG, 1.0)
    assert deployment.kept == kept


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (commands.AddSeal("passphrase", "", {}, b"too short"), SealProblem.TOO_SHORT),
        (commands.AddSeal("passphrase", "", {}, b"\xff" * 20), SealProblem.NO_SECRET),
        (commands.AddSeal("passphrase", "", {}, b"x" * 2000), SealProblem.NO_SECRET),
        (commands.AddSeal("passphrase", "l" * 101, {}, PASSPHRASE), SealProblem.LONG_LABEL),
        (commands.AddSeal("file", "", {}, b"short"), SealProblem.NO_SECRET),
        (commands.AddSeal("quorum", "", {}, b""), SealProblem.BAD_THRESHOLD),
        (
            commands.AddSeal("quorum", "", {"threshold": 1, "shares": 3}, b""),
            SealProblem.BAD_THRESHOLD,
        ),
        (
            commands.AddSeal("quorum", "", {"threshold": 4, "shares": 3}, b""),
            SealProblem.BAD_THRESHOLD,
        ),
        (
            commands.AddSeal("quorum", "", {"threshold": 2, "shares": 17}, b""),
            SealProblem.BAD_THRESHOLD,
        ),
        (commands.AddSeal("tea leaves", "", {}, b""), SealProblem.UNKNOWN_KIND),
        (commands.RemoveSeal("abcdef"), SealProblem.NO_SUCH_SEAL),
        (commands.TestSeal("abcdef", b""), SealProblem.NO_SUCH_SEAL),
        (commands.OpenSeal("abcdef", b""), SealProblem.NOT_SEALED),
    ],
)
def test_what_makes_no_seal_is_refused_and_changes_nothing(deployment, command, problem):
    assert deployment.custodian(command).problem is problem
    assert not deployment.custodian(commands.DescribeSeals()).is_changing


def test_parameters_that_were_changed_in_the_store_cannot_exhaust_the_memory():
    made = Deployment(("passphrase", {}, PASSPHRASE))
    for name in ("memory_kib", "iterations", "lanes", "salt"):
        for value in (2**31, 2**80, 0, -1, "x", ""):
            parameters = {**made.seals[0].parameters, name: value}
            with pytest.raises(secrets.SecretRefused):
                secrets.secret_of_passphrase(PASSPHRASE, parameters)


def test_workers_and_followers_do_nothing_to_seals(deployment):
    refused = Failed(Failure.MALFORMED)
    for role in (Role.WORKER, Role.FOLLOWER):
        for command in (
            commands.AddSeal("passphrase", "", {}, PASSPHRASE),
            commands.RemoveSeal(deployment.seals[0].seal_id),
            commands.TestSeal(deployment.seals[0].seal_id, b""),
            commands.OpenSeal(deployment.seals[0].seal_id, b""),
            commands.AdmitCustodians(b"x" * 32),
        ):
            assert deployment.module.perform(role, command) == refused
    assert deployment.worker(commands.BecomeCustodian(bytes(32))) == Failed(Failure.FORBIDDEN)
    assert deployment.custodian(commands.CreateDomains([])) == refused


def test_a_domain_that_no_root_can_open_is_refused_at_once():
    made = Deployment()
    made.file_keys = (bytes(32),)
    assert made.restart() == Failed(Failure.SEAL_REFUSED)


def test_events_are_given_out_until_they_are_acknowledged():
    made = Deployment(("passphrase", {}, PASSPHRASE))
    made.restart()
    made.open("passphrase", b"something wrong")
    (event,) = made.worker(commands.TakeSealEvents(0)).events
    assert made.worker(commands.TakeSealEvents(0)).events == [event]
    assert made.worker(commands.TakeSealEvents(event.number)).events == []
    # The numbers of a later process are greater, however few there are.
    made.now += 5
    made.restart()
    made.open("passphrase", b"something wrong")
    (later,) = made.worker(commands.TakeSealEvents(event.number)).events
    assert later.number > event.number


# --- the opener's conversation ---------------------------------------------------------------


def answering(ours, answers):
    def answer():
        for make in answers:
            asked = opener.decode_question(ours.recv(opener.MESSAGE_BYTES_MAX))
            for message in make(asked):
                ours.send(message if isinstance(message, bytes) else opener.encode(message))

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_late_answers_and_troubles_of_the_opener_are_told_apart():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    asking = Opener(theirs, seconds=5)
    thread = answering(
        ours,
        [
            lambda asked: [
                opener.Done(asked.number - 1, b"late"),
                opener.Done(asked.number, b"right"),
            ],
            lambda asked: [opener.NotDone(asked.number, opener.Trouble.REFUSED, "wrong PIN")],
            lambda asked: [b"not a message"],
        ],
    )
    assert asking.wrap("kms", {}, b"secret") == b"right"
    with pytest.raises(secrets.SecretRefused, match="WRONG"):
        asking.unwrap("kms", {}, b"wrapped")
    with pytest.raises(secrets.SecretRefused, match="UNREACHABLE"):
        asking.unwrap("kms", {}, b"wrapped")
    thread.join()
    ours.close()
    theirs.close()


def test_an_opener_that_is_not_there_is_not_reached():
    with pytest.raises(secrets.SecretRefused, match="UNREACHABLE"):
        Opener().unwrap("pkcs11", {}, b"")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with pytest.raises(secrets.SecretRefused, match="UNREACHABLE"):
        Opener(theirs, seconds=0.01).unwrap("pkcs11", {}, b"")
    ours.close()
    theirs.close()
