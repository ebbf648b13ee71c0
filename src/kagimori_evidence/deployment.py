"""Facts of the deployment: its server, HSM, nodes, domain keys, trail and operators."""

from collections.abc import Mapping
from typing import Any, Final

from kagimori_evidence.asking import Ask, Collecting, NotRead, days_since, shown

ADMIN: Final = "kagimori"
_CURRENT: Final = "CURRENT"
_OPEN: Final = "OPEN"


def deployment_facts(not_read: NotRead, now: float) -> Collecting[dict[str, Any]]:
    """Collect the facts that operators of the deployment see."""
    asks = (
        Ask(ADMIN, "GetStatus"),
        Ask(ADMIN, "GetHsmStatus"),
        Ask(ADMIN, "ListNodes"),
        Ask(ADMIN, "GetDomainStatus"),
        Ask(ADMIN, "GetAuditStatus"),
        Ask(ADMIN, "ListOperators"),
        Ask(ADMIN, "ListApprovals", every="Approvals"),
    )
    answers = yield asks
    noted = [not_read.noted(ask, answer) for ask, answer in zip(asks, answers, strict=True)]
    server, module, nodes, domains, trail, operators, approvals = noted
    return {
        "server": None if server is None else _server(server),
        "hsm": None if module is None else _module(module),
        "nodes": None if nodes is None else [_node(one) for one in nodes["Nodes"]],
        "domain_keys": None if domains is None else _domain_keys(domains, now),
        "audit_trail": None if trail is None else _trail(trail),
        "operators": None if operators is None else _operators(operators, approvals),
    }


def _server(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": found["Status"],
        "troubles": list(found.get("Troubles", ())),
        "version": found["Version"],
        "regions": list(found["Regions"]),
        "endpoint_url": found["EndpointUrl"],
        "workers": found["Workers"],
        "operators_account_id": found["OperatorAccountId"],
    }


def _module(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": found["State"],
        "reason": found.get("Reason"),
        "self_tests_at": shown(found.get("TestedAt")),
        "self_tests": [
            {"name": one["Name"], "source": one["Source"]} for one in found.get("SelfTests", ())
        ],
        "memory_locked": found.get("MemoryLocked"),
        "sandbox": list(found.get("Sandbox", ())),
    }


def _node(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "node_id": found["NodeId"],
        "state": found["State"],
        "version": found.get("Version"),
        "heartbeat_at": shown(found.get("HeartbeatAt")),
    }


def _domain_keys(found: Mapping[str, Any], now: float) -> dict[str, Any]:
    current = [
        {
            "domain": domain["DomainName"],
            "domain_key_id": key["DomainKeyId"],
            "made_at": shown(key.get("CreatedAt")),
            "age_days": days_since(key.get("CreatedAt"), now),
        }
        for domain in found["Domains"]
        for key in domain["Keys"]
        if key["State"] == _CURRENT
    ]
    return {"current": current, "rewrapping": found["Rewrapping"]["State"]}


def _trail(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "digests": found["Digests"],
        "digests_intact": found["DigestsIntact"] if found["Digests"] else None,
        "newest_digest_at": shown(found.get("NewestDigestTime")),
        "unsigned_records": found["UnsignedRecords"],
        "key_fingerprint": found.get("KeyFingerprint"),
        "streams": [
            {
                "name": one["Name"],
                "newest_sequence": one["NewestSequence"],
                "signed_to": one["SignedTo"],
            }
            for one in found["Streams"]
        ],
    }


def _operators(found: Mapping[str, Any], approvals: Mapping[str, Any] | None) -> dict[str, Any]:
    listed = None if approvals is None else approvals["Approvals"]
    return {
        "deployment_id": found.get("DeploymentId"),
        "quorum": found["Quorum"],
        "names": [one["OperatorName"] for one in found["Operators"]],
        "requests": None if listed is None else len(listed),
        "open_requests": None
        if listed is None
        else [one["RequestId"] for one in listed if one["State"] == _OPEN],
    }
