"""Proofs that a key was not used: what they rest on, and of what nothing is proven."""

import json

import pytest

import trails
from contract.test_audit_machinery import START, arn, digester, event, write
from kagimori.trail.reading import prove_unused
from kagimori.trail.verification import verify


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit"
    (folder / "w0").mkdir(parents=True)
    (folder / "public-key.pem").write_bytes(trails.PEM)
    return folder


def digested(audit):
    ours = digester(audit)
    ours.follow({})
    return ours.make()


def alter(audit, old, new, *, first=1):
    """Replace text in the records from one on, with hashes to fit."""
    lines = [
        json.loads(line)["record"]
        for file in sorted((audit / "w0").iterdir())
        for line in file.read_bytes().splitlines()
    ]
    texts = [json.dumps(line) for line in lines]
    texts = [text.replace(old, new) if n >= first else text for n, text in enumerate(texts, 1)]
    for file in (audit / "w0").iterdir():
        file.unlink()
    write(audit, (text.encode() for text in texts))


def test_proof_reaches_to_the_newest_digest(audit):
    link = write(audit, map(event, range(8)))
    digested(audit)
    proof = prove_unused(audit, "k2", START)
    assert (proof.unused, proof.until) == (True, START + 1000)
    write(audit, [event(1500)], link)
    assert prove_unused(audit, "k2", START).unused is True
    later = prove_unused(audit, "k2", START, START + 2000)
    assert (later.unused, "after the next digest" in later.why) == (None, True)
    assert prove_unused(audit, "k1", START + 1400, START + 2000).unused is False


@pytest.mark.parametrize("first", [1, 6])
def test_nothing_is_proven_of_an_altered_trail(audit, first):
    write(audit, (event(n, resource=arn(name="k2")) for n in range(8)))
    digested(audit)
    assert prove_unused(audit, "k2", START).unused is False
    alter(audit, "key/k2", "key/k1", first=first)
    proof = prove_unused(audit, "k2", START)
    assert (proof.unused, "replaced chain" in proof.why) == (None, True)
    assert proof.counts == {}


def test_nothing_is_proven_of_a_trail_whose_digests_were_taken_away(audit):
    write(audit, (event(n, resource=arn(name="k2")) for n in range(8)))
    digested(audit)
    alter(audit, "key/k2", "key/k1")
    (audit / "digests" / f"{1:020d}.json").unlink()
    (audit / "public-key.pem").unlink()
    held = verify(audit)
    assert (held.intact, held.is_missing) == (False, True), "nothing says whether it was signed"
    proof = prove_unused(audit, "k2", START)
    assert (proof.unused, "missing" in proof.why) == (None, True)


def test_unsigned_records_that_were_altered_prove_nothing(audit):
    link = write(audit, map(event, range(8)))
    digested(audit)
    write(audit, (event(n, resource=arn(name="k2")) for n in range(1500, 1505)), link)
    alter(audit, "key/k2", "key/k1", first=9)
    assert verify(audit).intact, "the chain alone holds them"
    assert prove_unused(audit, "k2", START, START + 2000).unused is None
