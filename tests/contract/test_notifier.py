"""Events outward over real folders, with a receiver, keys and a clock of our own."""

import json

import pytest

import trails
from kagimori.rules.keys.kms_key import BackingKey, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.records.denial_storm import DenialStorms
from kagimori.rules.records.entry import decode_entry
from kagimori.rules.records.service_event import service_event
from kagimori.rules.records.times import iso_time
from kagimori.trail.notices import GIVEN_UP_SECONDS, PAUSE_SECONDS_MAX, Notifier
from kagimori.trail.receiving import NotTaken

NOW = 1_790_000_000.0
ACCOUNT, REGION = "111122223333", "us-east-1"
KEY = KmsKey(
    account_id=ACCOUNT, region=REGION, key_id="k1", created_at=NOW, key_policy="", origin="EXTERNAL"
)


def event(number, name="Encrypt", key="k1", at=NOW, **more):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"
    return json.dumps(
        {
            "eventTime": iso_time(at),
            "eventName": name,
            "eventSource": "kms.amazonaws.com",
            "eventID": f"{number:08x}-0000-4000-8000-000000000000",
            "awsRegion": REGION,
            "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
            "resources": [{"ARN": arn, "accountId": ACCOUNT}],
            "eventType": "AwsApiCall",
            **more,
        }
    ).encode()


def rotated(number):
    return service_event(
        event_id=f"{number:08x}-0000-4000-8000-000000000000",
        now=NOW,
        kms_key=KEY,
        name="RotateKey",
        details={"keyId": "k1", "rotationType": "AUTOMATIC", "keyOrigin": "AWS_KMS"},
    )


class World:
    """A journal, keys, a clock, and a receiver that may refuse."""

    def __init__(self, audit):
        self.audit, self.now = audit, NOW
        (audit / "w0").mkdir(parents=True)
        self.link = trails.START
        self.taken, self.troubles = [], []
        self.refuses = lambda name: False
        self.canary_keys, self.keys = frozenset(), []

    def write(self, *records):
        files, self.link = trails.journal(records, len(records), self.link)
        for name, content in files.items():
            (self.audit / "w0" / name).write_bytes(content)

    def canaries(self):
        return self.canary_keys

    def due_before(self, at):
        return [key for key in self.keys if key.due_at < at]

    def post(self, body, name):
        if self.refuses(name):
            raise NotTaken("503")
        notice = json.loads(body)
        assert notice["id"] == name
        self.taken.append(notice)

    def notifier(self):
        return Notifier(
            self.audit,
            "test",
            post=self.post,
            keys=self,
            ahead_seconds=7 * 86_400,
            storm_denials=3,
            now=lambda: self.now,
            trouble=self.troubles.append,
        )

    @property
    def types(self):
        return [notice["detail-type"] for notice in self.taken]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "audit")


def test_the_first_begins_at_the_end_and_the_next_where_it_ended(world):
    world.write(rotated(1))
    notifier = world.notifier()
    notifier.turn({})
    assert world.taken == []
    world.write(rotated(2))
    notifier.turn({})
    world.write(rotated(3))
    world.notifier().turn({})
    world.notifier().turn({})
    assert world.types == ["KMS CMK Rotation"] * 2


def test_a_damaged_note_is_said_and_begun_anew(world):
    world.notifier()
    (world.audit / "notices-test.json").write_bytes(b"{")
    world.write(rotated(1))
    notifier = world.notifier()
    assert "damaged" in world.troubles[0]
    world.write(rotated(2))
    notifier.turn({})
    assert len(world.taken) == 1


def test_no_more_is_told_than_was_answered_for(world):
    notifier = world.notifier()
    world.write(rotated(1), rotated(2))
    notifier.turn({"w0": 1})
    assert len(world.taken) == 1
    notifier.turn({"w0": 2})
    assert len(world.taken) == 2


def test_who_was_killed_before_the_note_tells_again_under_the_same_id(world):
    world.notifier()
    world.write(rotated(1))
    killed = world.notifier()
    killed.note = lambda: None
    killed.turn({})
    world.notifier().turn({})
    first, second = world.taken
    assert first == second


def test_what_is_not_taken_waits_longer_and_longer_and_in_order(world):
    notifier = world.notifier()
    world.write(rotated(1), rotated(2))
    world.refuses = lambda name: True
    pauses = [notifier.turn({}) for _ in range(12)]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == PAUSE_SECONDS_MAX
    assert len(world.troubles) == 1, "said once"
    world.write(rotated(3))
    world.refuses = lambda name: False
    notifier.turn({})
    notifier.turn({})
    assert len(world.taken) == 3
    assert [notice["id"] for notice in world.taken] == list(
        dict.fromkeys(notice["id"] for notice in world.taken)
    )


def test_one_that_nobody_takes_for_a_day_is_given_up_and_said_so(world):
    notifier = world.notifier()
    world.write(rotated(1), rotated(2))
    first = []
    world.refuses = lambda name: name == (first or first.append(name) or first)[0]
    notifier.turn({})
    world.now += GIVEN_UP_SECONDS
    notifier.turn({})
    assert len(world.taken) == 1
    assert "given up" in world.troubles[-1]


