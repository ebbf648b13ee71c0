"""The clock of `kagimori dev`: told, and moved."""

import datetime as dt
import json

import serving

DAY = 86_400
PATH = "/_kagimori/clock"


def now(server):
    """Return the time at the server, in seconds since the epoch."""
    return json.loads(serving.get(server.url + PATH)[2])["now"]


def advance(server, *, days=0.0, seconds=0.0):
    """Move the clock; return the new time, when all that was due by then is done."""
    body = json.dumps({"advance_seconds": days * DAY + seconds}).encode()
    status, _, answer = serving.get(server.url + PATH, data=body)
    assert status == 200, answer
    return json.loads(answer)["now"]


def date(seconds):
    """Return seconds since the epoch as boto3 takes dates."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
