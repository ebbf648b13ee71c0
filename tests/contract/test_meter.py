"""The meter over real journals: equal to a recount, whenever its process is killed."""

import json
import os
import signal
import sqlite3
from collections import Counter

import pytest

import trails
from contract.test_audit_machinery import ACCOUNT, OTHER, START, arn, event, write
from kagimori.rules.keys.kms_key import BackingKey, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.metering.older_keys import changes_of
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.times import iso_time
from kagimori.trail.meter import METER_NAME, Meter, counted_up_to
from kagimori.trail.metering_follower import MeteringFollower
from kagimori.trail.source import Source


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit"
    for stream in ("w0", "w1"):
        (folder / stream).mkdir(parents=True)
    return folder


def lifecycle(number, name, **more):
    """Return the record of a key's making, or of something that happened to it."""
    metadata = {"arn": arn(), "keySpec": "SYMMETRIC_DEFAULT", "keyManager": "CUSTOMER"}
    elements = {"keyMetadata": metadata} if name == "CreateKey" else None
    return event(number, name, responseElements=elements, eventType="AwsApiCall", **more)


def rotation(number, material):
    details = {"currentKeyMaterialId": material}
    return event(
        number,
        "RotateKey",
        serviceEventDetails=details,
        eventType="AwsServiceEvent",
        readOnly=False,
    )


def some_records():
    """Return what two streams recorded, over several hours, by several callers."""
    first = [lifecycle(0, "CreateKey")]
    first += [event(number * 400, resource=arn(name=f"k{number % 3}")) for number in range(1, 40)]
    first += [rotation(20_000, "m2"), lifecycle(20_001, "ScheduleKeyDeletion")]
    second = [
        event(number * 700, "Decrypt", errorCode="AccessDenied" if number % 4 == 0 else None)
        for number in range(20)
    ]
    second += [lifecycle(20_002, "CancelKeyDeletion"), b'{"no":"record"}']
    return first, second


def recount(audit):
    """Count the journals' records by hour, account, operation, key and refusal, in another way."""
    counts = Counter()
    for file in audit.glob("w*/*.jsonl"):
        for line in file.read_bytes().splitlines():
            record = json.loads(line)["record"]
            if record.get("eventType") == "AwsServiceEvent":
                continue
            try:
                hour = decode_entry(json.dumps(record).encode()).event_time[:13]
            except ValueError:
                counts["unreadable"] += 1
                continue
            key = record["resources"][0]["ARN"]
            name = (hour, record["recipientAccountId"], record["eventName"], key)
            counts[*name, record.get("errorCode") or ""] += 1
    return counts


def counted(audit):
    connection = sqlite3.connect(audit / METER_NAME)
    rows = connection.execute(
        "SELECT hour, account_id, operation, key_arn, error_code, sum(requests) FROM requests "
        "GROUP BY 1, 2, 3, 4, 5"
    ).fetchall()
    changes = connection.execute("SELECT kind, identity FROM key_changes").fetchall()
    connection.close()
    counts = Counter()
    for hour, *name, error_code, requests in rows:
        text = iso_time(hour * 3600)[:13]
        counts["unreadable" if not hour else (text, *name, error_code)] += requests
    return counts, Counter(changes)


def follow(audit, ends=((13, 9), (29, 15), (99, 99))):
    """Count all streams, in several turns; what is not counted by the end is counted then."""
    meter = Meter(audit)
    try:
        for end in ends:
            for stream, up_to in zip(("w0", "w1"), end, strict=True):
                meter.follow(audit / stream, up_to)
    finally:
        meter.close()


def test_the_count_is_the_journals_own(audit):
    for stream, records in zip(("w0", "w1"), some_records(), strict=True):
        write(audit, records, stream=stream)
    follow(audit)
    counts, changes = counted(audit)
    assert counts == recount(audit)
    assert counts.total() == 63
    assert counts["unreadable"] == 1
    kinds = {"made", "rotated", "scheduled", "cancelled"}
    assert ({kind for kind, _ in changes}, changes.total()) == (kinds, 4)
    assert counted_up_to(audit) == {"w0": 42, "w1": 22}


SHORT = ((4, 3), (99, 99))


def killed_at(audit, statement):
    """Follow in a process that kills itself (-9) before a statement; return whether it came so far."""
    child = os.fork()
    if child == 0:
        try:
            meter = Meter(audit)
            left = [statement]

            def reach(_text):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            meter._connection.set_trace_callback(reach)
            for end in SHORT:
                for stream, up_to in zip(("w0", "w1"), end, strict=True):
                    meter.follow(audit / stream, up_to)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_no_count_is_lost_or_doubled_however_often_the_process_is_killed(audit):
    for stream, records in zip(("w0", "w1"), some_records(), strict=True):
        write(audit, records[:3] + records[-4:], stream=stream)
    wanted, statements = recount(audit), 0
    while True:
        statements += 1
        for file in audit.glob(f"{METER_NAME}*"):
            file.unlink()
        # Killed twice, the second time while it makes up for the first.
        reached = killed_at(audit, statements)
        killed_at(audit, statements)
        follow(audit, SHORT)
        counts, changes = counted(audit)
        assert counts == wanted, statements
        assert changes.total() == 4, statements
        if not reached:
            break
    assert statements > 30


