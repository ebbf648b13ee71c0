"""What the audit trail costs, and what it bears: records, verification, look-ups, the index's lag.

`rows` returns what is asked and what was measured, for run.py; alone, this prints them:

    python bench/audit.py [--quick] [--records N]
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import boto3
from botocore.config import Config
from load import run_load
from report import BESIDE, Asked
from requests_made import LoadMaker
from servers import Kagimori

from kagimori.rules.chain.chain import GENESIS
from kagimori.rules.records.lookup import EventQuery
from kagimori.rules.records.times import iso_time
from kagimori.trail.files import file_for
from kagimori.trail.index import INDEX_NAME, AuditIndex
from kagimori.trail.journal import FILE_BYTES_MAX
from kagimori.trail.lookup import EventFinder
from kagimori.trail.verification import verify

BARE_LINES = Path(__file__).with_name("audit_bare_lines")
RECORDS = 10_000_000
DAYS = 80
KEYS = 1000
ACCOUNT, REGION = "111122223333", "us-east-1"
MIB = 1024 * 1024
T = TypeVar("T")


class Measured(NamedTuple):
    """Limits and whether they are kept, and sentences about what was measured."""

    asked: list[Asked]
    lines: list[str]


def rows(folder: Path, *, records: int = RECORDS, rounds: int = 3, seconds: int = 5) -> Measured:
    """Measure all of it; needs about 1.1 GB in `folder` for each million of records."""
    parts = [
        records_cost(folder, rounds=rounds, seconds=seconds),
        index_lag(folder, seconds=4 * seconds),
        lookups(folder, records),
    ]
    return Measured(
        [asked for part in parts for asked in part.asked],
        [line for part in parts for line in part.lines],
    )


# --- what records cost ---------------------------------------------------------------------------


def records_cost(folder: Path, *, rounds: int, seconds: int) -> Measured:
    """Measure Encrypt with records as they are, and with bare lines in their place, in turns."""
    found: dict[str, list[tuple[float, float]]] = {"full": [], "bare": []}
    with Kagimori(folder / "full") as full, _with_bare_lines(folder / "bare") as bare:
        makers = {"full": (full, LoadMaker(full)), "bare": (bare, LoadMaker(bare))}
        for number in range(rounds):
            # In turns, and each of the two first as often as the other.
            for name in sorted(makers, reverse=bool(number % 2)):
                _say(f"round {number + 1} of {rounds}: {name} records")
                server, maker = makers[name]
                load, processes = maker.load("Encrypt"), server.processes()
                run_load(server.url, load, connections=BESIDE, seconds=1)
                before = processes.cpu_seconds()
                result = run_load(server.url, load, connections=BESIDE, seconds=seconds)
                cpu = (processes.cpu_seconds() - before) * 1e6 / max(1, result.requests)
                found[name].append((result.requests / result.seconds, cpu))
    rate = {name: median(one[0] for one in values) for name, values in found.items()}
    cpu = {name: median(one[1] for one in values) for name, values in found.items()}
    # By CPU time, which what else the machine does changes less than the rate.
    cost = max(0.0, 100 * (cpu["full"] / cpu["bare"] - 1))
    line = (
        f"Encrypt, {BESIDE} connections: {cpu['full']:.0f} µs of CPU with full records, "
        f"{cpu['bare']:.0f} with bare lines, in all processes, the index's among them; "
        f"{rate['full']:,.0f} and {rate['bare']:,.0f} requests/s."
    )
    return Measured(
        [Asked.at_most("full records against a bare line, CPU", cost, 10, " %")], [line]
    )


@contextmanager
def _with_bare_lines(data: Path) -> Iterator[Kagimori]:
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(BARE_LINES), before)))
    try:
        server = Kagimori(data)
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    with server:
        yield server


# --- the index's lag -----------------------------------------------------------------------------


def index_lag(folder: Path, *, seconds: int) -> Measured:
    """Measure how long it takes, under full load, until an event that was answered is found."""
    with Kagimori(folder / "lag") as server:
        load = LoadMaker(server).load("Encrypt")
        kms, trail = _client(server, "kms"), _client(server, "cloudtrail")
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(seconds)]
        rates: list[float] = []

        def put_under_load() -> None:
            result = run_load(server.url, load, connections=BESIDE, seconds=seconds)
            rates.append(result.requests / result.seconds)

        _say("the index's lag")
        thread = threading.Thread(target=put_under_load)
        thread.start()
        lags = []
        for key in keys:
            if not thread.is_alive():
                break
            kms.describe_key(KeyId=key)
            lags.append(_until_found(trail, key))
        thread.join()
    line = (
        f"At {rates[0]:,.0f} recorded requests/s an event was found {median(lags):.2f} s after "
        f"its answer (median of {len(lags)}), the look-up itself among the load included."
    )
    asked = Asked.at_most("index lag under full load, worst seen", max(lags), 1, " s")
    return Measured([asked], [line])


def _until_found(trail, key: str) -> float:
    attribute = {"AttributeKey": "ResourceName", "AttributeValue": key}
    began = time.perf_counter()
    while True:
        events = trail.lookup_events(LookupAttributes=[attribute])["Events"]
        if any(event["EventName"] == "DescribeKey" for event in events):
            return time.perf_counter() - began
        time.sleep(0.01)


def _client(server: Kagimori, service: str):
    signer = server.signer()
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=signer.region,
        aws_access_key_id=signer.access_key_id,
        aws_secret_access_key=signer.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


# --- many records --------------------------------------------------------------------------------


def lookups(folder: Path, records: int) -> Measured:
    """Verify, index and look up many records, of the last weeks and of many keys."""
    audit = folder / "audit"
    (audit / "w0").mkdir(parents=True)
    now = int(time.time())
    size = _write_journal(audit / "w0", records, now)
    _say("verifying")
    # The CPU's time, since one core is meant, whoever else wants it.
    before = time.process_time()
    held = verify(audit)
    seconds = time.process_time() - before
    assert held.records == records
    assert held.intact
    verified = records / seconds
    _say("indexing")
    seconds, _ = _timed(lambda: _index(audit))
    index = (audit / INDEX_NAME).stat().st_size
    finder = EventFinder(audit)
    asked, lines = [], []
    for name, value in (
        ("ResourceName", _key(7)),
        ("ResourceName", _key(0)),
        ("EventName", "Decrypt"),
        ("EventName", "DisableKey"),
        ("ResourceName", "never-seen"),
    ):
        times, found = _look_up(finder, name, value, now)
        rare = "rare " if value in (_key(0), "DisableKey") else ""
        what = f"{rare}{name} ({found} found) among {records:,}"
        asked.append(Asked.at_most(f"look-up by {what}", 1e3 * median(times), 50, " ms"))
        lines.append(f"Look-up by {what}: worst {1e3 * max(times):.1f} ms.")
    rate = Asked.at_least("records verified a second, one core", verified, 200_000)
    size_line = (
        f"{records:,} records: journals {size / MIB:,.0f} MiB, index {index / MIB:,.0f} MiB "
        f"({index / size:.1%}), made at {records / seconds:,.0f} records/s."
    )
    return Measured([rate, *asked], [size_line, *lines])


def _look_up(finder: EventFinder, name: str, value: str, now: int) -> tuple[list[float], int]:
    times, found = [], 0
    for _ in range(9):
        query = EventQuery(ACCOUNT, REGION, (name, value), now - 90 * 86_400, now + 1, None, 50)
        seconds, events = _timed(lambda query=query: finder.find(query))
        times.append(seconds)
        found = min(50, len(events))
    return times, found


def _index(audit: Path) -> None:
    index = AuditIndex(audit)
    index.follow(audit / "w0")
    index.close()


def _key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _write_journal(folder: Path, records: int, now: int) -> int:
    """Write a journal as a worker would; return its size. Key 0 and DisableKey are rare in it."""
    before, after = _template()
    previous, size, file = GENESIS, 0, None
    written = FILE_BYTES_MAX
    start = now - DAYS * 86_400
    for number in range(1, records + 1):
        if written + 2048 > FILE_BYTES_MAX:
            if file is not None:
                file.close()
            file, written = file_for(folder, number).open("wb", buffering=MIB), 0
            _say(f"writing record {number:,}")
        rare = number % 500_000 == 250_000
        name = b"DisableKey" if rare else (b"Encrypt", b"Decrypt")[number & 1]
        key = _key(0 if rare else 1 + number * 7919 % KEYS).encode()
        at = iso_time(start + number * DAYS * 86_400 // records).encode()
        unique = b"%08x-0000-4000-8000-%012x" % (number * 2_654_435_761 & 0xFFFFFFFF, number)
        record = b"".join((before, at, after[0], name, after[1], unique, after[2], key, after[3]))
        line = b'{"sequence":%d,"previous":"%s","record":%s}' % (number, previous.encode(), record)
        previous = sha256(line).hexdigest()
        file.write(line)
        file.write(b"\n")
        written += len(line) + 1
        size += len(line) + 1
    if file is not None:
        file.close()
    return size


def _template() -> tuple[bytes, list[bytes]]:
    """Return a record of Encrypt in pieces, to be put together with what differs."""
    record = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        "eventTime": "@",
        "eventSource": "kms.amazonaws.com",
        "eventName": "@",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux#6.1 lang/python#3.11.7",
        "requestParameters": {
            "keyId": "alias/orders",
            "encryptionContext": {"tenant": "0001-1a2b3c4d"},
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        },
        "responseElements": None,
        "additionalEventData": {"keyMaterialId": "ab" * 32},
        "requestID": "2c1b1a4e-6f0c-4a7e-9a57-1f1a2b3c4d5e",
        "eventID": "@",
        "readOnly": True,
        "resources": [
            {
                "accountId": ACCOUNT,
                "type": "AWS::KMS::Key",
                "ARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/@",
            }
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    before, *after = json.dumps(record, separators=(",", ":")).encode().split(b"@")
    return before, after


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _say(what: str) -> None:
    print(what, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, few records")
    parser.add_argument("--records", type=int, default=RECORDS, help="to look up among")
    options = parser.parse_args()
    records = min(options.records, 200_000) if options.quick else options.records
    rounds, seconds = (1, 2) if options.quick else (3, 5)
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as folder:
        measured = rows(Path(folder), records=records, rounds=rounds, seconds=seconds)
    for line in measured.lines:
        print(f"- {line}")
    for asked in measured.asked:
        kept = "met" if asked.met else "MISSED"
        print(f"{asked.what}: {asked.measured} ({asked.limit}, {kept})")


if __name__ == "__main__":
    main()
