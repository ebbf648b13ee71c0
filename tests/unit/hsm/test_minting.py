"""What a worker that was taken over may have the HSM make, and what not."""

import asyncio
import os
from hashlib import sha256

import msgspec
import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import AccessKeyProof, Role, SessionProof
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.frames import FrameCutter, decode_reply, frame_of
from kagimori_boundary.replies import Bytes, Failed, Failure, NewSecret, NewSession, OpenedSession
from kagimori_hsm import process
from kagimori_hsm.commands import identity
from kagimori_hsm.door import Connection
from kagimori_hsm.journal import Journal, JournalBroken, JournalWriter
from kagimori_hsm.lanes import SlowLane
from kagimori_hsm.module import Module
from kagimori_hsm.world import World

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
TODAY = "20270115"
HOME, OTHER, OPERATORS = "111122223333", "444455556666", "777788889999"
ALICE = "AIDAALICEALICEALICE00"
HOUR = 3600
FORBIDDEN = Failed(Failure.FORBIDDEN)


class Hsm:
    """A module with a clock that is told, and what a worker asks of it."""

    def __init__(self, *, dev=False):
        self.now = float(NOW)
        world = World(dev=dev, now=lambda: self.now, monotonic=lambda: self.now)
        self.journal = Journal()
        self.module = Module(bytes(32), memory_locked=False, world=world, journal=self.journal)
        self.module.self_test()
        self.operator(commands.CreateDomains(["identity"], OPERATORS))

    def operator(self, command):
        return self.module.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.module.perform(Role.WORKER, command)

    def access_key(self, holder, account=HOME, access_key_id="AKIAEXAMPLE"):
        made = self.operator(commands.CreateSecret(account, access_key_id, holder))
        return AccessKeyProof(account, access_key_id, holder, made.sealed_secret)

    def session(self, kind, principal, seconds, proof, *, account=HOME, since=0, key="ASIAEXAMPLE"):
        begin = NOW + since
        return self.worker(
            commands.CreateSession(
                key, kind, account, principal, begin, begin + seconds, b"claims", proof
            )
        )


@pytest.fixture
def hsm():
    return Hsm()


def entries(journal):
    return [msgspec.json.decode(entry) for entry in journal.take()]


# Kind, principal, whose access key, and the longest that AWS allows.
LONG_TERM = [
    ("user", ALICE, ALICE, 36 * HOUR),
    ("root", ROOT_HOLDER, ROOT_HOLDER, HOUR),
    ("federated", ALICE, ALICE, 36 * HOUR),
    ("federated", ROOT_HOLDER, ROOT_HOLDER, HOUR),
    ("role", "AROAEXAMPLE", ALICE, 12 * HOUR),
    ("role", "AROAEXAMPLE", ROOT_HOLDER, 12 * HOUR),
    ("role", "AROAEXAMPLE", "service/s3", 12 * HOUR),
]


@pytest.mark.parametrize(("kind", "principal", "holder", "longest"), LONG_TERM)
def test_a_session_lasts_as_long_as_its_kind_may(hsm, kind, principal, holder, longest):
    proof = hsm.access_key(holder)
    for seconds in (900, longest):
        assert isinstance(hsm.session(kind, principal, seconds, proof), NewSession)
    for seconds in (0, -1, 899, longest + 1, 10**9, 10**12):
        assert hsm.session(kind, principal, seconds, proof) == FORBIDDEN


@pytest.mark.parametrize("kind", ["user", "root", "federated", "", "ROOT", "administrator"])
def test_without_a_proof_there_is_no_session_but_of_web_identity(hsm, kind):
    assert hsm.session(kind, ROOT_HOLDER, 900, None) == FORBIDDEN
    assert isinstance(hsm.session("role", "AROAEXAMPLE", 900, None), NewSession)


@pytest.mark.parametrize("kind", ["user", "root", "federated"])
def test_no_session_of_another_account_or_principal(hsm, kind):
    principal = ROOT_HOLDER if kind == "root" else ALICE
    proof = hsm.access_key(principal)
    assert isinstance(hsm.session(kind, principal, 900, proof), NewSession)
    assert hsm.session(kind, principal, 900, proof, account=OTHER) == FORBIDDEN
    for other in ("AIDABOBBOBBOBBOBBOBB0", ROOT_HOLDER, ""):
        if other != principal:
            assert hsm.session(kind, other, 900, proof) == FORBIDDEN
    # A user is not root, and root no user, whatever the worker calls them.
    assert hsm.session("user" if kind == "root" else "root", principal, 900, proof) == FORBIDDEN


