"""The admin listener: metrics and status of the whole server, from what its processes say."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import Any, Final

import msgspec

from kagimori.http.front import Front, Respond
from kagimori.machinery.chance import new_uuid
from kagimori.rules.request import RawAnswer, RawRequest
from kagimori.server.hsm_pages import HsmPages
from kagimori.server.metrics import Snapshot, domains_in, exposition
from kagimori.server.trail_child import TrailReport
from kagimori.server.worker_child import WorkerChild, snapshots_of
from kagimori.settings import FrontLimits
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Reply

CONNECTIONS: Final = 64
ALARMS_SHOWN: Final = 20  # of alterations of the store
_REWRAPPING: Final = ("state", "rewrapped", "refused", "began_at")


class AdminPages:
    """Answers `/metrics` and `/status`. The mappings are the supervisor's, and current."""

    def __init__(
        self,
        *,
        endpoint_url: str,
        regions: tuple[str, ...],
        workers: Mapping[str, WorkerChild],
        restarts: dict[str, int],
        trail_report: Callable[[], TrailReport],
        hsm_sandbox: Callable[[], tuple[str, ...]],
        ask_hsm: Callable[[Command], Reply],
    ) -> None:
        self._endpoint_url = endpoint_url
        self._regions = regions
        self._workers = workers
        self._restarts = restarts
        self._trail_report = trail_report
        self._hsm_sandbox = hsm_sandbox
        self._hsm = HsmPages(ask_hsm)
        self._pages = {
            (b"GET", b"/metrics"): self._metrics,
            (b"GET", b"/status"): self._status,
            (b"GET", b"/hsm"): self._hsm.describe,
            (b"POST", b"/hsm/test"): self._hsm.test,
        }
        self._making: dict[bytes, asyncio.Task[RawAnswer]] = {}

    async def serve(self, listener: socket.socket) -> Front:
        """Answer at a listening socket from now on."""
        front = Front(
            self._handle,
            FrontLimits(connections=CONNECTIONS, peer_connections_percent=100),
            new_request_id=new_uuid,
            http_date=lambda: formatdate(time.time(), usegmt=True).encode(),
            reserve_pages=frozenset(target for _, target in self._pages),
        )
        await front.listen(sock=listener, ssl=None)
        return front

    def _handle(self, raw: RawRequest, respond: Respond) -> None:
        page = self._pages.get((raw.method, raw.target))
        if page is None:
            respond(RawAnswer(404, b"", b""))
            return
        task = self._making.get(raw.target)
        if task is None:  # else it is being made for somebody already
            task = self._making[raw.target] = asyncio.get_running_loop().create_task(page())
            task.add_done_callback(lambda _: self._making.pop(raw.target))
        task.add_done_callback(lambda done: respond(_page_of(done)))

    async def _metrics(self) -> RawAnswer:
        page = exposition(
            await snapshots_of(self._workers.values()), self._restarts, self._trail_report()
        )
        return RawAnswer(200, page, b"text/plain; version=1.0.0; charset=utf-8")

    async def _status(self) -> RawAnswer:
        snapshots = await snapshots_of(self._workers.values())
        report = self._trail_report()
        troubles = sorted({trouble for snapshot in snapshots for trouble in snapshot["troubles"]})
        if len(snapshots) < len(self._workers):
            troubles.append("worker")
        domains = domains_in(snapshots)
        status = {
            "status": "not ready" if troubles else "ready",
            "troubles": troubles,
            "reasons": {
                part: why for snapshot in snapshots for part, why in snapshot["reasons"].items()
            },
            "endpoint_url": self._endpoint_url,
            "regions": list(self._regions),
            "workers": len(self._workers),
            "restarts": self._restarts,
            "sandbox": {
                "hsm": list(self._hsm_sandbox()),
                "workers": all(snapshot["confined"] for snapshot in snapshots),
            },
            "followers": {name: one.state for name, one in report.followers.items()},
            "alarms": [*report.alarms(), *_alarms_of(domains), *_altered_in(snapshots)],
            "domain_keys": domains.get("keys", {}),
            "rewrapping": {name: domains[name] for name in _REWRAPPING if name in domains},
            "nodes": [node for snapshot in snapshots for node in snapshot["nodes"]],
            "records": sum(snapshot["records_synced"] for snapshot in snapshots),
            "pid": os.getpid(),
        }
        return RawAnswer(200, msgspec.json.encode(status), b"application/json")


def _alarms_of(domains: Mapping[str, Any]) -> list[str]:
    refused = domains.get("refused", 0)
    if not refused:
        return []
    return [f"domain keys are kept: {refused} stored keys or secrets under them do not open"]


def _altered_in(snapshots: Iterable[Snapshot]) -> list[str]:
    found = sorted({text for snapshot in snapshots for text in snapshot["altered"]})
    return [f"the store was altered: {text}" for text in found[:ALARMS_SHOWN]]


def _page_of(done: asyncio.Task[RawAnswer]) -> RawAnswer:
    return RawAnswer(500, b"", b"") if done.exception() is not None else done.result()
