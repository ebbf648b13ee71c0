"""Digests, index, delivery and retention over real folders, without a server or an HSM."""

import gzip
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import trails
from kagimori.rules.records.lookup import EventQuery, shown_events
from kagimori.rules.records.times import iso_time
from kagimori.trail import lookup
from kagimori.trail.delivery import Delivery
from kagimori.trail.digests import Digester
from kagimori.trail.index import INDEX_NAME, AuditIndex, IndexUnusable
from kagimori.trail.lookup import EventFinder
from kagimori.trail.meter import Meter, counted_up_to
from kagimori.trail.reading import prove_unused
from kagimori.trail.receiving import NotTaken
from kagimori.trail.retention import new_beginnings, remove_before
from kagimori.trail.tail import StreamTail, TrailBroken
from kagimori.trail.targets import DeliveryFolder
from kagimori.trail.verification import reindex, verify

START = 1_790_000_000
ACCOUNT, OTHER = "111122223333", "444455556666"
FINGERPRINT = trails.PUBLIC_KEY.fingerprint


def arn(account=ACCOUNT, name="k1"):
    return f"arn:aws:kms:us-east-1:{account}:key/{name}"


def event(number, name="Encrypt", resource=None, **more):
    resource = resource or arn()
    record = {
        "eventTime": iso_time(START + number),
        "eventName": name,
        "eventSource": "kms.amazonaws.com",
        "eventID": f"{number:08x}-0000-4000-8000-000000000000",
        "awsRegion": "us-east-1",
        "readOnly": True,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {
            "type": "IAMUser",
            "userName": "ann",
            "accountId": ACCOUNT,
            "principalId": "AIDA1",
            "accessKeyId": "AKIA1",
        },
        "resources": [
            {"ARN": resource, "accountId": resource.split(":")[4], "type": "AWS::KMS::Key"}
        ],
        **more,
    }
    return json.dumps(record).encode()


def sign(to_sign):
    return trails.KEY.sign(to_sign.text(), padding.PKCS1v15(), hashes.SHA256()).hex()


@pytest.fixture
def audit(tmp_path):
    folder = tmp_path / "audit"
    (folder / "w0").mkdir(parents=True)
    (folder / "public-key.pem").write_bytes(trails.PEM)
    return folder


def write(audit, records, link=trails.START, stream="w0", per_file=8):
    files, link = trails.journal(records, per_file, link)
    for name, content in files.items():
        (audit / stream / name).write_bytes(content)
    return link


def digester(audit, troubles=None):
    return Digester(
        audit,
        fingerprint=FINGERPRINT,
        sign=sign,
        now=lambda: START + 1000,
        trouble=(troubles if troubles is not None else []).append,
    )


def delivery(audit, troubles=None):
    return Delivery(
        audit,
        DeliveryFolder(audit.parent / "bucket"),
        fingerprint=FINGERPRINT,
        sign=sign,
        now=lambda: START + 2000,
        draw=bytes,
        trouble=(troubles if troubles is not None else []).append,
    )


def find(audit, name=None, value=None, *, account=ACCOUNT, limit=50, after=None):
    attribute = (name, value) if name else None
    query = EventQuery(account, "us-east-1", attribute, 0, START * 2, after, limit)
    return EventFinder(audit).find(query)


# --- digests --------------------------------------------------------------------------------------


def test_a_digest_signs_no_more_than_was_answered_for(audit):
    write(audit, map(event, range(20)))
    ours = digester(audit)
    ours.follow({"w0": 11})
    (end,) = ours.make().digest.streams
    assert (end.newest_sequence, end.records) == (11, 11)
    ours.follow({"w0": 20})
    second = ours.make().digest
    assert [(end.newest_sequence, end.records) for end in second.streams] == [(20, 9)]
    assert verify(audit).intact


def test_counts_go_on_after_a_restart(audit):
    link = write(audit, map(event, range(10)))
    ours = digester(audit)
    ours.follow({})
    assert ours.make().digest.counts == {arn(): {"Encrypt": (10, 0)}}
    write(audit, (event(n, "Decrypt", errorCode="X") for n in range(10, 13)), link)
    again = digester(audit)
    again.follow({})
    made = again.make().digest
    assert (made.number, made.counts) == (2, {arn(): {"Decrypt": (3, 3)}})
    assert verify(audit).intact


def test_nothing_new_is_signed_of_a_broken_stream(audit):
    link = write(audit, map(event, range(10)))
    ours = digester(audit)
    ours.follow({})
    ours.make()
    file = audit / "w0" / trails.file_name(9)
    file.write_bytes(file.read_bytes()[:-2] + b"!\n")
    write(audit, map(event, range(10, 12)), link)
    troubles = []
    again = digester(audit, troubles)
    again.follow({})
    assert "not intact" in troubles[0]
    assert [end.newest_sequence for end in again.make().digest.streams] == [10]
    assert not verify(audit).intact