@pytest.mark.parametrize("since", [-10_000, -361, 361, 10**9])
def test_a_session_begins_now_by_the_clock_of_the_hsm(hsm, since):
    assert hsm.session("user", ALICE, 900, hsm.access_key(ALICE), since=since) == FORBIDDEN


def test_a_chained_role_session_lasts_an_hour(hsm):
    first = hsm.session("role", "AROAEXAMPLE", 12 * HOUR, hsm.access_key(ALICE))
    proof = SessionProof("ASIAEXAMPLE", first.session_token)
    assert isinstance(hsm.session("role", "AROAOTHER", HOUR, proof, account=OTHER), NewSession)
    assert hsm.session("role", "AROAOTHER", HOUR + 1, proof) == FORBIDDEN


@pytest.mark.parametrize("kind", ["user", "root", "federated"])
def test_sessions_make_none_of_the_kinds_for_long_term_credentials(hsm, kind):
    session = hsm.session("root", ROOT_HOLDER, 900, hsm.access_key(ROOT_HOLDER))
    proof = SessionProof("ASIAEXAMPLE", session.session_token)
    assert hsm.session(kind, ROOT_HOLDER, 900, proof) == FORBIDDEN


def test_a_federated_user_assumes_no_role_and_an_expired_session_nothing(hsm):
    federated = hsm.session("federated", ALICE, 900, hsm.access_key(ALICE))
    proof = SessionProof("ASIAEXAMPLE", federated.session_token)
    assert hsm.session("role", "AROAEXAMPLE", 900, proof) == FORBIDDEN
    role = hsm.session("role", "AROAEXAMPLE", 900, hsm.access_key(ALICE))
    proof = SessionProof("ASIAEXAMPLE", role.session_token)
    hsm.now += 900
    late = hsm.session("role", "AROAEXAMPLE", 900, proof, since=900)
    assert late == Failed(Failure.EXPIRED_TOKEN)


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": OTHER},
        {"access_key_id": "AKIAOTHER"},
        {"holder": ROOT_HOLDER},
        {"holder": ""},
        {"sealed_secret": b"x" * 90},
    ],
)
def test_a_proof_that_is_altered_proves_nothing(hsm, change):
    proof = msgspec.structs.replace(hsm.access_key(ALICE), **change)
    assert hsm.session("role", "AROAEXAMPLE", 900, proof) == Failed(Failure.TOKEN_REFUSED)


def test_what_is_opened_is_what_the_hsm_sealed(hsm):
    made = hsm.session("user", ALICE, 900, hsm.access_key(ALICE))
    opened = hsm.worker(opening(made.session_token))
    assert isinstance(opened, OpenedSession)
    assert (opened.kind, opened.account_id, opened.principal_id) == ("user", HOME, ALICE)
    assert (opened.issued_at, opened.expires_at) == (NOW, NOW + 900)
    hsm.now += 900
    assert hsm.worker(opening(made.session_token)) == Failed(Failure.EXPIRED_TOKEN)


def opening(token, date=TODAY, service="kms"):
    return commands.OpenSession("ASIAEXAMPLE", token, date, "us-east-1", service)


def deriving(proof, date, service="kms"):
    return commands.DeriveSigningKey(
        proof.account_id,
        proof.access_key_id,
        proof.holder,
        proof.sealed_secret,
        date,
        "us-east-1",
        service,
    )


@pytest.mark.parametrize(
    "date", ["20270116", "20280115", "99991231", "20270114", "", "2027011", "202701150"]
)
def test_signing_keys_are_of_today(hsm, date):
    proof = hsm.access_key(ALICE)
    session = hsm.session("user", ALICE, 900, proof)
    assert isinstance(hsm.worker(deriving(proof, TODAY)), Bytes)
    assert hsm.worker(deriving(proof, date)) == FORBIDDEN
    assert hsm.worker(opening(session.session_token, date)) == FORBIDDEN


