"""A node registers its streams, and takes over those that a folder without an id has left."""

import json

import pytest

import trails
from kagimori.deployment.facts import Facts, facts_from, new_facts
from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.opened import Opened, new_store
from kagimori.entities.node_tables import LEASES
from kagimori.entities.tables import DOMAINS
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.database import Fact
from kagimori.ports import Put
from kagimori.rules.keys.domains import first_domains
from kagimori.rules.nodes.node import TIME
from kagimori.rules.records.service_event import deployment_created, journal_event
from kagimori.trail.mark import MARKS, SyncedMark
from kagimori.trail.streams import close_stream, known_streams, register_node

ACCOUNT = "111122223333"


@pytest.fixture
def deployment(tmp_path):
    layout = Layout(tmp_path)
    layout.database.touch(0o600)
    layout.seal_key.touch(0o600)
    facts = Facts(("us-east-1",), "http://127.0.0.1:1", b"", False, 0.0, ACCOUNT)
    with new_store(layout) as store:
        record = deployment_created(
            event_id=new_uuid(), now=0.0, account_id=ACCOUNT, regions=facts.regions
        )
        store.commit([*new_facts(facts), Put(DOMAINS, first_domains(b"", ()))], record)
        yield Opened(layout, facts_from(store, layout.database), store)


@pytest.fixture
def older(deployment):
    """A deployment of a version without node ids, whose streams are w0, w1 and admin."""
    store = deployment.store
    deployment.layout.node_id.unlink()
    streams = json.dumps({"w0": False, "w1": False, "admin": False})
    store.commit([Fact("streams", streams, store.facts()["streams"])], event("RegisterStreams"))
    store._database._execute("DELETE FROM outbox")
    for stream, length in (("w0", 9), ("w1", 3)):
        write(deployment.layout, stream, length)
    return deployment


def event(name):
    return journal_event(
        event_id=new_uuid(), now=0.0, name=name, region="us-east-1", details={}, account_id=ACCOUNT
    )


def write(layout, stream, length):
    folder = layout.audit / stream
    folder.mkdir(parents=True)
    (folder / ".reserve").write_bytes(bytes(9))
    files, link = trails.journal(trails.record(number) for number in range(length))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    mark = SyncedMark(layout.data / MARKS / stream)
    mark.settle(link)
    mark.close()


def recorded(deployment):
    """The records that wait for a journal, by event: their details."""
    rows = deployment.store._database.outbox()
    records = [json.loads(record) for _, _, _, record in rows]
    return {record["eventName"]: record.get("serviceEventDetails") for record in records}


def last_file(deployment, stream):
    return sorted((deployment.layout.audit / stream).glob("*.jsonl"))[-1]


def test_a_new_node_has_streams_of_its_name_and_the_timer(deployment):
    found = register_node(deployment, 2, signs=True)
    node = found.node
    assert found.workers == {"w0": f"{node}-w0", "w1": f"{node}-w1"}
    assert found.known == {f"{node}-w0": False, f"{node}-w1": False, f"{node}-admin": False}
    assert known_streams(deployment.store) == found.known
    assert deployment.store.one(LEASES, (TIME,)).holder == node
    assert recorded(deployment)["RegisterStreams"] == {
        "node": node,
        "streams": sorted(found.known),
        "closed": [],
        "signs": True,
    }


def test_a_second_start_registers_nothing(deployment):
    first = register_node(deployment, 1, signs=True)
    rows = deployment.store._database.outbox()
    assert register_node(deployment, 1, signs=True) == first
    assert deployment.store._database.outbox() == rows


def test_streams_of_before_are_closed_and_keep_their_names_and_lines(older):
    lines = {file: file.read_bytes() for file in older.layout.audit.rglob("*.jsonl")}
    found = register_node(older, 1, signs=True)
    assert found.known == {
        **dict.fromkeys(("w0", "w1", "admin"), True),
        **dict.fromkeys((f"{found.node}-w0", f"{found.node}-admin"), False),
    }
    assert recorded(older)["RegisterStreams"]["closed"] == ["admin", "w0", "w1"]
    assert "CutJournalTail" not in recorded(older)
    assert not list(older.layout.audit.rglob(".reserve"))
    assert {file: file.read_bytes() for file in older.layout.audit.rglob("*.jsonl")} == lines


def test_of_a_version_that_registered_none_all_that_is_there_is_known(older):
    older.store._database._execute("DELETE FROM deployment WHERE name = 'streams'")
    found = register_node(older, 1, signs=True)
    assert {name for name, closed in found.known.items() if closed} == {"w0", "w1"}


def test_a_loss_accepted_before_the_first_start_forgets_no_stream(older):
    older.store._database._execute("DELETE FROM deployment WHERE name = 'streams'")
    close_stream(older, "w1", "it is damaged")
    assert known_streams(older.store) == {"w0": False, "w1": True}


def test_what_was_never_acknowledged_is_cut_off_once_and_recorded(older):
    file = last_file(older, "w0")
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"sequence": 10')
    register_node(older, 1, signs=True)
    assert file.read_bytes() == whole
    cut = recorded(older)["CutJournalTail"]
    assert (cut["stream"], cut["afterSequence"], cut["bytes"]) == ("w0", 9, 15)


def test_a_loss_in_a_stream_of_before_keeps_the_node_from_starting(older):
    file = last_file(older, "w0")
    file.write_bytes(file.read_bytes()[:-20])
    before = known_streams(older.store)
    with pytest.raises(Unusable, match=r"w0: .* record 9 was acknowledged; .*damaged") as no:
        register_node(older, 1, signs=True)
    assert "\n" not in str(no.value)
    assert known_streams(older.store) == before
    close_stream(older, "w0", "accepted")
    register_node(older, 1, signs=True)


def test_a_folder_restored_without_its_id_is_another_node(deployment):
    first = register_node(deployment, 1, signs=True)
    write(deployment.layout, first.workers["w0"], 5)
    deployment.layout.node_id.unlink()
    second = register_node(deployment, 1, signs=True)
    assert second.node != first.node
    closed = {name for name, closed in second.known.items() if closed}
    assert closed == set(first.known)
    assert deployment.store.one(LEASES, (TIME,)).holder == second.node


def test_records_on_their_way_to_a_node_that_never_started_have_a_stream(deployment):
    (stream,) = deployment.store.outbox_streams()
    deployment.layout.node_id.unlink()
    found = register_node(deployment, 1, signs=False)
    assert found.known[stream] is True
