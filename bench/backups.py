"""Speed of backups: MB/s to make one and to restore it, and the seconds of each stage.

.venv/bin/python bench/backups.py

A deployment is filled directly: keys and grants in the store, and a journal of requests. Then it is
backed up, restored to an empty place, and proved, as `kagimori backup drill` does.
"""

import json
import tempfile
from pathlib import Path

from growth import Size, seed
from machine import described
from report import put_between

from kagimori.backups.drilling import Drill, drill
from kagimori.backups.own_hsm import own_backup_key
from kagimori.deployment.folder import Layout
from kagimori.deployment.init import initialise
from kagimori.deployment.node import node_id
from kagimori.rules.chain.chain import START, join
from kagimori.rules.chain.stream_names import worker_stream
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.records.times import iso_time
from kagimori.trail.files import file_for

PAGE = Path(__file__).parents[1] / "docs/look-up/performance.md"
BEGIN = "<!-- figures of backups: written by `make bench` -->"
END = "<!-- end of those of backups -->"
ACCOUNT, REGION = "111122223333", "us-east-1"
SIZE = Size(keys=20_000, grants=100_000, on_one_key=1_000)
RECORDS = 100_000
BEGAN = 1_790_000_000
MEGA = 1_000_000


def write(folder: Path, *, rounds: int, page: Path | None, records: int = RECORDS) -> None:
    """Measure, print, and write the table into the page, if one is given."""
    data = folder / "data"
    initialise(data)
    key = KmsKey(
        account_id=ACCOUNT,
        region=REGION,
        key_id="00000000-0000-4000-8000-00000000ffff",
        created_at=1.0,
        key_policy=default_key_policy(ACCOUNT, REGION),
    )
    seed(Layout(data).database, SIZE, key)
    _write_journal(Layout(data), records)
    ask = lambda *asked: own_backup_key(data, *asked)  # noqa: E731
    found = [drill(data, data / "seal.key", ask) for _ in range(rounds)]
    text = _table(sorted(found, key=lambda one: one.recovery_seconds)[len(found) // 2], records)
    print(text)
    if page is not None:
        put_between(page, BEGIN, END, text)


def _write_journal(layout: Layout, records: int) -> None:
    folder = layout.audit / worker_stream(node_id(layout), "w0")
    folder.mkdir(parents=True)
    link = START
    with file_for(folder, 1).open("wb") as out:
        for number in range(records):
            line, link = join(link, _record(number))
            out.write(line)


def _record(number: int) -> bytes:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number % SIZE.keys:08x}-0000-4000-8000-{0:012}"
    record = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAIOSFODNN7EXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        "eventTime": iso_time(BEGAN + number // 1000),
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": {"keyId": arn, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "responseElements": None,
        "requestID": f"{number:08x}-0000-4000-9000-000000000000",
        "eventID": f"{number:08x}-0000-4000-8000-000000000000",
        "readOnly": True,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}],
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def _table(found: Drill, records: int) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in described().items())
    rows = [
        ("back up", found.made.seconds, f"{found.back_up_mb_per_second:.0f} MB/s"),
        ("restore", found.proof.restore_seconds, f"{found.restore_mb_per_second:.0f} MB/s"),
        *((f"· {name}", found.stages[name], "") for name in ("unpack", "journals", "settle")),
        ("prove", found.proof.check_seconds, ""),
    ]
    lines = [
        f"{machine}.",
        f"{found.plain_bytes / MEGA:.0f} MB: {SIZE.keys:,} keys, {SIZE.grants:,} grants,",
        f"{records:,} records. In `settle` all of these are counted: nothing was counted before.",
        "",
        "| stage | seconds | |",
        "|---|---|---|",
        *(f"| {name} | {seconds:.2f} | {rate} |" for name, seconds, rate in rows),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kagimori-bench-") as place:
        write(Path(place), rounds=1, page=None)