def test_a_failure_within_a_turn_leaves_the_place_where_it_was(audit):
    write(audit, some_records()[0])
    meter = Meter(audit)
    meter._connection.execute("ALTER TABLE key_changes RENAME TO elsewhere")
    with pytest.raises(sqlite3.OperationalError):
        meter.follow(audit / "w0")
    meter._connection.execute("ALTER TABLE elsewhere RENAME TO key_changes")
    meter.follow(audit / "w0")
    meter.close()
    assert counted(audit)[0] == recount(audit)


# --- keys that no record tells of ---------------------------------------------------------------


class Store:
    def __init__(self, *keys):
        self.keys = keys

    def all_keys(self):
        return iter(self.keys)

    def close(self):
        pass


def kms_key(name, **more):
    rotated = BackingKey(material_id="m2", created_at=START + 20_000, rotated_at=START + 20_000.4)
    return KmsKey(
        account_id=ACCOUNT,
        region="us-east-1",
        key_id=name,
        created_at=START - 5000.0,
        key_policy="",
        backing_keys=(BackingKey(material_id="m1", created_at=START - 5000.0), rotated),
        current_material_id="m2",
        **more,
    )


def changes_in(audit, name):
    connection = sqlite3.connect(audit / METER_NAME)
    rows = connection.execute("SELECT kind, at FROM key_changes WHERE key_id = ?", (name,))
    found = sorted(rows.fetchall())
    connection.close()
    return found


def test_keys_older_than_the_journals_are_taken_from_the_store_once(audit):
    write(audit, [lifecycle(0, "CreateKey"), rotation(20_000, "m2")])
    pending = {
        "state": KeyState.PENDING_DELETION,
        "deletion_at": START + 7 * 86_400.0,
        "pending_window_days": 7,
    }
    store = Store(kms_key("k1"), kms_key("old"), kms_key("leaving", **pending))
    follower = MeteringFollower(Source(audit), keys=lambda: store, now=lambda: START + 9.0)
    follower.turn(stopping=False)
    follower.turn(stopping=False)
    follower.close()
    assert changes_in(audit, "k1") == [("made", START), ("rotated", START + 20_000)]
    assert changes_in(audit, "old") == [("made", START - 5000), ("rotated", START + 20_000)]
    assert ("scheduled", START) in changes_in(audit, "leaving")


def test_a_schedule_that_the_store_showed_first_counts_once_when_its_record_comes(audit):
    pending = kms_key(
        "k1",
        state=KeyState.PENDING_DELETION,
        deletion_at=START + 30.4 + 7 * 86_400,
        pending_window_days=7,
    )
    write(audit, [event(1)])
    meter = Meter(audit)
    meter.add_older_keys(changes_of(pending, START + 31))
    write(
        audit,
        [lifecycle(30, "ScheduleKeyDeletion"), lifecycle(40, "CancelKeyDeletion")],
        stream="w1",
    )
    meter.follow(audit / "w1")
    meter.close()
    kinds = [kind for kind, _ in changes_in(audit, "k1")]
    assert sorted(kinds) == ["cancelled", "made", "rotated", "scheduled"]


def test_aws_managed_keys_are_not_taken_in():
    assert list(changes_of(kms_key("k", key_manager="AWS"), START)) == []


# --- what stands in the way ---------------------------------------------------------------------


def test_a_stream_that_does_not_go_on_is_left_and_reported(audit):
    link = write(audit, [event(1), event(2)])
    write(audit, [event(3)], stream="w1")
    follower = MeteringFollower(Source(audit), keys=Store)
    follower.turn(stopping=False)
    (audit / "w0" / trails.file_name(1)).unlink()
    write(audit, [event(9, resource=arn(OTHER))], link)
    write(audit, [event(4)], trails.journal([event(3)])[1], stream="w1")
    follower.turn(stopping=False)
    assert "w0" in follower.standing()
    follower.close()
    assert counted_up_to(audit) == {"w0": 2, "w1": 2}
    assert counted(audit)[0].total() == 4


def test_a_meter_that_was_removed_is_made_anew(audit):
    write(audit, [event(1), event(2)])
    follower = MeteringFollower(Source(audit), keys=Store)
    follower.turn(stopping=False)
    for file in audit.glob(f"{METER_NAME}*"):
        file.unlink()
    follower.turn(stopping=False)
    follower.close()
    assert counted(audit)[0].total() == 2


def test_a_meter_of_another_version_is_left_alone(audit):
    connection = sqlite3.connect(audit / METER_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(sqlite3.DatabaseError, match="another version"):
        Meter(audit)
