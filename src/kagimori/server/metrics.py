"""Metrics in Prometheus's format, from the snapshots of all workers."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kagimori.machinery.telemetry import BUCKETS
from kagimori.server.trail_child import TrailReport
from kagimori.trail.follower import OK

Snapshot = dict[str, Any]
PARTS = ("hsm", "journal", "store")  # of a worker, as it names its troubles


class _Workers(Collector):
    def __init__(
        self, snapshots: list[Snapshot], restarts: dict[str, int], trail: TrailReport
    ) -> None:
        self._snapshots, self._trail = snapshots, trail
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        yield self._requests()
        yield self._stages()
        yield self._refused()
        yield self._gauge("kagimori_connections", "Open connections.", "connections")
        yield self._gauge("kagimori_requests_in_flight", "Requests being answered.", "in_flight")
        yield self._gauge(
            "kagimori_hsm_queue", "Commands the HSM has not answered.", "hsm_in_flight"
        )
        yield self._throttled()
        yield self._troubles()
        yield from self._followers()
        yield from self._domains()
        altered = GaugeMetricFamily(
            "kagimori_store_altered",
            "Rows of the store that somebody else has altered, since the start; should be 0.",
        )
        altered.add_metric([], max((len(one["altered"]) for one in self._snapshots), default=0))
        yield altered
        records = CounterMetricFamily("kagimori_audit_records", "Audit records made durable.")
        records.add_metric([], sum(snapshot["records_synced"] for snapshot in self._snapshots))
        yield records
        restarts = CounterMetricFamily(
            "kagimori_restarts", "Processes that ended and were started again.", labels=["process"]
        )
        for process, count in self._restarts.items():
            restarts.add_metric([process], count)
        yield restarts

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "kagimori_requests",
            "Requests by operation and result (ok, or the error's code).",
            labels=["service", "operation", "result"],
        )
        counts: dict[tuple[str, ...], int] = {}
        for snapshot in self._snapshots:
            for *labels, count in snapshot["requests"]:
                counts[tuple(labels)] = counts.get(tuple(labels), 0) + count
        for key, count in counts.items():
            family.add_metric(list(key), count)
        return family

    def _stages(self) -> Metric:
        family = HistogramMetricFamily(
            "kagimori_stage_seconds",
            "Seconds by stage: who, decide, hsm, record; whole is the request, sync the journal's.",
            labels=["stage"],
        )
        for stage in self._snapshots[0]["stages"] if self._snapshots else ():
            parts = [snapshot["stages"][stage] for snapshot in self._snapshots]
            buckets = list(_cumulated(parts))
            family.add_metric([stage], buckets, sum_value=sum(part["seconds"] for part in parts))
        return family

    def _refused(self) -> Metric:
        family = CounterMetricFamily(
            "kagimori_http_refused", "Answers below the API, by status.", labels=["status"]
        )
        counts: dict[int, int] = {}
        for snapshot in self._snapshots:
            for status, count in snapshot["refused_below"]:
                counts[status] = counts.get(status, 0) + count
        for status, count in counts.items():
            family.add_metric([str(status)], count)
        return family

    def _throttled(self) -> Metric:
        family = CounterMetricFamily(
            "kagimori_throttled", "Requests beyond a quota, by its group.", labels=["group"]
        )
        counts: Counter[str] = Counter()
        for snapshot in self._snapshots:
            counts.update(snapshot["throttled"])
        for group, count in counts.items():
            family.add_metric([group], count)
        return family

    def _troubles(self) -> Metric:
        family = GaugeMetricFamily(
            "kagimori_troubled_workers", "Workers whose part does not serve.", labels=["part"]
        )
        for part in PARTS:
            count = sum(part in snapshot["troubles"] for snapshot in self._snapshots)
            family.add_metric([part], count)
        return family

    def _followers(self) -> Iterator[Metric]:
        troubled = GaugeMetricFamily(
            "kagimori_troubled_followers",
            "1 if a follower of the journals fails, hangs, stands still or has ended.",
            labels=["follower"],
        )
        for name, one in self._trail.followers.items():
            troubled.add_metric([name], float(one.state != OK))
        yield troubled
        unknown = GaugeMetricFamily(
            "kagimori_unknown_streams", "Folders in the audit folder that are no streams of ours."
        )
        unknown.add_metric([], len(self._trail.unknown_streams))
        yield unknown

    def _domains(self) -> Iterator[Metric]:
        reported = domains_in(self._snapshots)
        keys = GaugeMetricFamily("kagimori_domain_keys", "Domain keys by state.", labels=["state"])
        for state, count in reported.get("keys", {}).items():
            keys.add_metric([state], count)
        yield keys
        rewrapped = CounterMetricFamily(
            "kagimori_rewrapped_entities", "Keys and other entities wrapped under new domain keys."
        )
        rewrapped.add_metric([], reported.get("rewrapped", 0))
        yield rewrapped
        refused = GaugeMetricFamily(
            "kagimori_rewrap_refused", "Entities with a token that does not open; should be 0."
        )
        refused.add_metric([], reported.get("refused", 0))
        yield refused

    def _gauge(self, name: str, text: str, member: str) -> Metric:
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], sum(snapshot[member] for snapshot in self._snapshots))
        return gauge


def _cumulated(parts: list[dict[str, Any]]) -> Iterable[tuple[str, float]]:
    total = 0
    for position, bound in enumerate((*BUCKETS, float("inf"))):
        total += sum(part["counts"][position] for part in parts)
        yield ("+Inf" if bound == float("inf") else str(bound)), total


def domains_in(snapshots: Iterable[Snapshot]) -> dict[str, Any]:
    """Return the report of the worker that keeps the domain keys; empty if there is none."""
    reported = (snapshot.get("domains") for snapshot in snapshots)
    return next((one for one in reported if one is not None), {})


def exposition(
    snapshots: list[Snapshot], restarts: dict[str, int], trail: TrailReport | None = None
) -> bytes:
    """Return the metrics page."""
    registry = CollectorRegistry()
    registry.register(_Workers(snapshots, restarts, trail or TrailReport()))
    return generate_latest(registry)
