"""The root key: it seals the rings, each seal holds it, and nobody else can put another in."""

import hmac
import os

import msgspec
import pytest
from msgspec.structs import replace

from kagimori_boundary import commands
from kagimori_boundary.commands import Role
from kagimori_boundary.replies import Failed, Failure, Greeting, HsmState, SealedDomains
from kagimori_boundary.seals import FILE, Head, cut_head, head_bytes, seals_in
from kagimori_hsm.module import Module
from kagimori_hsm.ring import Ring
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.root_keys import RootKeys
from kagimori_hsm.roots.sealed import open_sealed, sealed_with
from kagimori_hsm.roots.seals import RootKey, new_seal, root_key_in, with_root_key
from kagimori_hsm.roots.unattended import Unattended
from kit.older_domains import version_1, version_2

FILE_KEY, OTHER_KEY = bytes(range(32)), bytes(32)
OPERATORS = "111122223333"
REFUSED = Failed(Failure.SEAL_REFUSED)


def module(file_key=FILE_KEY):
    made = Module(file_key, memory_locked=False)
    made.self_test()
    return made


def operator(of, command):
    return of.perform(Role.OPERATOR, command)


def created(file_key=FILE_KEY):
    return operator(module(file_key), commands.CreateDomains(["identity"], OPERATORS))


def root_keys(file_key=FILE_KEY):
    return RootKeys(Unattended((file_key,)), lambda: 1.0)


def test_a_new_deployment_has_a_seal_of_its_file():
    (seal,) = seals_in(created().sealed_domains)
    assert (seal.kind, seal.label) == (FILE, "seal.key")


def test_the_file_opens_what_it_sealed_and_another_does_not():
    sealed = created().sealed_domains
    same = module()
    opened = operator(same, commands.Unseal(sealed))
    assert isinstance(opened, Greeting)
    assert opened.operator_account_id == OPERATORS
    other = module(OTHER_KEY)
    assert operator(other, commands.Unseal(sealed)) == REFUSED
    assert other.state is HsmState.SEALED


@pytest.mark.parametrize("version", [1, 2])
def test_what_earlier_versions_sealed_opens_and_gets_a_root_key(version):
    rings = {"identity": Ring.create(5.0)}
    blob = version_1(rings, FILE_KEY) if version == 1 else version_2(rings, FILE_KEY, OPERATORS)
    assert operator(module(OTHER_KEY), commands.Unseal(blob)) == REFUSED
    first = module()
    assert isinstance(operator(first, commands.Unseal(blob)), Greeting)
    sealed = operator(first, commands.CreateDomains([], OPERATORS)).sealed_domains
    assert [seal.kind for seal in seals_in(sealed)] == [FILE]
    opened = root_keys().unseal(sealed)
    assert opened.operator_account_id == OPERATORS
    assert opened.rings["identity"].plain() == rings["identity"].plain()
    # What was sealed before is still of this deployment, until the store has the new one.
    rotated = first.perform(Role.WORKER, commands.RotateDomainKeys(blob, ["identity"], 0.0))
    if version == 2:
        assert isinstance(rotated, SealedDomains)
        root_keys().unseal(rotated.sealed_domains)


