"""Makes a worker write bare lines for records: on the path of a measured server alone.

Python imports this at its start if its folder is on the path. See audit.py.
"""

import sys


def _bare_record(progress, _ending, event_id, now):
    record = {"eventTime": iso_time(now), "eventName": progress.name, "eventID": event_id}
    return encode({**record, "eventSource": "kms.amazonaws.com"})


if sys.orig_argv[1:3] == ["-m", "kagimori"]:
    from msgspec.json import encode

    import kagimori.path
    from kagimori.rules.records.record import iso_time

    kagimori.path.record_of = _bare_record
