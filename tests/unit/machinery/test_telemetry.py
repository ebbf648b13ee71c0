"""What is counted in batches comes to what would be counted one by one."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from kagimori.machinery import telemetry
from kagimori.machinery.telemetry import BUCKETS, Telemetry

SECONDS = st.one_of(st.sampled_from(BUCKETS), st.floats(0, 5), st.just(0.0))
STAGES = st.lists(st.tuples(st.sampled_from(["who", "decide", "hsm", "record"]), SECONDS))


@given(st.lists(STAGES, max_size=40), st.integers(1, 7))
def test_stages_are_counted_whenever_they_are_looked_at(requests, gathered_max):
    before, telemetry.GATHERED_MAX = telemetry.GATHERED_MAX, gathered_max
    try:
        counting, expected = Telemetry(services=("kms",)), {}
        for stages in requests:
            at = 0.0
            marks = [("", at)]
            for name, seconds in stages:
                marks.append((name, at + seconds))
                expected.setdefault(name, []).append(at + seconds - at)
                at += seconds
            counting.request("kms", "Encrypt", "ok", marks, at)
            expected.setdefault("whole", []).append(at)
            assert sum(counting.snapshot()["stages"]["whole"]["counts"]) == len(expected["whole"])
        found = counting.snapshot()["stages"]
    finally:
        telemetry.GATHERED_MAX = before
    for name, histogram in found.items():
        counts = [0] * (len(BUCKETS) + 1)
        for seconds in expected.get(name, []):
            counts[bisect_left(BUCKETS, seconds)] += 1
        assert histogram["counts"] == counts
        assert abs(histogram["seconds"] - sum(expected.get(name, []))) < 1e-6