def test_around_midnight_both_days_are_today(hsm):
    proof = hsm.access_key(ALICE)
    hsm.now = NOW + 16 * HOUR - 60
    assert isinstance(hsm.worker(deriving(proof, "20270116")), Bytes)
    hsm.now = NOW + 16 * HOUR + 60
    assert isinstance(hsm.worker(deriving(proof, TODAY)), Bytes)


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_presigned_requests_are_good_for_seven_days(hsm, service):
    proof = hsm.access_key(ALICE)
    assert isinstance(hsm.worker(deriving(proof, "20270108", service)), Bytes)
    assert hsm.worker(deriving(proof, "20270107", service)) == FORBIDDEN
    assert hsm.worker(deriving(proof, "20270116", service)) == FORBIDDEN


def test_derivations_are_bounded_for_each_access_key_and_come_back_with_time(hsm):
    alice, other = hsm.access_key(ALICE), hsm.access_key(ROOT_HOLDER, access_key_id="AKIAOTHER")
    burst, per_second = identity.DERIVATIONS_EACH
    for _ in range(int(burst)):
        assert isinstance(hsm.worker(deriving(alice, TODAY)), Bytes)
    assert hsm.worker(deriving(alice, TODAY)) == Failed(Failure.TOO_OFTEN)
    assert isinstance(hsm.worker(deriving(other, TODAY)), Bytes)
    hsm.now += 1 / per_second
    assert isinstance(hsm.worker(deriving(alice, TODAY)), Bytes)
    assert hsm.worker(deriving(alice, TODAY)) == Failed(Failure.TOO_OFTEN)


def test_a_wrong_secret_uses_nothing_up(hsm):
    alice = hsm.access_key(ALICE)
    wrong = msgspec.structs.replace(alice, holder=ROOT_HOLDER)
    for _ in range(int(identity.DERIVATIONS_EACH[0]) + 1):
        assert hsm.worker(deriving(wrong, TODAY)) == Failed(Failure.TOKEN_REFUSED)
    assert isinstance(hsm.worker(deriving(alice, TODAY)), Bytes)


def test_web_identity_is_bounded_by_account(hsm):
    for _ in range(int(identity.WEB_IDENTITIES_EACH[0])):
        assert isinstance(hsm.session("role", "AROAEXAMPLE", 900, None), NewSession)
    assert hsm.session("role", "AROAEXAMPLE", 900, None) == Failed(Failure.TOO_OFTEN)
    assert isinstance(hsm.session("role", "AROAEXAMPLE", 900, None, account=OTHER), NewSession)


# --- secret access keys ---------------------------------------------------------------------------


def on_behalf(proof, *, account=HOME, holder=ALICE):
    return commands.CreateSecretOnBehalf(account, "AKIANEW", holder, proof)


def test_secrets_are_made_in_the_account_of_who_asks(hsm):
    alice, root = hsm.access_key(ALICE), hsm.access_key(ROOT_HOLDER)
    assert isinstance(hsm.worker(on_behalf(alice)), NewSecret)
    assert isinstance(hsm.worker(on_behalf(root, holder=ROOT_HOLDER)), NewSecret)
    for proof, change in (
        (None, {}),
        (alice, {"account": OTHER}),
        (alice, {"holder": ROOT_HOLDER}),
        (root, {"holder": "service/s3"}),
        (root, {"holder": ""}),
        (root, {"account": OTHER, "holder": ROOT_HOLDER}),
    ):
        assert hsm.worker(on_behalf(proof, **change)) == FORBIDDEN


def of_operators(hsm, holder=ALICE):
    return hsm.access_key(holder, account=OPERATORS, access_key_id="AKIAOPERATOR")


def test_operators_have_accounts_made_whose_ids_they_do_not_choose(hsm):
    """So the root user of an account that exists cannot be had this way."""
    asked = commands.CreateAccountSecret("AKIANEW", of_operators(hsm))
    first, second = hsm.worker(asked), hsm.worker(asked)
    for made in (first, second):
        assert made.account_id.isdecimal()
        assert len(made.account_id) == 12
        proof = AccessKeyProof(made.account_id, "AKIANEW", ROOT_HOLDER, made.sealed_secret)
        assert isinstance(hsm.worker(deriving(proof, TODAY)), Bytes)
    assert first.account_id != second.account_id
    entry = entries(hsm.journal)[0]
    assert (entry["accountId"], entry["principalId"]) == (first.account_id, ROOT_HOLDER)
    assert entry["askedBy"] == "AKIAOPERATOR"


