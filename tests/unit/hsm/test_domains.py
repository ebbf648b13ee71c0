"""Domain keys in the HSM: rotated, adopted, destroyed, and every kind of token wrapped anew.

Promises: old-ciphertext-lives, token-binding, plain-keys-stay-inside.
"""

import msgspec
import pytest
from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.commands import IDENTITY_DOMAIN, BoundToken, Role
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import DomainKeys, Failed, Failure, SealedDomains, Tokens
from kagimori_boundary.token_form import TOKEN_MARK_BYTES, domain_key_id, token_mark
from kagimori_hsm import ring as ring_file
from kagimori_hsm.module import Module
from kagimori_hsm.ring import DOMAIN_KEYS_MAX, REST_SECONDS_MIN, Ring
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.unattended import Unattended
from kagimori_hsm.world import World
from kit.older_domains import version_1

ACCOUNT, REGION, OTHER = "111122223333", "eu-west-1", "us-east-1"
NAMES = [IDENTITY_DOMAIN, REGION, OTHER]
REFUSED = Failed(Failure.TOKEN_REFUSED)
FORBIDDEN = Failed(Failure.FORBIDDEN)
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/m"


class Hsm:
    """A module with a clock of its own, and what the service would keep of it."""

    def __init__(self):
        self.now = 1_800_000_000.0
        self.module = self._new()
        self.kept = self.operator(commands.CreateDomains(NAMES))

    def _new(self):
        made = Module(bytes(32), memory_locked=False, world=World(now=lambda: self.now))
        made.self_test()
        return made

    def operator(self, command):
        return self.module.perform(Role.OPERATOR, command)

    def worker(self, command):
        return self.module.perform(Role.WORKER, command)

    def restart(self):
        self.module = self._new()
        self.operator(commands.Unseal(self.kept.sealed_domains))

    def keep(self, reply):
        assert isinstance(reply, SealedDomains), reply
        self.kept = reply
        return reply

    def adopt(self):
        reply = self.operator(commands.AdoptDomains(self.kept.sealed_domains))
        assert reply == DomainKeys(self.kept.keys)

    def rotate(self, names=NAMES):
        self.keep(self.successor(names))
        self.adopt()

    def successor(self, names=NAMES):
        return self.worker(commands.RotateDomainKeys(self.kept.sealed_domains, names, 0.0))

    def destroy(self, key_ids):
        sealed = self.kept.sealed_domains
        return self.worker(commands.DestroyDomainKeys(sealed, list(key_ids), 0.0))

    def keys(self, *, current):
        listed = self.worker(commands.DescribeDomains()).keys
        return {key.key_id for key in listed if key.is_current is current}

    def secrets(self):
        """One token of each kind that the store keeps, as it is presented."""
        kind = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
        new = self.worker(commands.GenerateKey(ACCOUNT, REGION, "k", *kind))
        bound = BoundToken(ACCOUNT, REGION, "k", *kind, new.material_id, new.key_token)
        secret = self.operator(commands.CreateSecret(ACCOUNT, "AKIA", ROOT_HOLDER))
        proof = commands.AccessKeyProof(ACCOUNT, "AKIA", ROOT_HOLDER, secret.sealed_secret)
        password = self.worker(commands.HashPassword(ACCOUNT, "AIDA", "correct horse", proof=proof))
        seed = self.worker(commands.CreateMfaSeed(SERIAL))
        audit = self.operator(commands.CreateAuditKey())
        return [
            commands.KeyToken(msgspec.msgpack.encode(bound)),
            commands.SecretToken(ACCOUNT, "AKIA", ROOT_HOLDER, secret.sealed_secret),
            commands.SeedToken(SERIAL, seed.sealed_seed),
            commands.PasswordToken(ACCOUNT, "AIDA", password.value),
            commands.AuditKeyToken(audit.key_token),
        ]


@pytest.fixture
def hsm():
    return Hsm()


def inside(token):
    """The token itself, whatever it is presented as."""
    if isinstance(token, commands.KeyToken):
        return msgspec.msgpack.decode(token.bound_token, type=BoundToken).key_token
    return token.sealed


def presented(token, anew):
    """The same with another token inside."""
    if not isinstance(token, commands.KeyToken):
        return msgspec.structs.replace(token, sealed=anew)
    bound = msgspec.msgpack.decode(token.bound_token, type=BoundToken)
    return commands.KeyToken(msgspec.msgpack.encode(msgspec.structs.replace(bound, key_token=anew)))


def opens(hsm, token):
    return isinstance(hsm.worker(commands.RewrapTokens([token])), Tokens)


def encrypted(hsm, token):
    return hsm.worker(commands.Encrypt(token.bound_token, "SYMMETRIC_DEFAULT", b"kept", {})).value