def test_after_a_day_of_nothing_only_what_is_as_old_is_given_up(world):
    notifier = world.notifier()
    world.write(rotated(1))
    world.refuses = lambda name: True
    notifier.turn({})
    world.now += GIVEN_UP_SECONDS
    world.write(event(2, "ScheduleKeyDeletion", at=world.now - 60))
    notifier.turn({})
    notifier.turn({})
    world.refuses = lambda name: False
    notifier.turn({})
    assert world.types == ["AWS API Call via CloudTrail"]


def test_journals_that_do_not_go_on_are_said_and_left_behind(world):
    world.write(rotated(1))
    notifier = world.notifier()
    notifier.turn({})
    other = trails.journal([event(50 + n) for n in range(3)])[1]
    files, _ = trails.journal([event(9)], 1, other)
    ((name, content),) = files.items()
    (world.audit / "w0" / name).write_bytes(content)
    notifier.turn({})
    assert "never announced" in world.troubles[0]
    files, _ = trails.journal([rotated(10)], 1, trails.journal([event(9)], 1, other)[1])
    ((name, content),) = files.items()
    (world.audit / "w0" / name).write_bytes(content)
    notifier.turn({})
    assert world.types == ["KMS CMK Rotation"]


def test_touches_of_a_canary_by_one_caller_are_one_event(world):
    notifier = world.notifier()
    world.canary_keys = frozenset((KEY.arn,))
    many = [event(n) for n in range(50)]
    world.write(*many, event(60, key="k2"), event(61, "Decrypt", errorCode="AccessDenied"))
    notifier.turn({})
    assert [
        (one["detail"]["times"], one["detail"]["event"]["eventName"]) for one in world.taken
    ] == [
        (50, "Encrypt"),
        (1, "Decrypt"),
    ]


def test_what_approaches_is_told_once_also_after_a_restart(world):
    material = BackingKey(
        material_id="ab" * 32, key_token=b"t", created_at=NOW, valid_to=NOW + 6 * 86_400
    )
    later = BackingKey(
        material_id="cd" * 32, key_token=b"t", created_at=NOW, valid_to=NOW + 8 * 86_400
    )
    world.keys = [
        KmsKey(
            account_id=ACCOUNT,
            region=REGION,
            key_id="k1",
            created_at=NOW,
            key_policy="",
            state=KeyState.PENDING_DELETION,
            deletion_at=NOW + 7 * 86_400,
            backing_keys=(material, later),
        )
    ]
    for _ in range(2):
        notifier = world.notifier()
        notifier.turn({})
        world.now += 61
        notifier.turn({})
    assert world.types == [
        "KMS CMK Deletion Approaching",
        "KMS Imported Key Material Expiration Approaching",
    ]
    assert world.taken[1]["detail"] == {
        "key-id": "k1",
        "key-material-id": "ab" * 32,
        "valid-to": iso_time(NOW + 6 * 86_400),
    }
    world.now = NOW + 1.5 * 86_400
    world.notifier().turn({})
    assert len(world.taken) == 3, "the later material, when its time comes"


@pytest.mark.parametrize(
    ("name", "details", "detail_type", "detail"),
    [
        (
            "RotateKey",
            {
                "keyId": "k1",
                "rotationType": "ON_DEMAND",
                "keyOrigin": "AWS_KMS",
                "previousKeyMaterialId": "a",
                "currentKeyMaterialId": "b",
            },
            "KMS CMK Rotation",
            {
                "key-id": "k1",
                "key-origin": "AWS_KMS",
                "rotation-type": "ON_DEMAND",
                "previous-key-material-id": "a",
                "current-key-material-id": "b",
            },
        ),
        (
            "DeleteExpiredKeyMaterial",
            {"keyId": "k1", "keyMaterialId": "a"},
            "KMS Imported Key Material Expiration",
            {"key-id": "k1", "key-material-id": "a"},
        ),
        ("DeleteKey", None, "KMS CMK Deletion", {"key-id": "k1"}),
    ],
    ids=["rotated", "expired", "deleted"],
)
def test_events_in_the_shape_of_event_bridge(world, name, details, detail_type, detail):
    """Reference, section 15."""
    notifier = world.notifier()
    world.write(
        service_event(
            event_id="00000001-0000-4000-8000-000000000000",
            now=NOW,
            kms_key=KEY,
            name=name,
            details=details,
        )
    )
    notifier.turn({})
    (notice,) = world.taken
    assert notice.pop("id")
    assert notice == {
        "version": "0",
        "detail-type": detail_type,
        "source": "aws.kms",
        "account": ACCOUNT,
        "time": iso_time(NOW),
        "region": REGION,
        "resources": [KEY.arn],
        "detail": detail,
    }


def test_storms_by_the_time_of_the_records():
    storms = DenialStorms(3)

    def add(number, at, code="AccessDenied", **more):
        return storms.add(decode_entry(event(number, at=NOW + at, errorCode=code, **more)))

    assert [add(n, 40 * n) for n in range(5)] == [None] * 5, "too slow for one"
    assert add(5, 161, "DisabledException") is None
    assert [add(6, 230), add(7, 231)] == [None, None]
    storm = add(8, 232)
    assert storm.detail["denials"] == 3
    assert storm.detail["callers"] == {"arn:aws:iam::111122223333:user/alice": 3}
    assert [add(n, 240) for n in range(10, 20)] == [None] * 10, "told already"
    told = [add(n, 240 + 300 + n) for n in range(3)]
    assert told[-1] is not None, "and still there after a while"
