"""What callers that nobody could identify may cost: bounded records, bounded series, bounded lines."""

import json

import pytest

from kagimori.machinery.logs import FACT_CHARACTERS_MAX, Log
from kagimori.machinery.telemetry import OTHER, SERIES_MAX, Telemetry
from kagimori.rules.records import strangers as rates
from kagimori.rules.records.progress import Progress
from kagimori.rules.records.record import record_of
from kagimori.rules.records.strangers import Strangers
from kagimori.rules.refusal import UnknownOperationException
from kagimori.rules.request import RawRequest
from kagimori.server.metrics import exposition


def test_an_address_has_a_burst_and_then_a_rate():
    strangers = Strangers()
    assert strangers.take() is None
    admitted = [strangers.admits("192.0.2.1", "InvalidSignature", 100.0) for _ in range(500)]
    assert admitted.count(True) == rates.ADDRESS_BURST
    assert strangers.admits("192.0.2.2", "InvalidSignature", 100.0), "another has its own"
    later = [strangers.admits("192.0.2.1", "InvalidSignature", 102.0) for _ in range(500)]
    assert later.count(True) == 2 * rates.ADDRESS_PER_SECOND
    left_out = strangers.take()
    assert left_out["count"] == 1000 - rates.ADDRESS_BURST - 2 * rates.ADDRESS_PER_SECOND
    assert left_out["sourceIPAddresses"] == {"192.0.2.1": left_out["count"]}
    assert left_out["errorCodes"] == {"InvalidSignature": left_out["count"]}
    assert strangers.take() is None


def test_all_together_have_one_as_well_and_many_addresses_cost_no_memory():
    strangers = Strangers()
    count = 3 * rates.ADDRESSES_MAX
    addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]
    admitted = sum(strangers.admits(address, "X", 100.0) for address in addresses)
    assert admitted == rates.TOTAL_BURST
    assert len(strangers._by_address) <= rates.ADDRESSES_MAX + 1
    assert len(strangers._addresses) <= rates.ADDRESSES_MAX + 1
    left_out = strangers.take()
    assert left_out["count"] == count - admitted
    assert len(left_out["sourceIPAddresses"]) <= rates.NAMED_MAX


def test_a_subscriber_of_ipv6_has_one_rate():
    strangers = Strangers()
    admitted = sum(strangers.admits(f"2001:db8::{n:x}", "X", 1.0) for n in range(400))
    assert admitted == rates.ADDRESS_BURST


def test_the_clock_may_go_back():
    strangers = Strangers()
    assert all(strangers.admits("192.0.2.1", "X", at) for at in (100.0, 5.0, 100.0))


@pytest.mark.parametrize("text", ["x" * 30_000, "\x00" * 30_000, '"' * 30_000])
def test_a_record_of_a_stranger_is_small_whatever_was_sent(text):
    headers = {b"user-agent": text.encode(), b"host": text.encode()}
    raw = RawRequest("id", b"POST", b"/", (), b"", "192.0.2.1")
    progress = Progress(raw, headers, text, "Unknown", text, text)
    record = record_of(progress, UnknownOperationException(text), "e", 0.0)
    assert len(record) < 10_000
    assert json.loads(record)["userIdentity"]["type"] == "Unknown"


MARKS = [("", 0.0)]


def test_series_have_names_of_ours_alone():
    telemetry = Telemetry(services=("kms", "sts"))
    for number in range(1000):
        telemetry.request(f"kms\n{number}", "Unknown", "X", MARKS, 0.0)
    telemetry.request("kms", "Encrypt", "ok", MARKS, 0.0)
    assert telemetry.requests == {(OTHER, OTHER, "X"): 1000, ("kms", "Encrypt", "ok"): 1}
    for number in range(SERIES_MAX + 10):
        telemetry.request("kms", f"{number}", "X", MARKS, 0.0)
    assert len(telemetry.requests) <= SERIES_MAX + 1
    part = {"counts": [0] * 13, "seconds": 0.0}
    shown = {**telemetry.snapshot(), "stages": {"who": part}, "troubles": []}
    shown |= {"connections": 0, "in_flight": 0, "hsm_in_flight": 0, "throttled": {}, "altered": []}
    assert b'service="other"' in exposition([shown], {})


def test_a_line_of_the_log_is_bounded(capsys):
    Log().error("trouble", why="x\n" * 100_000)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert len(json.loads(written)["why"]) == FACT_CHARACTERS_MAX