def decrypted(hsm, token, ciphertext):
    command = commands.Decrypt(token.bound_token, "SYMMETRIC_DEFAULT", ciphertext, {})
    return hsm.worker(command)


def test_a_life_of_domain_keys_from_rotation_to_destruction(hsm):
    tokens = hsm.secrets()
    ciphertext, old = encrypted(hsm, tokens[0]), hsm.keys(current=True)
    hsm.rotate()
    assert hsm.keys(current=False) == old
    assert all(opens(hsm, token) for token in tokens)
    anew = hsm.worker(commands.RewrapTokens(tokens)).key_tokens
    assert {domain_key_id(token) for token in anew} <= hsm.keys(current=True)
    wrapped = [presented(token, new) for token, new in zip(tokens, anew, strict=True)]
    hsm.now += REST_SECONDS_MIN
    hsm.keep(hsm.destroy(old))
    assert all(opens(hsm, token) for token in tokens), "nothing is gone before it is adopted"
    hsm.adopt()
    for state in ("at once", "after a restart"):
        assert hsm.keys(current=False) == set(), state
        assert not any(opens(hsm, token) for token in tokens), state
        assert all(opens(hsm, token) for token in wrapped), state
        assert decrypted(hsm, wrapped[0], ciphertext).value == b"kept"
        assert decrypted(hsm, tokens[0], ciphertext) == REFUSED, "not from memory either"
        hsm.restart()


def test_the_audit_key_in_memory_goes_with_its_domain_key(hsm):
    token = hsm.operator(commands.CreateAuditKey()).key_token
    digest = commands.SignDigest(token, "t", "b", "o", bytes(32), b"")
    assert hsm.operator(digest) != REFUSED
    old = hsm.keys(current=True)
    hsm.rotate()
    hsm.now += REST_SECONDS_MIN
    hsm.keep(hsm.destroy(old))
    hsm.adopt()
    assert hsm.operator(digest) == REFUSED


def test_a_token_of_the_current_domain_key_is_opened_and_stays_as_it_is(hsm):
    tokens = hsm.secrets()
    assert hsm.worker(commands.RewrapTokens(tokens)).key_tokens == [inside(t) for t in tokens]
    altered = presented(tokens[1], inside(tokens[1])[:-1] + b"?")
    assert hsm.worker(commands.RewrapTokens([altered])) == REFUSED


def test_nothing_is_made_under_a_domain_key_that_is_not_kept_yet(hsm):
    before = hsm.keys(current=True)
    hsm.successor()
    assert hsm.keys(current=True) == before
    assert {domain_key_id(inside(token)) for token in hsm.secrets()} <= before


@pytest.mark.parametrize("kind", range(5))
def test_a_token_is_wrapped_anew_for_what_it_is_bound_to_alone(hsm, kind):
    token = hsm.secrets()[kind]
    hsm.rotate()
    others = []
    if isinstance(token, commands.KeyToken):
        bound = msgspec.msgpack.decode(token.bound_token, type=BoundToken)
        for field in ("account_id", "region", "key_id", "key_spec", "key_usage", "origin"):
            other = {field: OTHER if field == "region" else "HMAC_256"}
            changed = msgspec.structs.replace(bound, **other)
            others.append(commands.KeyToken(msgspec.msgpack.encode(changed)))
        others.append(commands.AuditKeyToken(bound.key_token))
    else:
        fields = [f for f in type(token).__struct_fields__ if f != "sealed"]
        others += [msgspec.structs.replace(token, **{field: "other"}) for field in fields]
        others += [
            presented(other, token.sealed)
            for other in hsm.secrets()
            if type(other) is not type(token)
        ]
    for other in others:
        assert hsm.worker(commands.RewrapTokens([other])) == REFUSED, other


def test_one_that_does_not_open_refuses_all(hsm):
    tokens = [*hsm.secrets(), commands.SeedToken("other", b"x" * 60)]
    assert hsm.worker(commands.RewrapTokens(tokens)) == REFUSED


def test_destroyed_material_is_not_wrapped_anew_and_its_older_token_is_refused(hsm):
    first = hsm.secrets()[0]
    hsm.rotate()
    second = presented(first, hsm.worker(commands.RewrapTokens([first])).key_tokens[0])
    hsm.worker(commands.ForgetMaterial([], [inside(second)]))
    for token in (second, first):
        assert not opens(hsm, token)


