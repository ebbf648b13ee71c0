"""The meter of a restored deployment: it charges for the keys that the store has, from then on."""

import sqlite3

import pytest

from contract.test_audit_machinery import ACCOUNT, START, arn, event, write
from contract.test_meter import audit, counted, follow, recount, some_records
from kagimori.rules.keys.kms_key import BackingKey, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.metering.key_lives import KeyChange, life_of
from kagimori.trail.meter import METER_NAME
from kagimori.trail.meter_copies import copy_meter, settle_meter

__all__ = ["audit"]
BACKUP, RESTORED = START + 500, START + 2000


def made(number, name):
    metadata = {"arn": arn(name=name), "keySpec": "SYMMETRIC_DEFAULT", "keyManager": "CUSTOMER"}
    return event(number, "CreateKey", arn(name=name), responseElements={"keyMetadata": metadata})


def rotated(number, name, material):
    details = {"currentKeyMaterialId": material}
    return event(number, "RotateKey", arn(name=name), serviceEventDetails=details)


def stored(name, **more):
    return KmsKey(
        account_id=ACCOUNT,
        region="us-east-1",
        key_id=name,
        created_at=float(START),
        key_policy="",
        **more,
    )


def life(audit, name):
    with sqlite3.connect(audit / METER_NAME) as connection:
        rows = connection.execute(
            "SELECT kind, account_id, region, key_id, at, identity FROM key_changes "
            "WHERE key_id = ?",
            (name,),
        ).fetchall()
    connection.close()
    return life_of("", [KeyChange(*row) for row in rows])


def test_a_copy_counts_what_its_journals_lack(audit, tmp_path):
    """The journals of the time before were retired: only the meter knows it."""
    first, second = some_records()
    write(audit, first)
    follow(audit)
    (tmp_path / "new" / "w0").mkdir(parents=True)
    assert copy_meter(audit, tmp_path / "new" / METER_NAME)
    assert (tmp_path / "new" / METER_NAME).stat().st_mode & 0o077 == 0
    assert counted(tmp_path / "new") == counted(audit)
    (tmp_path / "new" / "w1").mkdir()
    write(audit, second, stream="w1")
    write(tmp_path / "new", second, stream="w1")
    settle_meter(tmp_path / "new", (), since=BACKUP, at=RESTORED)
    assert counted(tmp_path / "new")[0] == recount(audit)


def test_there_is_no_copy_of_what_cannot_be_read(audit, tmp_path):
    assert not copy_meter(audit, tmp_path / "x")
    (audit / METER_NAME).write_bytes(b"something else")
    assert not copy_meter(audit, tmp_path / "x")
    assert not (tmp_path / "x").exists()


CASES = {
    "made later, and lost": ([made(900, "k")], None, RESTORED),
    "made before, and there": ([made(10, "k")], {}, None),
    "deletion scheduled later": (
        [made(10, "k"), event(900, "ScheduleKeyDeletion", arn(name="k"))],
        {},
        None,
    ),
    "deleted later": (
        [
            made(10, "k"),
            event(20, "ScheduleKeyDeletion", arn(name="k")),
            event(900, "DeleteKey", arn(name="k")),
        ],
        {"state": KeyState.PENDING_DELETION},
        START + 20,
    ),
    "deletion cancelled later": (
        [
            made(10, "k"),
            event(20, "ScheduleKeyDeletion", arn(name="k")),
            event(900, "CancelKeyDeletion", arn(name="k")),
        ],
        {"state": KeyState.PENDING_DELETION},
        RESTORED,
    ),
    "scheduled, cancelled and scheduled later": (
        [
            made(10, "k"),
            event(800, "ScheduleKeyDeletion", arn(name="k")),
            event(900, "CancelKeyDeletion", arn(name="k")),
            event(950, "ScheduleKeyDeletion", arn(name="k")),
        ],
        {},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_is_charged_for_as_the_store_has_it(audit, case):
    records, key, gone = CASES[case]
    write(audit, records)
    keys = [] if key is None else [stored("k", **key)]
    for _ in range(2):  # a restore of a backup of a restored deployment
        settle_meter(audit, keys, since=BACKUP, at=RESTORED)
        assert life(audit, "k").gone_at == gone


def test_a_key_that_came_back_can_be_given_up_again(audit):
    link = write(audit, [made(10, "k"), event(900, "ScheduleKeyDeletion", arn(name="k"))])
    settle_meter(audit, [stored("k")], since=BACKUP, at=RESTORED)
    write(audit, [event(3000, "ScheduleKeyDeletion", arn(name="k"))], link)
    follow(audit)
    assert life(audit, "k").gone_at == START + 3000


def test_a_version_that_is_lost_is_not_charged_for(audit):
    write(audit, [made(10, "k"), rotated(20, "k", "early"), rotated(900, "k", "late")])
    early = BackingKey(material_id="early", created_at=START + 20.0, rotated_at=START + 20.0)
    settle_meter(audit, [stored("k", backing_keys=(early,))], since=BACKUP, at=RESTORED)
    assert life(audit, "k").rotated_at == (START + 20,)


def test_keys_that_no_record_shows_are_taken_from_the_store(audit):
    write(audit, [event(1)])
    settle_meter(audit, [stored("old")], since=BACKUP, at=RESTORED)
    assert life(audit, "old").made_at == START


def test_a_journal_that_is_broken_is_left_to_the_server(audit):
    write(audit, [made(10, "k")])
    (audit / "w1" / f"{1:020}.jsonl").write_bytes(b"{}\n")
    settle_meter(audit, [], since=BACKUP, at=RESTORED)
    assert life(audit, "k").gone_at == RESTORED
