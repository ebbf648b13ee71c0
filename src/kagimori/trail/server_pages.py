"""The supervisor's admin pages, in the members of the admin service's answers."""

import http
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from kagimori.deployment.folder import Layout
from kagimori.rules.refusal import ServiceUnavailableException

# Members of ListNodes that a server has observed, by the node's id.
Observed = Mapping[str, Mapping[str, Any]]

SECONDS_MAX: Final = 10.0
_SILENT: Final = "The supervisor does not answer."
_REWRAPPING: Final = {
    "state": "State",
    "rewrapped": "Rewrapped",
    "refused": "Refused",
    "began_at": "BeganAt",
}
_GAUGES: Final = {
    "kagimori_connections": "Connections",
    "kagimori_requests_in_flight": "RequestsInFlight",
    "kagimori_hsm_queue": "HsmQueue",
    "kagimori_audit_records_total": "AuditRecords",
}


def server_status(data: Path) -> dict[str, Any]:
    """Return the members of GetStatus.

    Raises:
        ServiceUnavailableException: the supervisor does not answer.
    """
    found = json.loads(_page(data, "/status"))
    return {
        "Status": found["status"],
        "Troubles": found["troubles"],
        "Version": metadata.version("kagimori"),
        "Regions": found["regions"],
        "EndpointUrl": found["endpoint_url"],
        "Workers": found["workers"],
        "Records": found["records"],
        "Restarts": found["restarts"],
        "ProcessId": found["pid"],
        "DomainKeys": found["domain_keys"],
        "Rewrapping": {_REWRAPPING[name]: value for name, value in found["rewrapping"].items()},
    }


def observed_nodes(data: Path) -> Observed:
    """Return the state of each node as the running server has observed it; empty without one."""
    try:
        nodes = json.loads(_page(data, "/status"))["nodes"]
    except ServiceUnavailableException:
        return {}
    return {
        one["node_id"]: {
            "State": one["state"],
            "HeartbeatAgeSeconds": one["heartbeat_age_seconds"],
        }
        for one in nodes
    }


def metrics_summary(data: Path) -> dict[str, Any]:
    """Return the members of GetMetricsSummary.

    Raises:
        ServiceUnavailableException: the supervisor does not answer.
    """
    requests: list[dict[str, Any]] = []
    stages: dict[str, dict[str, Any]] = {}
    restarts: dict[str, int] = {}
    members: dict[str, Any] = {"Requests": requests, "Restarts": restarts}
    for family in text_string_to_metric_families(_page(data, "/metrics").decode()):
        for sample in family.samples:
            labels, value = sample.labels, sample.value
            if sample.name in _GAUGES:
                members[_GAUGES[sample.name]] = int(value)
            elif sample.name == "kagimori_requests_total":
                labelled = {name.capitalize(): text for name, text in labels.items()}
                requests.append({**labelled, "Count": int(value)})
            elif sample.name == "kagimori_restarts_total":
                restarts[labels["process"]] = int(value)
            elif sample.name in ("kagimori_stage_seconds_count", "kagimori_stage_seconds_sum"):
                stage = stages.setdefault(labels["stage"], {"Stage": labels["stage"]})
                if sample.name.endswith("_sum"):
                    stage["Seconds"] = round(value, 6)
                else:
                    stage["Count"] = int(value)
    return {**members, "Stages": list(stages.values())}


def hsm_status(data: Path) -> dict[str, Any]:
    """Return the members of GetHsmStatus; in the error state too.

    Raises:
        ServiceUnavailableException: the supervisor does not answer.
    """
    found = json.loads(_page(data, "/hsm", may_be_unwell=True))
    tests = [{"Name": one["name"], "Source": one["source"]} for one in found.get("tests", ())]
    members = {
        "State": found["state"],
        "Reason": found["reason"] or None,
        "TestedAt": found.get("tested_at"),
        "TestSeconds": found.get("test_seconds"),
        "SelfTests": tests,
        "MemoryLocked": found.get("memory_locked"),
        "Sandbox": found.get("sandbox"),
    }
    return {name: value for name, value in members.items() if value is not None}


def _page(data: Path, path: str, *, may_be_unwell: bool = False) -> bytes:
    try:
        running = json.loads(Layout(data).running.read_bytes())
        place = urllib.parse.urlsplit(running["admin_url"])
    except (OSError, ValueError, KeyError):
        raise ServiceUnavailableException(_SILENT) from None
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS_MAX)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        raise ServiceUnavailableException(_SILENT) from None
    finally:
        connection.close()
    unwell = may_be_unwell and answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE
    if answer.status != http.HTTPStatus.OK and not (unwell and content):
        raise ServiceUnavailableException(_SILENT)
    return content
