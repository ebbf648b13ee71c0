"""Slow questions about the trail and the server, answered on threads beside the worker's loop.

An account has one of them answered at a time, and no more than a few wait: whoever asks for much
makes others wait no longer than that.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kagimori.deployment.folder import Layout, Unusable
from kagimori.machinery.store.thread import WorkerThread
from kagimori.pending import Pending
from kagimori.ports import Absent, Asker
from kagimori.rules.authorization.replay import Replayed
from kagimori.rules.chain.audit_status import AuditStatus
from kagimori.rules.chain.unused import Proof
from kagimori.rules.metering.twin import TwinFound, TwinQuery
from kagimori.rules.metering.usage import UsagePage, UsageQuery
from kagimori.rules.records.event_search import EventPage, EventSearch, Places
from kagimori.rules.refusal import ServiceUnavailableException, ThrottlingException
from kagimori.trail.event_pages import page
from kagimori.trail.meter_reader import read_usage
from kagimori.trail.node_pages import nodes_of
from kagimori.trail.policy_replay import replay
from kagimori.trail.reading import prove_unused
from kagimori.trail.server_pages import hsm_status, metrics_summary, server_status
from kagimori.trail.twin import replay_requests
from kagimori.trail.verification import audit_status

WAITING_MAX: Final = 8
NICENESS: Final = 10  # requests come first


class TrailInspector:
    """The inspector of one worker. Made and used on the loop."""

    def __init__(self, data: Path, lease_seconds: float = 10.0) -> None:
        self._data, self._layout = data, Layout(data)
        self._lease_seconds = lease_seconds
        # What takes minutes does not hold up what takes moments.
        self._slow, self._quick = WorkerThread("inspect-slow"), WorkerThread("inspect")
        self._slow.call(_step_back)
        self._quick.call(_step_back)
        self._results: dict[str, Any] = {}
        self._asking: set[str] = set()  # accounts

    def search(self, asker: Asker, search: EventSearch, places: Places) -> EventPage:
        """Return a page of events; the first time, raise Absent.

        Raises:
            Absent: not looked for yet.
        """
        found: EventPage = self._result(
            self._quick, asker, lambda: page(self._layout.audit, search, places)
        )
        return found

    def prove_unused(self, asker: Asker, key: str, since: float, until: float | None) -> Proof:
        """Return whether a key was used. Raises as `search`."""
        found: Proof = self._result(
            self._slow, asker, lambda: prove_unused(self._data, key, since, until, served=True)
        )
        return found

    def try_policy(
        self, asker: Asker, key: str, policy: str, since: float, visible_to: str | None
    ) -> Replayed:
        """Return the changes that a key policy would make. Raises as `search`."""
        found: Replayed = self._result(
            self._slow, asker, lambda: replay(self._data, key, policy, since, visible_to=visible_to)
        )
        return found

    def audit_status(self, asker: Asker) -> AuditStatus:
        """Return how far the trail is written and signed. Raises as `search`."""
        found: AuditStatus = self._result(self._quick, asker, lambda: audit_status(self._data))
        return found

    def server_status(self, asker: Asker) -> dict[str, Any]:
        """Return the members of GetStatus. Raises as `search`."""
        found: dict[str, Any] = self._result(self._quick, asker, self._status)
        return found

    def _status(self) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = []
        with contextlib.suppress(Unusable):  # the state of the server is shown all the same
            nodes = nodes_of(self._data, self._lease_seconds)
        return {**server_status(self._data), "Nodes": nodes}

    def nodes(self, asker: Asker) -> list[dict[str, Any]]:
        """Return the nodes in the members of ListNodes. Raises as `search`."""
        found: list[dict[str, Any]] = self._result(
            self._quick, asker, lambda: nodes_of(self._data, self._lease_seconds)
        )
        return found

    def metrics_summary(self, asker: Asker) -> dict[str, Any]:
        """Return the members of GetMetricsSummary. Raises as `search`."""
        found: dict[str, Any] = self._result(
            self._quick, asker, lambda: metrics_summary(self._data)
        )
        return found

    def hsm_status(self, asker: Asker) -> dict[str, Any]:
        """Return the members of GetHsmStatus. Raises as `search`."""
        found: dict[str, Any] = self._result(self._quick, asker, lambda: hsm_status(self._data))
        return found

    def usage(self, asker: Asker, query: UsageQuery) -> UsagePage:
        """Return usage of a month. Raises as `search`."""
        found: UsagePage = self._result(
            self._quick, asker, lambda: read_usage(self._layout.audit, query)
        )
        return found

    def replay_requests(self, asker: Asker, query: TwinQuery) -> TwinFound:
        """Return when requests would have been throttled. Raises as `search`."""
        found: TwinFound = self._result(
            self._slow, asker, lambda: replay_requests(self._layout.audit, query)
        )
        return found

    def close(self) -> None:
        """End; what is being looked for is not waited for."""
        self._slow.leave()
        self._quick.leave()

    def _result(self, thread: WorkerThread, asker: Asker, look: Callable[[], Any]) -> Any:
        if asker.request_id in self._results:
            return self._results.pop(asker.request_id)
        raise Absent(lambda: self._load(thread, asker, look))

    def _load(self, thread: WorkerThread, asker: Asker, look: Callable[[], Any]) -> Pending[None]:
        done: Pending[None] = Pending()
        if asker.account_id in self._asking or len(self._asking) >= WAITING_MAX:
            done.fail(ThrottlingException("Rate exceeded"))
            return done
        self._asking.add(asker.account_id)
        job = thread.call(look)

        def take() -> None:
            self._asking.discard(asker.account_id)
            try:
                self._results[asker.request_id] = job.result()
            except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
                done.fail(_refusal(failure))
                return
            done.settle(None)

        job.then(take)
        return done


def _refusal(failure: Exception) -> Exception:
    """Return a failure as a refusal; the place of files is no caller's business."""
    if isinstance(failure, Unusable | OSError):
        return ServiceUnavailableException("The audit trail cannot be read now.")
    return failure


def _step_back() -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