def test_operators_have_keys_of_services_made(hsm):
    session = hsm.session("user", ALICE, 900, of_operators(hsm), account=OPERATORS)
    for proof in (of_operators(hsm), SessionProof("ASIAEXAMPLE", session.session_token)):
        made = hsm.worker(on_behalf(proof, account="", holder="service/s3"))
        assert isinstance(made, NewSecret)


def test_nobody_else_has_them_made_and_operators_nothing_else(hsm):
    operator, root = of_operators(hsm), hsm.access_key(ROOT_HOLDER)
    for proof in (None, root, hsm.access_key("service/s3", account="")):
        assert hsm.worker(commands.CreateAccountSecret("AKIANEW", proof)) == FORBIDDEN
        assert hsm.worker(on_behalf(proof, account="", holder="service/s3")) == FORBIDDEN
    for account, holder in (
        (HOME, ROOT_HOLDER),
        (HOME, ALICE),
        (HOME, "service/s3"),
        (OPERATORS, "service/s3"),
        ("", ROOT_HOLDER),
        ("", ALICE),
        ("", ""),
    ):
        assert hsm.worker(on_behalf(operator, account=account, holder=holder)) == FORBIDDEN


def test_what_operators_have_made_is_bounded_and_comes_back_with_time(hsm):
    asked = commands.CreateAccountSecret("AKIANEW", of_operators(hsm))
    burst, per_second = identity.OPERATORS_SECRETS
    for _ in range(int(burst)):
        assert isinstance(hsm.worker(asked), NewSecret)
    assert hsm.worker(asked) == Failed(Failure.TOO_OFTEN)
    hsm.now += 1 / per_second
    assert isinstance(hsm.worker(asked), NewSecret)


def test_the_operators_account_is_named_once(hsm):
    for named in (OTHER, HOME):
        assert hsm.operator(commands.CreateDomains([], named)) == FORBIDDEN
    sealed = hsm.operator(commands.CreateDomains(["us-east-1"], OPERATORS)).sealed_domains
    again = Module(bytes(32), memory_locked=False)
    again.self_test()
    opened = again.perform(Role.OPERATOR, commands.Unseal(sealed))
    assert opened.operator_account_id == OPERATORS


def test_without_operators_nobody_has_accounts_made():
    """As in a deployment that was made before they were sealed, until its next start."""
    made = Module(bytes(32), memory_locked=False)
    made.self_test()
    made.perform(Role.OPERATOR, commands.CreateDomains(["identity"]))
    for account in (HOME, ""):
        key = made.perform(Role.OPERATOR, commands.CreateSecret(account, "AKIA", ROOT_HOLDER))
        proof = AccessKeyProof(account, "AKIA", ROOT_HOLDER, key.sealed_secret)
        asked = commands.CreateAccountSecret("AKIANEW", proof)
        assert made.perform(Role.WORKER, asked) == FORBIDDEN


def test_access_keys_made_before_holders_were_sealed_go_on(hsm):
    """Their token tells no holder, so that of their account alone is known."""
    ring = hsm.module._rings.identity()
    binding = identity.secret_binding(HOME, "AKIAOLD", "")
    proof = AccessKeyProof(HOME, "AKIAOLD", "", ring.wrap(b"secret", binding))
    assert isinstance(hsm.worker(deriving(proof, TODAY)), Bytes)
    assert isinstance(hsm.session("user", ALICE, 900, proof), NewSession)
    assert hsm.session("user", ALICE, 900, proof, account=OTHER) == FORBIDDEN
    new = hsm.access_key(ALICE)
    assert hsm.worker(deriving(msgspec.structs.replace(new, holder=""), TODAY)) == Failed(
        Failure.TOKEN_REFUSED
    )


def test_dev_takes_callers_that_are_made_up():
    hsm = Hsm(dev=True)
    assert isinstance(hsm.session("root", ROOT_HOLDER, 900, None, since=10**6), NewSession)
    assert isinstance(hsm.worker(on_behalf(None)), NewSecret)