def test_every_byte_of_sealed_domains_is_authenticated():
    sealed = created().sealed_domains
    for at in range(len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(SealRefused):
            root_keys().unseal(bytes(altered))
    for cut in range(0, len(sealed), 7):
        with pytest.raises(SealRefused):
            root_keys().unseal(sealed[:cut])


def test_two_seals_of_one_root_key_open_the_same_and_a_new_one_reaches_both_without_their_roots():
    old, secrets = RootKey.draw(), (os.urandom(32), os.urandom(32))
    made = [new_seal("file", "x", {}, secret=one, root_key=old, now=1.0) for one in secrets]
    new = RootKey.draw()
    for one, secret in zip(made, secrets, strict=True):
        assert root_key_in(one.seal, old.root_key_id, secret) == old
        again = with_root_key(one.seal, one.proof_key, new)
        assert root_key_in(again, new.root_key_id, secret) == new
        with pytest.raises(SealRefused):
            root_key_in(again, old.root_key_id, secret)
    with pytest.raises(SealRefused):
        root_key_in(made[0].seal, old.root_key_id, secrets[1])


def test_a_store_that_was_changed_cannot_bring_in_a_root_key_of_its_own():
    """Whoever writes the store knows the public key of each seal, and encrypts to it."""
    sealed = created().sealed_domains
    head, _ = cut_head(sealed)
    theirs = RootKey.draw()
    for proof_key in (bytes(32), os.urandom(32), b""):
        forged = with_root_key(head.seals[0], proof_key, theirs)
        contents = Contents(operator_account_id="666677778888", rings={"identity": Ring.create()})
        blob = sealed_with(
            theirs.secret, replace(head, root_key_id=theirs.root_key_id, seals=(forged,)), contents
        )
        open_sealed(blob, theirs.secret)  # it is well made
        assert operator(module(), commands.Unseal(blob)) == REFUSED


def test_nobody_without_the_root_key_changes_which_seals_there_are():
    sealed = created().sealed_domains
    head, end = cut_head(sealed)
    added = new_seal(
        "file", "mine", {}, secret=OTHER_KEY, root_key=RootKey(head.root_key_id, bytes(32)), now=1.0
    )
    for seals in ((), (*head.seals, added.seal), (replace(head.seals[0], label="x"),)):
        blob = head_bytes(replace(head, seals=seals)) + sealed[end:]
        assert operator(module(), commands.Unseal(blob)) == REFUSED


def test_what_other_parts_seal_with_the_rings_stays_with_every_successor():
    keys = root_keys()
    keys.create()
    contents = Contents(rings={"identity": Ring.create()}, further={"operators": b"list"})
    running = module()
    operator(running, commands.Unseal(keys.sealed(contents)))
    sealed = operator(running, commands.CreateDomains(["us-east-1"])).sealed_domains
    rotated = running.perform(Role.WORKER, commands.RotateDomainKeys(sealed, ["identity"], 0.0))
    operator(running, commands.AdoptDomains(rotated.sealed_domains))
    assert keys_opened(rotated.sealed_domains).further.items() >= {"operators": b"list"}.items()


def keys_opened(sealed):
    return root_keys().unseal(sealed)


def test_seals_of_before_a_change_are_not_adopted_after_it():
    keys = root_keys()
    keys.create()
    contents = Contents(rings={"identity": Ring.create()})
    first = keys.sealed(contents)
    running = module()
    operator(running, commands.Unseal(first))
    opened = keys.opened(first)
    later = keys.sealed(opened.contents, replace(opened.head, step=1))
    assert not isinstance(operator(running, commands.AdoptDomains(later)), Failed)
    assert operator(running, commands.AdoptDomains(first)) == Failed(Failure.FORBIDDEN)


def test_nothing_of_it_shows_a_secret():
    root_key = RootKey(b"i" * 8, b"s" * 32)
    made = new_seal("file", "x", {}, secret=bytes(32), root_key=root_key, now=1.0)
    contents = Contents(proof_keys={"a": b"s" * 32}, further={"b": b"s" * 32})
    for value in (root_key, made, contents):
        assert "ssss" not in repr(value)
        assert repr(made.proof_key)[2:-1] not in repr(value)


def test_the_head_can_be_read_by_anybody_who_knows_its_form():
    """Written from `docs/look-up/ciphertext-format.md` alone."""
    sealed = created().sealed_domains
    length = int.from_bytes(sealed[1:5], "big")
    head = msgspec.msgpack.decode(sealed[5 : 5 + length])
    assert sealed[0] == 3
    assert set(head) == {"root_key_id", "step", "seals"}
    assert head_bytes(msgspec.convert(head, Head)) == sealed[: 5 + length]
    (seal,) = head["seals"]
    assert len(seal["proof"]) == len(hmac.digest(b"", b"", "sha256"))
    assert len(seal["public_key"]) == 32