def test_a_domain_key_rests_before_it_is_destroyed(hsm):
    old = hsm.keys(current=True)
    hsm.rotate()
    assert hsm.destroy(old) == FORBIDDEN
    hsm.now += REST_SECONDS_MIN - 1
    assert hsm.destroy(old) == FORBIDDEN
    assert hsm.destroy(hsm.keys(current=True)) == FORBIDDEN
    hsm.now += 1
    assert isinstance(hsm.destroy(old), SealedDomains)
    assert isinstance(hsm.destroy([b"no such "]), SealedDomains), "gone already"


def test_one_domain_is_rotated_without_the_others(hsm):
    before = hsm.keys(current=True)
    hsm.rotate([REGION])
    assert len(hsm.keys(current=True) & before) == len(NAMES) - 1
    assert hsm.successor(["nowhere"]) == REFUSED


def test_an_older_blob_is_not_adopted(hsm):
    first = hsm.kept.sealed_domains
    hsm.rotate()
    assert hsm.operator(commands.AdoptDomains(first)) == FORBIDDEN
    hsm.adopt()


def opened(sealed_domains):
    roots = RootKeys(Unattended((bytes(32),)), lambda: 1.0)
    contents = roots.unseal(sealed_domains)
    return roots, contents


def sealed_anew(sealed_domains, change):
    """Sealed domains as whoever has the seal key could make them."""
    roots, contents = opened(sealed_domains)
    return roots.sealed(replace(contents, rings=change(contents.rings)))


def test_a_blob_that_does_not_know_the_newest_domain_key_is_not_adopted(hsm):
    """Two successors of the same rings: whichever is adopted second would lose a key in use."""
    left, right = (hsm.successor([REGION]) for _ in range(2))
    hsm.keep(left)
    hsm.adopt()
    assert hsm.operator(commands.AdoptDomains(right.sealed_domains)) == FORBIDDEN
    again = hsm.successor([REGION])
    hsm.keep(again)

    def ahead(rings):
        return {
            name: Ring(*ring.plain(), ring.lives, ring.step + 9) for name, ring in rings.items()
        }

    stale = sealed_anew(right.sealed_domains, ahead)
    assert hsm.operator(commands.AdoptDomains(stale)) == FORBIDDEN
    hsm.adopt()


def test_successors_are_of_the_rings_that_are_kept_and_not_of_those_in_force(hsm):
    """So that two changes in a row lose nothing, however late the first is adopted."""
    first = hsm.keys(current=True)
    hsm.keep(hsm.successor())
    second = {key.key_id for key in hsm.kept.keys if key.is_current}
    hsm.keep(hsm.successor())
    assert first | second < {key.key_id for key in hsm.kept.keys}
    hsm.adopt()
    assert hsm.keys(current=False) == first | second
    unsealed = commands.RotateDomainKeys(b"x" * 100, NAMES, 0.0)
    assert hsm.worker(unsealed) == Failed(Failure.SEAL_REFUSED)


def test_a_blob_without_one_of_the_rings_is_not_adopted(hsm):
    def without(rings):
        return {name: ring for name, ring in rings.items() if name != OTHER}

    less = sealed_anew(hsm.kept.sealed_domains, without)
    assert hsm.operator(commands.AdoptDomains(less)) == FORBIDDEN


def test_a_ring_has_an_end(hsm, monkeypatch):
    monkeypatch.setattr(ring_file, "DOMAIN_KEYS_MAX", 3)
    hsm.rotate()
    hsm.rotate()
    assert hsm.successor([REGION]) == Failed(Failure.TOO_OFTEN)
    assert DOMAIN_KEYS_MAX >= 60, "months of days"


def test_what_an_older_version_sealed_opens_and_is_rotated(hsm):
    """A blob of rings without times and steps, as they were before."""
    blob = version_1(opened(hsm.kept.sealed_domains)[1].rings, bytes(32))
    token = hsm.secrets()[1]
    hsm.kept = SealedDomains(blob)
    hsm.restart()
    assert opens(hsm, token)
    before = hsm.keys(current=True)
    hsm.rotate()
    assert hsm.keys(current=False) == before
    hsm.restart()
    assert opens(hsm, token)


def test_the_mark_of_a_token_says_its_domain_key(hsm):
    token = inside(hsm.secrets()[0])
    assert token[:TOKEN_MARK_BYTES] == token_mark(domain_key_id(token))
    assert domain_key_id(b"") is domain_key_id(b"\x02" + bytes(20)) is None


def test_no_reply_holds_a_key_or_a_secret(hsm):
    hsm.rotate()
    keys = [key for ring in hsm.module._rings.all().values() for key in ring.plain()[1].values()]
    replies = [
        hsm.worker(commands.DescribeDomains()),
        hsm.successor(),
        hsm.worker(commands.RewrapTokens(hsm.secrets())),
    ]
    shown = b"".join(msgspec.msgpack.encode(reply) for reply in replies)
    assert not [key for key in keys if key in shown]
