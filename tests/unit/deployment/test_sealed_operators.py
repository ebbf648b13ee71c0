"""The operators' account is the HSM's to tell; in older deployments it is sealed once."""

import msgspec
import pytest

from kagimori.deployment.facts import Facts, new_facts
from kagimori.deployment.folder import make_folder
from kagimori.deployment.opened import new_store, opened
from kagimori.deployment.sealed_operators import with_sealed_operators
from kagimori.entities.tables import DOMAINS
from kagimori.hsm.process import HsmRefused
from kagimori.ports import Put
from kagimori.rules.keys.domains import first_domains
from kagimori.rules.records.service_event import deployment_created
from kagimori_boundary import commands
from kagimori_boundary.commands import Role
from kagimori_boundary.seals import seals_in
from kagimori_hsm.module import Module
from kagimori_hsm.ring import Ring
from kit.older_domains import version_1, version_2

OPERATORS, OTHER = "111122223333", "444455556666"


class InProcess:
    """An HSM in this process, as the supervisor sees one of its own."""

    def __init__(self, layout, sealed_domains=None):
        key = bytes.fromhex(layout.seal_key.read_text())
        self.module = Module(key, memory_locked=False)
        self.module.self_test()
        self.operator_account_id = ""
        if sealed_domains is not None:
            opened = self.ask(commands.Unseal(sealed_domains))
            self.operator_account_id = opened.operator_account_id

    def ask(self, command):
        return self.module.perform(Role.OPERATOR, command)


def sealed_as_before(layout):
    """Return domains as they were sealed before the operators' account was among them."""
    rings = {"identity": Ring.create(0.0)}
    return version_1(rings, bytes.fromhex(layout.seal_key.read_text()))


@pytest.fixture
def layout(tmp_path):
    return make_folder(tmp_path / "data")


def stored(layout, sealed_domains):
    """Return the facts of a deployment whose store names `OPERATORS`."""
    facts = Facts(("us-east-1",), "http://x", sealed_domains, False, 1.0, OPERATORS)
    record = deployment_created(event_id="e", now=1.0, account_id=OPERATORS, regions=facts.regions)
    with new_store(layout) as store:
        kept = Put(DOMAINS, first_domains(sealed_domains, ()))
        store.commit([*new_facts(facts), kept], record)
    return facts


def test_the_hsm_is_believed_and_not_the_store(layout, capfd):
    new = InProcess(layout).ask(commands.CreateDomains(["identity"], OTHER))
    facts = stored(layout, new.sealed_domains)
    found = with_sealed_operators(layout, facts, InProcess(layout, facts.sealed_domains))
    assert found.operator_account_id == OTHER
    assert found.sealed_domains == facts.sealed_domains
    assert "the HSM is believed" in capfd.readouterr().err


def test_an_older_deployment_has_it_sealed_at_its_next_start(layout):
    facts = stored(layout, sealed_as_before(layout))
    hsm = InProcess(layout, facts.sealed_domains)
    found = with_sealed_operators(layout, facts, hsm)
    with opened(layout.data) as deployment:
        assert deployment.facts == found
    assert InProcess(layout, found.sealed_domains).operator_account_id == OPERATORS
    # From now on it is what was sealed, whatever the store says.
    forged = msgspec.structs.replace(found, operator_account_id=OTHER)
    again = with_sealed_operators(layout, forged, InProcess(layout, found.sealed_domains))
    assert again == found


def test_what_was_changed_meanwhile_is_not_written_over(layout):
    facts = stored(layout, sealed_as_before(layout))
    older = msgspec.structs.replace(facts, sealed_domains=sealed_as_before(layout))
    with pytest.raises(HsmRefused, match="start again"):
        with_sealed_operators(layout, older, InProcess(layout, older.sealed_domains))
    with opened(layout.data) as deployment:
        assert deployment.facts == facts


def test_domains_under_the_seal_key_itself_get_a_root_key_at_the_next_start(layout):
    rings = {"identity": Ring.create(0.0)}
    blob = version_2(rings, bytes.fromhex(layout.seal_key.read_text()), OPERATORS)
    facts = stored(layout, blob)
    assert seals_in(blob) == ()
    found = with_sealed_operators(layout, facts, InProcess(layout, blob))
    assert [seal.kind for seal in seals_in(found.sealed_domains)] == ["file"]
    with opened(layout.data) as deployment:
        assert deployment.facts == found
    again = with_sealed_operators(layout, found, InProcess(layout, found.sealed_domains))
    assert again == found, "it is done once"