def test_a_damaged_newest_digest_stays_as_evidence(audit):
    write(audit, map(event, range(3)))
    ours = digester(audit)
    ours.follow({})
    ours.make()
    first = audit / "digests" / f"{1:020d}.json"
    first.write_bytes(b"{}")
    troubles = []
    again = digester(audit, troubles)
    again.follow({})
    assert again.make().digest.number == 2
    assert first.read_bytes() == b"{}"
    assert troubles


def test_a_removed_beginning_is_not_signed_away(audit):
    write(audit, map(event, range(20)))
    ours = digester(audit)
    ours.follow({})
    ours.make()
    (audit / "w0" / trails.file_name(1)).unlink()
    for next_one in (ours, digester(audit)):
        next_one.follow({})
        next_one.make()
        assert [found.kind for found in verify(audit).findings] == ["removed beginning"]


def test_a_first_digest_signs_no_later_beginning(audit):
    write(audit, map(event, range(20)))
    (audit / "w0" / trails.file_name(1)).unlink()
    ours = digester(audit)
    ours.follow({})
    ours.make()
    assert [found.kind for found in verify(audit).findings] == ["removed beginning"]


def test_a_disk_that_fails_for_a_while_breaks_no_stream(audit, monkeypatch):
    write(audit, map(event, range(20)))
    troubles = []
    ours = digester(audit, troubles)

    def refuse(self, file, up_to):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(StreamTail, "_read_file", refuse)
        ours.follow({})
    assert troubles == ["w0 cannot be read: Input/output error"]
    ours.follow({})
    assert [end.newest_sequence for end in ours.make().digest.streams] == [20]


# --- the index ------------------------------------------------------------------------------------


def test_pages_are_whole_and_in_order(audit):
    write(audit, map(event, range(300)), per_file=50)
    (audit / "w1").mkdir()
    write(audit, map(event, range(1000, 1300)), stream="w1", per_file=70)
    assert reindex(audit) == 600
    seen, after = [], None
    while True:
        page = find(audit, "EventName", "Encrypt", limit=37, after=after)
        seen += page[:37]
        if len(page) <= 37:
            break
        after = page[36].spot
    times = [found.spot[0] for found in seen]
    assert len({found.record for found in seen}) == len(seen) == 600
    assert times == sorted(times, reverse=True)


def test_an_index_of_other_journals_is_told_by_their_chain(audit):
    link = write(audit, map(event, range(8)))
    index = AuditIndex(audit)
    index.follow(audit / "w0")
    other = trails.journal(map(event, range(20, 28)))[1]
    assert other.sequence == link.sequence
    write(audit, [event(99)], other)
    with pytest.raises(TrailBroken):
        index.follow(audit / "w0")
    index.close()


def test_a_file_that_is_no_index_is_replaced(audit):
    write(audit, map(event, range(8)))
    (audit / INDEX_NAME).write_bytes(b"no index" * 1000)
    assert reindex(audit) == 8
    assert len(find(audit, "ResourceName", "k1")) == 8


def test_who_looks_while_the_index_is_made_waits_for_it(audit, monkeypatch):
    """It cannot be read for a moment then; the first look-up of a new server met that."""
    write(audit, map(event, range(8)))
    (audit / INDEX_NAME).write_bytes(b"no index" * 1000)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            reindex(audit)

    monkeypatch.setattr(lookup.time, "sleep", pause)
    assert len(find(audit, "ResourceName", "k1")) == 8
    assert pauses == list(lookup.PAUSES_SECONDS[:2])


def test_an_index_that_stays_unreadable_is_an_error_after_a_bound(audit, monkeypatch):
    (audit / INDEX_NAME).write_bytes(b"no index" * 1000)
    monkeypatch.setattr(lookup.time, "sleep", lambda _: None)
    with pytest.raises(IndexUnusable):
        find(audit)


def test_the_owner_of_a_foreign_key_sees_its_copy(audit):
    foreign = arn(OTHER, "k9")
    denied = event(2, resource=foreign, errorCode="AccessDenied")
    write(audit, [event(1, resource=foreign), denied])
    reindex(audit)
    assert len(find(audit, "ResourceName", foreign)) == 2
    (copy,) = find(audit, "ResourceName", foreign, account=OTHER)
    assert copy.owner == OTHER
    assert find(audit, "Username", "ann", account=OTHER) == []
    (shown,) = shown_events([copy])
    seen = json.loads(shown["CloudTrailEvent"])
    identity = {"type": "AWSAccount", "principalId": "AIDA1", "accountId": ACCOUNT}
    assert seen["userIdentity"] == identity
    assert seen["recipientAccountId"] == OTHER
    assert find(audit, "EventId", shown["EventId"], account=OTHER)
    assert "ann" not in shown["CloudTrailEvent"]