# --- the journal ----------------------------------------------------------------------------------


def test_everything_that_is_made_is_in_the_journal_and_nothing_that_was_refused(hsm):
    alice = hsm.access_key(ALICE)
    hsm.session("user", ALICE, 900, alice)
    hsm.session("user", ALICE, 10**9, alice)
    hsm.worker(on_behalf(alice))
    hsm.worker(on_behalf(None))
    first, second = entries(hsm.journal)
    assert first == {
        "made": "session",
        "at": float(NOW),
        "accessKeyId": "ASIAEXAMPLE",
        "kind": "user",
        "accountId": HOME,
        "principalId": ALICE,
        "issuedAt": NOW,
        "expiresAt": NOW + 900,
        "askedBy": "AKIAEXAMPLE",
    }
    assert (second["made"], second["accessKeyId"]) == ("secret access key", "AKIANEW")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "journal.jsonl"
    opened = []

    def journal():
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        opened.append(descriptor)
        return Journal(descriptor)

    journal.path = path
    yield journal
    for descriptor in opened:
        os.close(descriptor)


def write(journal, *names):
    for name in names:
        journal.add({"made": name})
    journal.write(journal.take())


def lines_of(path):
    previous, found = "0" * 64, []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        entry = msgspec.json.decode(line)
        assert (entry["sequence"], entry["previous"]) == (number, previous)
        previous = sha256(line).hexdigest()
        found.append(entry["record"]["made"])
    return found


def test_the_chain_goes_on_after_a_restart(file):
    write(file(), "a", "b")
    write(file(), "c")
    assert lines_of(file.path) == ["a", "b", "c"]


@pytest.mark.parametrize("torn", [b"{", b'{"sequence":3,"previous":"', b"x" * 100])
def test_what_a_crash_left_of_a_line_is_cut(file, torn):
    write(file(), "a", "b")
    with file.path.open("ab") as end:
        end.write(torn)
    write(file(), "c")
    assert lines_of(file.path) == ["a", "b", "c"]


def test_a_journal_that_is_none_is_not_added_to(file):
    file.path.write_bytes(b"something else\n")
    with pytest.raises(JournalBroken):
        file()


def test_the_process_does_not_start_on_a_journal_that_was_changed(file):
    file.path.write_bytes(b"something else\n")
    descriptor = os.open(file.path, os.O_RDWR)
    with pytest.raises(SystemExit, match="put it aside"):
        process._journal(descriptor)
    os.close(descriptor)


def test_a_write_that_fails_leaves_the_file_as_it_was(file, monkeypatch):
    journal = file()
    write(journal, "a")
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write(journal, "b")
    monkeypatch.undo()
    write(journal, "c")
    assert lines_of(file.path) == ["a", "c"]


class Wire:
    def __init__(self):
        self.cutter, self.replies = FrameCutter(), []

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.replies += [(number, decode_reply(body)) for number, body in self.cutter.feed(data)]


@pytest.mark.parametrize("fails", [False, True])
def test_credentials_leave_only_when_the_journal_has_them(hsm, fails):
    written = []

    class Disk(Journal):
        def write(self, entries):
            if fails:
                raise OSError
            written.extend(entries)

    async def test():
        disk, wire = Disk(), Wire()
        hsm.module._functions[commands.CreateSession].__self__._journal = disk
        connection = Connection(
            hsm.module.perform, SlowLane(), lambda _: Role.WORKER, JournalWriter(disk)
        )
        connection.connection_made(wire)
        web = ("role", HOME, "AROAEXAMPLE", NOW, NOW + 900, b"claims")
        connection.data_received(
            frame_of(1, commands.CreateSession("ASIA1", *web))
            + frame_of(2, commands.CreateSession("ASIA2", *web))
        )
        assert not wire.replies
        while len(wire.replies) < 2:
            await asyncio.sleep(0)
        return [reply for _, reply in wire.replies]

    replies = asyncio.run(asyncio.wait_for(test(), 10))
    if fails:
        assert replies == [Failed(Failure.INTERNAL)] * 2
    else:
        assert all(isinstance(reply, NewSession) for reply in replies)
        assert len(written) == 2