def test_old_events_are_forgotten(audit):
    write(audit, map(event, (1, 2)))
    index = AuditIndex(audit)
    index.follow(audit / "w0")
    index.forget_before(START + 10_000_000)
    index.close()
    assert find(audit) == []


# --- delivery and retention -----------------------------------------------------------------------


def test_delivery_goes_on_where_it_was(audit):
    link = write(audit, map(event, range(5)))
    assert delivery(audit).deliver({}) == 5
    assert delivery(audit).deliver({}) == 0
    write(audit, map(event, range(5, 7)), link)
    assert delivery(audit).deliver({}) == 2


def test_no_two_digests_have_one_name(audit):
    link = write(audit, map(event, range(5)))
    ours = delivery(audit)
    for first in (5, 7, 9):
        ours.deliver({})
        ours.digest()
        ours.digest()
        link = write(audit, map(event, range(first, first + 2)), link)
    digests = [
        json.loads(gzip.decompress(path.read_bytes()))
        for path in sorted((audit.parent / "bucket").rglob("*-Digest_*.json.gz"))
    ]
    assert [len(digest["logFiles"]) for digest in digests] == [1, 1, 1]
    assert [one["digestStartTime"] for one in digests[1:]] == [
        one["digestEndTime"] for one in digests[:-1]
    ]


def test_a_stream_that_does_not_go_on_keeps_none_of_the_others_waiting(audit):
    link = write(audit, map(event, range(5)))
    (audit / "w1").mkdir()
    other = write(audit, map(event, range(100, 105)), stream="w1")
    delivery(audit).deliver({})
    (audit / "w0" / trails.file_name(1)).unlink()
    write(audit, map(event, range(5, 7)), link)
    write(audit, map(event, range(105, 108)), other, stream="w1")
    troubles = []
    assert delivery(audit, troubles).deliver({}) == 3
    assert len(troubles) == 1
    assert new_beginnings(audit, None, START) == {}


def test_what_a_target_does_not_take_is_delivered_by_the_next(audit):
    write(audit, map(event, range(5)))
    refusing = delivery(audit)
    taken = []

    def put(name, content, metadata):
        if metadata:
            raise NotTaken("no digests today")
        taken.append(name)

    refusing._target.put = put
    assert refusing.deliver({}) == 5
    with pytest.raises(NotTaken):
        refusing.digest()
    ours = delivery(audit)
    ours.digest()
    (digest,) = (audit.parent / "bucket").rglob("*-Digest_*.json.gz")
    (log,) = json.loads(gzip.decompress(digest.read_bytes()))["logFiles"]
    assert [log["s3Object"]] == taken


def test_both_accounts_get_their_copy(audit):
    write(audit, [event(1, resource=arn(OTHER, "k9"))])
    delivery(audit).deliver({})
    files = {path.name[:12]: path for path in (audit.parent / "bucket").rglob("*.json.gz")}
    (theirs,) = json.loads(gzip.decompress(files[OTHER].read_bytes()))["Records"]
    assert theirs["userIdentity"]["type"] == "AWSAccount"
    assert sorted(files) == [ACCOUNT, OTHER]


def test_retention_removes_what_is_old_delivered_and_signed(audit):
    write(audit, map(event, range(40)))
    ours = digester(audit)
    ours.follow({})
    ours.make()
    old = START + 20
    assert new_beginnings(audit, ours.newest, old) == {}, "not delivered"
    delivery(audit).deliver({})
    assert new_beginnings(audit, None, old) == {}, "not signed"
    assert new_beginnings(audit, ours.newest, old, ["webhook"]) == {}, "not told of"
    place = {"file": trails.file_name(33), "offset": 0, "sequence": 40, "line_hash": ""}
    state = {"places": {"w0": place}, "told": {}}
    (audit / "notices-webhook.json").write_text(json.dumps(state))
    not_counted = new_beginnings(audit, ours.newest, old, ["webhook"], [counted_up_to(audit)])
    assert not_counted == {}
    meter = Meter(audit)
    meter.follow(audit / "w0", 40)
    meter.close()
    begins = new_beginnings(audit, ours.newest, old, ["webhook"], [counted_up_to(audit)])
    assert begins["w0"][0] == 17
    ours.make(begins)
    assert verify(audit).intact, "signed, but not yet removed"
    assert remove_before(audit, begins) == 2
    held = verify(audit)
    assert held.intact, held.findings
    assert held.streams[0].first_sequence == 17
    # What a digest counted is known still; what would have to be read is not.
    assert prove_unused(audit, "k1", START, START + 40).unused is False
    assert prove_unused(audit, "k2", START, START + 40).unused is True
    assert prove_unused(audit, "k2", START, START + 5).unused is None
    assert reindex(audit) == 24
    again = digester(audit)
    again.follow({})
    assert not again.has_news()
    (audit / "w0" / trails.file_name(17)).unlink()
    assert verify(audit).findings[0].kind == "removed beginning"
